"""The loop that keeps subscriptions, baselines and sweeps: of all keepers the one with the lease acts.

Reads like its steps and holds no rule: those are in `plan`, `silence`, `faults` and the duties. Errors of
Graph never end it; without Redis it waits; what is due waits for nothing but a free place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from service.clock import Clock, sleep_or_stop
from service.errors import FencedError, LayoutError, ServiceError, StreamError
from service.ports import Generation
from service.reconcile.model import Address
from service.roster import RosterEntry
from service.subscriptions.answering import Answering, AnsweringLimits
from service.subscriptions.comparing import Comparing
from service.subscriptions.crew import Crew
from service.subscriptions.leadership import Leadership
from service.subscriptions.ledger import Ledger
from service.subscriptions.order import InboxesFirst
from service.subscriptions.owners import Owners
from service.subscriptions.reading import Reading
from service.subscriptions.records import Outage
from service.subscriptions.requests import OpenRequests
from service.subscriptions.schedule import Duty, DutyKind, Schedule
from service.subscriptions.signed_in import SignedIn
from service.subscriptions.subscribing import Subscribing
from service.subscriptions.watch import Watch

_log = structlog.get_logger("keeper")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperLimits:
    """Bounds of the loop.

    Attributes:
        tick_s: between two looks at what is due.
        outage_wait_s: pause after Redis failed.
        places: how many duties of each kind run at a time.
        put_off_s: how long a duty waits that cannot be begun yet, or that met a fault of our own.
        stop_s: how long a stopping keeper waits for its duties to end.
        inbox_fresh_s: a calendar that is due has inboxes read first whose last round is older than this.
    """

    tick_s: float = 0.5
    outage_wait_s: float = 1.0
    put_off_s: float = 0.5
    stop_s: float = 5.0
    inbox_fresh_s: float = 45.0
    places: Mapping[DutyKind, int] = field(
        default_factory=lambda: {
            DutyKind.RESOLVE: 16,
            DutyKind.COMPARE: 1,
            DutyKind.SUBSCRIBE: 80,
            DutyKind.DELETE: 4,
            DutyKind.READ_MESSAGES: 16,
            DutyKind.READ_EVENTS: 16,
        }
    )


class KeeperMetrics(Protocol):
    """What the keeper counts."""

    def duty_done(self, *, kind: str, outcome: str, duration_s: float) -> None: ...
    def leading(self, *, is_leading: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """How a kind of duty is done, and how its failure is written down."""

    do: Callable[[str], Awaitable[bool]]
    note_failure: Callable[[str, ServiceError], Awaitable[None]]


class Keeper:
    """One keeper; any number may run.

    Args:
        seed: the roster of OWNERS_FILE; written at start where there is no roster, or when it was lost.
        on_operator: as for `Answering`.
    """

    def __init__(
        self,
        *,
        leadership: Leadership,
        generation: Generation,
        ledger: Ledger,
        watch: Watch,
        schedule: Schedule,
        owners: Owners,
        subscribing: Subscribing,
        comparing: Comparing,
        reading: Reading,
        signed_in: SignedIn,
        clock: Clock,
        metrics: KeeperMetrics,
        limits: KeeperLimits | None = None,
        answering: AnsweringLimits | None = None,
        on_operator: Callable[[], None] = lambda: None,
        seed: tuple[RosterEntry, ...] = (),
    ) -> None:
        self._leadership = leadership
        self._generation = generation
        self._ledger = ledger
        self._watch = watch
        self._schedule = schedule
        self._owners = owners
        self._subscribing = subscribing
        self._comparing = comparing
        self._reading = reading
        self._signed_in = signed_in
        self._clock = clock
        self._metrics = metrics
        self._limits = limits or KeeperLimits()
        self._seed = seed
        self._is_fresh = True
        self._led_before: tuple[datetime | None] | None = None
        self._is_leaving = False
        self._has_begun = False
        self._crew = Crew(self._limits.places, on_free=self._fill_place)
        self._order = InboxesFirst(ledger, watch, schedule, self._crew, fresh_s=self._limits.inbox_fresh_s)
        self._open = OpenRequests()
        self._answering = Answering(
            ledger=ledger,
            watch=watch,
            owners=owners,
            subscribing=subscribing,
            comparing=comparing,
            reading=reading,
            waiting=self._open,
            clock=clock,
            limits=answering or AnsweringLimits(),
            on_operator=on_operator,
        )
        self._works = {
            DutyKind.RESOLVE: _Work(do=owners.resolve, note_failure=owners.note_failure),
            DutyKind.COMPARE: _Work(do=comparing.compare, note_failure=comparing.note_comparison_failure),
            DutyKind.SUBSCRIBE: _Work(do=subscribing.subscribe, note_failure=subscribing.note_failure),
            DutyKind.DELETE: _Work(do=comparing.delete, note_failure=comparing.note_deletion_failure),
            DutyKind.READ_MESSAGES: _Work(do=reading.read, note_failure=reading.note_failure),
            DutyKind.READ_EVENTS: _Work(do=reading.read, note_failure=reading.note_failure),
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Keep until `stop` is set; then end what runs and give the lease back.

        Raises:
            LayoutError: the keys in Redis were written with another layout.
        """
        try:
            while not stop.is_set():
                await sleep_or_stop(self._clock, stop, await self._tick_safely())
        finally:
            await self._leave()

    async def _tick_safely(self) -> float:
        """Tick once; gives the pause until the next tick. Redis being away only makes it longer."""
        try:
            await self.tick()
        except LayoutError:
            raise
        except StreamError as error:
            _log.warning("keeper.outage_met", error=str(error), wait_s=self._limits.outage_wait_s)
            return self._limits.outage_wait_s
        return self._limits.tick_s

    async def tick(self) -> None:
        """Take the lease or keep it; while it is ours, begin what is due.

        Raises:
            StreamError: Redis is away; nothing was begun.
        """
        is_new_term = await self._leadership.renew()
        self._metrics.leading(is_leading=self._leadership.is_leading)
        self._has_begun = self._has_begun and not is_new_term
        goes_on = self._leadership.is_leading and self._has_begun
        is_intact = await self._generation.exists(led_at=self._clock.now() if goes_on else None)
        self._led_before = self._led_before or (self._generation.led_at,)
        before = self._ledger.roster_known
        is_roster_new = is_intact and await self._ledger.refresh_roster()
        is_intact = is_intact and (not is_roster_new or await self._is_still_intact(before))
        if not self._leadership.is_leading:
            await self._stand_back()
            return
        if not is_intact:
            await self._begin_generation()
        elif not self._has_begun:
            await self._begin_term(led_at=self._generation.led_at if self._is_fresh else None)
        elif is_roster_new:
            self._owners.follow_roster()
        await self._answering.take_up()
        self._signed_in.look()
        self._begin_due()

    async def settle(self) -> None:
        """Wait until nothing runs that was begun."""
        await self._crew.settle()

    # --- terms ---

    async def _is_still_intact(self, before: tuple[Mapping[Address, RosterEntry], int | None]) -> bool:
        """Tell whether what was just read was of the present state; else the roster known before stands."""
        if await self._generation.exists():
            return True
        self._ledger.roster_known = before
        return False

    async def _stand_back(self) -> None:
        await self._crew.cancel_all()
        self._schedule.clear()
        self._ledger.owners = {}  # who leads resolves them; what we know of them grows old

    async def _begin_term(self, *, led_at: datetime | None) -> None:
        """Take over from whoever led before: read the books, and make everything due at its time.

        Args:
            led_at: as for `Comparing.begin_term`.
        """
        before = self._ledger.roster_known
        await self._crew.cancel_all()
        self._schedule.clear()
        self._answering.begin_term()
        self._signed_in.begin_term()
        self._order.begin_term()
        self._watch.clear()
        self._ledger.forget_counters()
        await self._ledger.refresh_roster()
        await self._ledger.load()
        await self._leadership.renew()  # the books of a large roster take their time
        if not await self._is_still_intact(before):
            return
        if self._is_fresh and self._seed and not self._ledger.roster:
            await self._ledger.write_roster(_by_address(self._seed))
        is_after_outage = self._is_fresh and self._has_nobody_led
        if is_after_outage:
            await self._ledger.write_outage(Outage(ended_at=self._clock.now()))
        self._owners.begin_term()
        self._subscribing.begin_term()
        self._comparing.begin_term(led_at=led_at)
        self._reading.begin_term(is_fresh=self._is_fresh, is_after_outage=is_after_outage)
        self._is_fresh = False
        self._has_begun = True
        _log.info("keeper.term_begun", fence=self._leadership.fence, owners=len(self._ledger.roster))

    @property
    def _has_nobody_led(self) -> bool:
        """Tell whether nobody led since this process first looked: the whole service may have been away."""
        return self._led_before == (self._generation.led_at,)

    async def _begin_generation(self) -> None:
        """Start again after the state was lost or is an older one: what we still know goes back, and
        baselines are read anew.

        The mark comes last: until it is there no worker can commit anything.
        """
        await self._crew.cancel_all()
        owners = self._ledger.owners
        await self._ledger.restore_roster()
        if not self._ledger.roster:
            await self._ledger.write_roster(_by_address(self._seed))
        await self._ledger.load()
        await self._ledger.drop_mailboxes()
        await self._owners.begin_anew({**self._ledger.owners, **owners})
        await self._generation.ensure(meanwhile=self._leadership.renew)
        _log.warning("generation.begun", owners=len(self._ledger.roster))
        self._is_fresh = True
        await self._generation.exists(led_at=self._clock.now())
        await self._begin_term(led_at=None)

    async def _leave(self) -> None:
        self._is_leaving = True
        try:
            async with asyncio.timeout(self._limits.stop_s):
                await self._crew.cancel_all()
                await self._leadership.release()
        except (TimeoutError, StreamError) as error:
            _log.warning("keeper.left_late", error=str(error))

    # --- duties ---

    def _begin_due(self) -> None:
        """Begin what is due as far as there are places; the rest stays due."""
        now = self._clock.now()
        for kind in DutyKind:
            if self._is_held_back(kind):
                continue
            for duty in self._schedule.pop_due(kind, now, count=self._crew.room(kind)):
                if self._crew.is_busy(duty) or self._order.has_to_wait(duty, now):
                    self._put_off(duty)
                else:
                    self._crew.begin(duty, self._perform(duty))

    def _fill_place(self) -> None:
        """Begin what is due as soon as a place is free, instead of at the next tick."""
        if self._leadership.is_leading and not self._is_leaving:
            self._begin_due()

    def _is_held_back(self, kind: DutyKind) -> bool:
        """Let a term look everybody up before it compares with Graph."""
        is_first = kind is DutyKind.COMPARE and not self._subscribing.is_compared
        return is_first and not self._owners.is_everybody_looked_up

    def _put_off(self, duty: Duty) -> None:
        later = self._clock.now() + timedelta(seconds=self._limits.put_off_s)
        self._schedule.bring_forward(duty, later)

    async def _perform(self, duty: Duty) -> None:
        """Do a duty and, where it worked, take the requests off the book that waited for it."""
        asked = self._open.take(duty)
        began = self._clock.monotonic()
        outcome = "failed"
        try:
            if await self._works[duty.kind].do(duty.name):
                await self._answering.conclude(duty, asked)
                asked = set()
            outcome = "done"
        except FencedError:
            outcome = "fenced"  # another leads, or nobody needs it any more
            if self._leadership.is_leading:
                asked = await self._conclude_safely(duty, asked)
        except StreamError as error:
            _log.warning("keeper.outage_met", duty=str(duty.kind), error=str(error))
            self._put_off(duty)
        except ServiceError as error:
            asked = await self._note_failure(duty, asked, error)
        except Exception:  # the loop must go on whatever one duty meets
            _log.exception("keeper.duty_failed", duty=str(duty.kind), name=duty.name)
            self._put_off(duty)
        finally:
            self._open.put_back(duty, asked)
            self._metrics.duty_done(
                kind=duty.kind, outcome=outcome, duration_s=self._clock.monotonic() - began
            )

    async def _conclude_safely(self, duty: Duty, asked: set[str]) -> set[str]:
        """End what waited for a duty that nobody needs any more; gives what could not be ended."""
        try:
            await self._answering.conclude(duty, asked)
        except StreamError:
            return asked
        return set()

    async def _note_failure(self, duty: Duty, asked: set[str], error: ServiceError) -> set[str]:
        """Write a failure down; gives the requests that wait for the next try."""
        try:
            await self._works[duty.kind].note_failure(duty.name, error)
            return await self._answering.note_failure(duty, asked, error)
        except StreamError as outage:
            _log.warning("keeper.outage_met", duty=str(duty.kind), error=str(outage))
            self._put_off(duty)
            return asked


def _by_address(entries: tuple[RosterEntry, ...]) -> dict[Address, RosterEntry]:
    return {entry.address: entry for entry in entries}
