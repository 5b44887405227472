"""After an outage: answers are read in the order in which they were given, before what came of them.

Graph keeps the notifications of that time, and sends them again in no order. Read as they come, a calendar's
present state or the last of several answers would pass over the earlier ones. So what they announce waits in
the due list until the keeper's first round has fed the messages of the inboxes that matter, in order.
Must never wait longer than a limit, nor at all once a worker has caught up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from service.clock import Clock
from service.entries import OF_ROUNDS, IntakeEntry, Kind, parse_entry
from service.ports import Delivered, Generation, IntakeStream
from service.reconcile.model import MailboxKey, OwnerKey
from service.roster import WatchedOwner, WatchList
from service.stream_ids import order_of

_log = structlog.get_logger("worker")
_NOTHING: Final = "0-0"
"""The id before all entries."""


class OutageBook(Protocol):
    """What the keeper writes down about the last outage, and about what it has read since."""

    async def find_outage_end(self) -> datetime | None:
        """Give when the last outage of the whole service ended; None where none is known."""

    async def find_web_return(self) -> datetime | None:
        """Give when web was there again after it had been away alone; None where it never was."""

    async def find_read(self, mailboxes: Collection[MailboxKey], *, since: datetime) -> frozenset[MailboxKey]:
        """Give those whose messages up to that moment have been fed, or cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUpLimits:
    """Bounds of waiting.

    Attributes:
        wait_max_s: for a keeper to lead, and then for it to read the inboxes; 0 waits for neither.
        ask_s, ask_every_s: a worker that starts asks so long, and so often, whether a keeper leads, before it
            puts anything off: were the worker alone away, that would lose its place.
        late_s: a worker that starts so long after the outage was away by itself: inboxes that were read by
            then hold nothing up, for what it finds lies on the stream in the order in which it came.
        look_first_s, look_max_s: an entry that waits is looked at again after so long, ever more seldom.
    """

    wait_max_s: float = 60.0
    ask_s: float = 3.0
    ask_every_s: float = 0.1
    late_s: float = 10.0
    look_first_s: float = 0.5
    look_max_s: float = 5.0


