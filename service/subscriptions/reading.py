"""The duty that reads a resource: its baseline, its sweeps, its full rounds; and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from service.clock import Clock
from service.entries import IntakeEntry, Kind, Origin
from service.errors import FencedError, ServiceError
from service.intake.client_state import ResourceKind, WatchedResource
from service.ports import IntakeStream, StateStore
from service.reconcile.instant import instant_of, parse_instant
from service.reconcile.model import MailboxKey, OwnerKey
from service.roster import WatchedOwner
from service.subscriptions.comparison import StateComparison
from service.subscriptions.faults import Backoff, build_fault
from service.subscriptions.ledger import Ledger
from service.subscriptions.plan import spread
from service.subscriptions.records import MailboxRecord, OwnerProgress, RequestKind
from service.subscriptions.resync import Comparison, DeltaRounds, Turn, Window, is_listed
from service.subscriptions.schedule import Duty, Schedule
from service.subscriptions.silence import SilenceLimits, is_notification_due, judge_silence
from service.subscriptions.subscribing import reading_of
from service.subscriptions.watch import Watch

_log = structlog.get_logger("keeper")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """Waits of rounds.

    Attributes:
        sweep_interval_s: between two rounds of a resource; each has its own place in the last fifth, a
            calendar in its first half.
        full_resync_s: between two full rounds; likewise.
        mark_again_s: a baseline's mark that did not come back for so long is sent again.
    """

    sweep_interval_s: float = 900.0
    full_resync_s: float = 86_400.0
    mark_again_s: float = 600.0
    silence: SilenceLimits = field(default_factory=SilenceLimits)


class RoundMetrics(Protocol):
    """What rounds count."""

    def round_ended(self, *, resource: str, is_full: bool, items: int) -> None: ...


class Reading:
    """Reads resources.

    Args:
        on_silence: told the name of a resource whose notifications stay away.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        watch: Watch,
        schedule: Schedule,
        rounds: DeltaRounds,
        intake: IntakeStream,
        states: StateStore,
        clock: Clock,
        window: Window,
        limits: ReadingLimits,
        backoff: Backoff,
        metrics: RoundMetrics,
        on_silence: Callable[[str], object],
    ) -> None:
        self._ledger = ledger
        self._watch = watch
        self._schedule = schedule
        self._rounds = rounds
        self._intake = intake
        self._states = states
        self._clock = clock
        self._window = window
        self._limits = limits
        self._backoff = backoff
        self._metrics = metrics
        self._on_silence = on_silence
        self._full_wanted: set[str] = set()
        self._unannounced: set[str] = set()
        self._comparisons: dict[str, StateComparison] = {}
        self._is_anything_notified = False

    def begin_term(self, *, is_fresh: bool, is_after_outage: bool = False) -> None:
        """Take up where the records stand.

        Args:
            is_fresh: this process has just begun, and the service may have been down: everything is swept.
            is_after_outage: it was down, so what is found now was announced to nobody.
        """
        self._full_wanted.clear()
        self._unannounced = set(self._watch.resources) if is_after_outage else set()
        self._comparisons.clear()
        self._is_anything_notified = False
        now = self._clock.now()
        for name, resource in self._watch.resources.items():
            record = self._ledger.mailboxes.get(name)
            if record is not None or name in self._ledger.subscriptions:  # else its creation brings it about
                due_at = now if is_fresh or record is None else self._next_due(name, resource, record)
                self._schedule.set(reading_of(resource, name), due_at)

    def ask_full(self, name: str) -> Duty:
        """Have a resource read from the beginning, soon; a round under way does not count."""
        self._full_wanted.add(name)
        return self.ask_round(name)

    def ask_round(self, name: str, *, is_after_outage: bool = False) -> Duty:
        """Have what changed in a resource read, soon; after an outage none of it counts as not announced."""
        if is_after_outage:
            self._unannounced.add(name)
        duty = reading_of(self._watch.resources[name], name)
        self._schedule.bring_forward(duty, self._clock.now())
        return duty

    # --- the duty ---

    async def read(self, name: str) -> bool:
        """Take one turn of a resource's round; tells whether the round is complete."""
        resource = self._watch.resources.get(name)
        if resource is None:
            return True
        before = await self._prepare(name)
        turn = await self._rounds.take_turn(
            resource,
            before,
            full_origin=self._choose_full_origin(name),
            sweep_origin=self._choose_sweep_origin(name),
            save=lambda record: self._save(name, record),
            compare=self._comparison_of(name, resource),
        )
        if not turn.is_complete:
            self._schedule.bring_forward(reading_of(resource, name), self._clock.now())
            return False
        await self._end_round(name, resource, before, turn)
        return True

    async def _prepare(self, name: str) -> MailboxRecord:
        """Give the record from which the turn goes on; a wish to read everything is written down first."""
        record = self._ledger.mailboxes.get(name, MailboxRecord())
        if name in self._full_wanted or self._is_owed(name, record):
            self._full_wanted.discard(name)
            self._comparisons.pop(name, None)
            record = replace(record, round=None, is_full_wanted=True)
            await self._save(name, record)
            return record
        if record.full_at is not None and self._clock.now() >= self._full_due(name, record.full_at):
            return replace(record, is_full_wanted=True)
        return record

    def _is_owed(self, name: str, record: MailboxRecord) -> bool:
        """Tell whether somebody was added since it was last begun to read the resource from the beginning."""
        under_way = record.round if record.round is not None and record.round.is_full else None
        began_at = record.full_at if under_way is None else under_way.started_at
        if began_at is None:
            return False  # the first round is a full one
        return any(began_at < added_at for added_at in self._list_added(name))

    def _list_added(self, name: str) -> Iterator[datetime]:
        """Give when each owner was added whose baseline is not done."""
        for key in self._watch.owners_of(name):
            owner = self._ledger.owners.get(key)
            progress = self._ledger.progress.get(owner.roster_address) if owner is not None else None
            if owner is not None and progress is not None and not owner.is_baselined:
                yield progress.added_at

    def _choose_full_origin(self, name: str) -> Origin:
        owners = (self._ledger.owners.get(key) for key in self._watch.owners_of(name))
        is_settled = all(owner is not None and owner.is_baselined for owner in owners)
        return self._choose_sweep_origin(name) if is_settled else Origin.BASELINE

    def _choose_sweep_origin(self, name: str) -> Origin:
        record = self._ledger.mailboxes.get(name, MailboxRecord())
        is_due = is_notification_due(record, self._ledger.subscriptions.get(name))
        return Origin.SWEEP if is_due and name not in self._unannounced else Origin.CATCH_UP

    def _comparison_of(self, name: str, resource: WatchedResource) -> Comparison | None:
        """Hold a full round of a calendar against the state.

        The first one too: an answer may have made a meeting known that ended before the calendar was read.
        """
        if resource.kind is not ResourceKind.CALENDAR:
            return None
        if name not in self._comparisons:
            self._comparisons[name] = StateComparison(
                states=self._states,
                owner=OwnerKey(resource.mailbox),
                clock=self._clock,
                window=self._window,
                origin=self._choose_sweep_origin(name),
            )
        return self._comparisons[name].take_page

    async def _save(self, name: str, record: MailboxRecord) -> None:
        if name not in self._watch.resources:
            raise FencedError("the resource is not watched any more")
        await self._ledger.write_mailbox(name, record)

    # --- after a round ---

    async def _end_round(
        self, name: str, resource: WatchedResource, before: MailboxRecord, turn: Turn
    ) -> None:
        self._comparisons.pop(name, None)
        self._unannounced.discard(name)
        self._metrics.round_ended(resource=resource.kind, is_full=turn.was_full, items=turn.found)
        judged = await self._judge(name, self._find_changed_after(resource, before), turn)
        if judged != turn.record:
            await self._save(name, judged)
        if judged.is_silent and judged.unheard_since is None and turn.record.unheard_since is not None:
            _log.error("subscription.fell_silent", resource=name)
            self._on_silence(name)
        self._schedule.bring_forward(reading_of(resource, name), self._next_due(name, resource, judged))
        if turn.was_full or turn.found:
            _log.info("mailbox.read", resource=name, is_full=turn.was_full, found=turn.found)
        await self.mark_baselines(self._watch.owners_of(name))

    def _find_changed_after(self, resource: WatchedResource, before: MailboxRecord) -> datetime | None:
        """Give since when what a round found may have changed; None before the first round."""
        if before.complete_at is None or not is_listed(resource):
            return before.complete_at
        return before.complete_at - timedelta(seconds=self._window.overlap_s)

    async def _judge(self, name: str, changed_after: datetime | None, turn: Turn) -> MailboxRecord:
        """Clear the fault, and judge whether notifications stay away, where that is in question."""
        record = replace(turn.record, fault=None)
        held = self._ledger.subscriptions.get(name)
        if held is not None and held.deleted_at is not None:
            return replace(record, unheard_since=None, unheard_noticed_at=None, is_silent=False)
        has_found = turn.found > 0 and not turn.was_full
        if not (has_found or record.unheard_since or record.is_silent):
            return record
        if not await self._are_notifications_noted():
            return record  # so silence means nothing
        text = await self._ledger.read_notified(held.id) if held is not None and held.id else ""
        return judge_silence(
            record,
            changed_after=changed_after,
            has_found=has_found,
            heard_at=parse_instant(text).to_datetime() if text else None,
            now=self._clock.now(),
            limits=self._limits.silence,
        )

    async def _are_notifications_noted(self) -> bool:
        """Tell whether somebody notes notifications down; the whole book is read until one did."""
        if not self._is_anything_notified:
            self._is_anything_notified = await self._ledger.is_anything_notified()
        return self._is_anything_notified

    def _next_due(self, name: str, resource: WatchedResource, record: MailboxRecord) -> datetime:
        """Give when a resource is next read: each has its own place, so that rounds part ways.

        Calendars come first, for they bring their owner's inboxes along.
        """
        if record.fault is not None:
            return record.fault.retry_at
        if record.round is not None or record.complete_at is None:
            return self._clock.now()
        first = 0.8 if resource.kind is ResourceKind.CALENDAR else 0.9
        place = first + 0.1 * spread(f"{name}@{record.complete_at.timestamp()}")
        return record.complete_at + timedelta(seconds=self._limits.sweep_interval_s * place)

    def _full_due(self, name: str, full_at: datetime) -> datetime:
        place = 0.8 + 0.2 * spread(f"{name}@full")
        return full_at + timedelta(seconds=self._limits.full_resync_s * place)

    async def note_failure(self, name: str, error: ServiceError) -> None:
        """Write down why a resource could not be read, and when it is tried again."""
        resource = self._watch.resources.get(name)
        if resource is None:
            return
        before = self._ledger.mailboxes.get(name, MailboxRecord())
        now = self._clock.now()
        fault = build_fault(error, before.fault, subject=name, now=now, backoff=self._backoff)
        await self._save(name, replace(before, fault=fault))
        self._schedule.set(reading_of(resource, name), fault.retry_at)
        _log.warning("mailbox.read_failed", resource=name, fault=str(fault.kind), words=fault.words)
        if fault.kind.is_of_mailbox:
            await self.mark_baselines(self._watch.owners_of(name))

    # --- the baseline of an owner ---

    async def mark_baselines(self, owners: frozenset[OwnerKey]) -> None:
        """Append the mark after the baseline of each owner whose resources have all been read."""
        for key in sorted(owners):
            owner = self._ledger.owners.get(key)
            if owner is not None and not owner.is_baselined:
                await self._mark_baseline(owner)

    async def _mark_baseline(self, owner: WatchedOwner) -> None:
        progress = self._ledger.progress.get(owner.roster_address)
        if progress is None or not self._is_baseline_fed(owner.key, progress):
            return
        now = self._clock.now()
        again = timedelta(seconds=self._limits.mark_again_s)
        if progress.marked_at is not None and now - progress.marked_at < again:
            return
        await self._intake.append([build_mark(owner.key, progress, now)])
        await self._ledger.write_progress(owner.roster_address, replace(progress, marked_at=now))

    def _is_baseline_fed(self, owner: OwnerKey, progress: OwnerProgress) -> bool:
        """Tell whether every resource of the owner that can be read has been, since they were added."""
        names = self._watch.names_of(owner)
        records = [self._ledger.mailboxes.get(name, MailboxRecord()) for name in names]
        return bool(names) and all(
            (record.full_at is not None and record.full_at >= progress.added_at)
            or (record.fault is not None and record.fault.kind.is_of_mailbox)
            for record in records
        )


def build_mark(owner: OwnerKey, progress: OwnerProgress, now: datetime) -> IntakeEntry:
    """Give the entry that follows the last one of an owner's baseline.

    Entries of an owner are worked off in order, so when it has come back all before it are done.
    """
    return IntakeEntry(
        kind=Kind.LIFECYCLE,
        origin=Origin.BASELINE,
        lifecycle=RequestKind.BASELINED,
        mailbox=MailboxKey(owner),
        owner=owner,
        item=name_mark(progress),
        arrived_at=instant_of(now).text,
    )


def name_mark(progress: OwnerProgress) -> str:
    """Tell one baseline of an owner from a later one."""
    return instant_of(progress.added_at).text