class CatchingUp:
    """Lets entries through, or puts them off: at the start of a worker, and when web was away.

    A worker that outlived an outage of the keepers does not wait: it has read what came when it came.
    """

    def __init__(
        self,
        *,
        intake: IntakeStream,
        generation: Generation,
        book: OutageBook,
        clock: Clock,
        limits: CatchUpLimits | None = None,
    ) -> None:
        self._intake = intake
        self._generation = generation
        self._book = book
        self._clock = clock
        self._limits = limits or CatchUpLimits()
        self._looking = asyncio.Lock()
        self._started_at = clock.now()
        self._began_at: datetime | None = None
        self._led_at: datetime | None = None
        self._outage_end: datetime | None = None
        self._web_returned_at: datetime | None = None
        self._until = clock.now()
        self._read_up_to: dict[MailboxKey, str] = {}
        self._held = 0
        self._is_over = False

    async def let_through(self, taken: Sequence[Delivered], watch: WatchList) -> Sequence[Delivered]:
        """Give the entries that may be processed now, in order; the others were put off.

        Args:
            watch: at least as new as the entries.

        Raises:
            StreamError: Redis is away; what was not put off stays pending.
        """
        inboxes = {delivered.id: find_inboxes(delivered, watch) for delivered in taken}
        needed = frozenset[MailboxKey]().union(*inboxes.values())
        if self._limits.wait_max_s <= 0 or (self._is_over and not needed):
            return taken
        async with self._looking:
            await self._look(needed)
        held = [one for one in taken if not self._is_over and self._has_to_wait(one, inboxes[one.id])]
        await asyncio.gather(*(self._put_off(one, inboxes[one.id]) for one in held))
        waiting = {one.id for one in held}
        return [one for one in taken if one.id not in waiting]

    async def _look(self, inboxes: frozenset[MailboxKey]) -> None:
        """Find out how far the keeper is."""
        if self._began_at is None:
            await self._begin()
        now = self._clock.now()
        await self._look_for_web(now)
        if self._is_over:
            return
        if self._outage_end is None:
            await self._look_for_outage(now)
        if now >= self._until:
            self._end()
        elif self._outage_end is not None:
            await self._look_into_inboxes(inboxes - self._read_up_to.keys(), self._outage_end)

    async def _begin(self) -> None:
        """Remember how things stand at the start, and let a keeper that runs raise the watermark."""
        await self._generation.exists()
        self._led_at = self._generation.led_at
        now = self._clock.now()
        self._until = now + timedelta(seconds=self._limits.wait_max_s)
        ask_until = now + timedelta(seconds=min(self._limits.ask_s, self._limits.wait_max_s))
        while self._generation.led_at == self._led_at and self._clock.now() < ask_until:
            await self._clock.sleep(self._limits.ask_every_s)
            await self._generation.exists()
        self._began_at = self._clock.now()

    async def _look_for_outage(self, now: datetime) -> None:
        """See whether somebody leads: whoever does has written down before whether there was an outage."""
        await self._generation.exists()
        if self._generation.led_at == self._led_at:
            return
        self._outage_end = await self._book.find_outage_end()
        ended_at = now - timedelta(seconds=self._limits.wait_max_s)
        if self._outage_end is not None:
            ended_at = min(self._outage_end, now)  # by the keeper's clock, which may go ahead
        self._until = ended_at + timedelta(seconds=self._limits.wait_max_s)

    async def _look_for_web(self, now: datetime) -> None:
        """Begin to wait where web has come back: Graph sends again what nobody took."""
        returned_at = await self._book.find_web_return()
        if returned_at is None or returned_at == self._web_returned_at:
            return
        self._web_returned_at = returned_at
        until = min(returned_at, now) + timedelta(seconds=self._limits.wait_max_s)
        if now < until:
            self._read_up_to.clear()
            self._began_at, self._outage_end, self._until, self._held = now, returned_at, until, 0
            self._is_over = False

    async def _look_into_inboxes(self, inboxes: frozenset[MailboxKey], outage_end: datetime) -> None:
        read = await self._book.find_read(inboxes, since=outage_end) if inboxes else ()
        if read:
            is_late = self._started_at - outage_end > timedelta(seconds=self._limits.late_s)
            up_to = _NOTHING if is_late else await self._intake.find_last_id()
            self._read_up_to |= dict.fromkeys(read, up_to)

    def _has_to_wait(self, delivered: Delivered, inboxes: frozenset[MailboxKey]) -> bool:
        """Tell whether messages of one of these inboxes are not on the stream yet, or may lie behind."""
        return any(_is_before(delivered.id, self._read_up_to.get(inbox)) for inbox in inboxes)

    async def _put_off(self, delivered: Delivered, inboxes: frozenset[MailboxKey]) -> None:
        if not self._held:
            _log.info("worker.catching_up", wait_max_s=self._limits.wait_max_s)
        self._held += 1
        now = self._clock.now()
        age_s = (now - (self._began_at or now)).total_seconds()
        is_next = inboxes <= self._read_up_to.keys()  # only has to go behind what was fed
        wait_s = 0 if is_next else min(max(age_s / 2, self._limits.look_first_s), self._limits.look_max_s)
        entry = parse_entry(delivered.fields)
        await self._intake.defer(delivered, entry, due_at=now + timedelta(seconds=wait_s))

    def _end(self) -> None:
        self._is_over = True
        self._read_up_to.clear()
        if self._held:
            _log.info("worker.caught_up", put_off=self._held)


def find_inboxes(delivered: Delivered, watch: WatchList) -> frozenset[MailboxKey]:
    """Give the inboxes that have to be read before an entry is processed; none where order is no matter.

    An event waits for all inboxes of its owner, a message for its own. An owner whose baseline is not
    complete waits for nothing: first sight is a snapshot. Messages that a round found are in order.
    """
    try:
        entry = parse_entry(delivered.fields)
    except ValueError:
        return frozenset()
    owners = [owner for owner in _list_owners(entry, watch) if owner.is_baselined]
    if entry.kind is Kind.EVENT:
        return frozenset(inbox for owner in owners for inbox in owner.inboxes)
    is_in_order = entry.kind is not Kind.MESSAGE or entry.origin in OF_ROUNDS
    return frozenset() if is_in_order or not owners else frozenset({MailboxKey(entry.mailbox)})


def _list_owners(entry: IntakeEntry, watch: WatchList) -> Sequence[WatchedOwner]:
    if entry.kind is Kind.EVENT:
        owner = watch.owners.get(OwnerKey(entry.mailbox))
        return () if owner is None else (owner,)
    return watch.owners_served_by(MailboxKey(entry.mailbox)) if entry.kind is Kind.MESSAGE else ()


def _is_before(entry_id: str, up_to: str | None) -> bool:
    return up_to is None or order_of(entry_id) <= order_of(up_to)
