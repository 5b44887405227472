"""Hand-made stand-ins for what the pipeline needs from outside, with the promises of the ports."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from service.entries import IntakeEntry
from service.errors import ConflictingVersionError, GoneError, StreamError
from service.pipeline.outcomes import Processed
from service.ports import Commit, Committed, Delivered, Look, StoredMeeting
from service.reconcile.instant import Instant
from service.reconcile.model import (
    CalendarEvent,
    EventId,
    EventType,
    InstanceKey,
    MailboxKey,
    MeetingKey,
    MeetingResponse,
    MessageId,
    OwnerKey,
)
from service.roster import WatchList


class StillClock:
    """Time that moves only when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        await asyncio.sleep(0)


@dataclass
class MemoryStates:
    """State of meetings in a dictionary; counts readings.

    Before one is taken, `outages` commits are refused, and `races` lost.
    """

    outages: int = 0
    races: int = 0
    reads: int = 0
    meetings: dict[tuple[str, str], StoredMeeting] = field(default_factory=dict)
    published: list[Mapping[str, str]] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    event_ids: dict[tuple[str, str], tuple[MeetingKey, InstanceKey]] = field(default_factory=dict)
    gone: set[tuple[OwnerKey, EventId]] = field(default_factory=set)

    async def read(self, owner: OwnerKey, meeting: MeetingKey) -> StoredMeeting:
        self.reads += 1
        return self._held(owner, meeting)

    def _held(self, owner: OwnerKey, meeting: MeetingKey) -> StoredMeeting:
        return self.meetings.get((owner, meeting), StoredMeeting(fields={}, version=0, epoch=None))

    async def commit(self, commit: Commit) -> Committed:
        stored = self._held(commit.owner, commit.meeting)
        if self.outages > 0:
            self.outages -= 1
            raise StreamError("away")
        if self.races > 0:
            self.races -= 1
            raise ConflictingVersionError("lost a race")
        if stored.version != commit.expected_version:
            raise ConflictingVersionError("version moved")
        fields = {**stored.fields, **commit.set_fields}
        for name in commit.drop_fields:
            fields.pop(name, None)
        after = StoredMeeting(fields=fields, version=stored.version + 1, epoch=stored.epoch or 1)
        self.meetings[commit.owner, commit.meeting] = after
        self.commits.append(commit)
        self.published += [update.fields for update in commit.updates]
        for event, instance in commit.event_ids.items():
            self.event_ids[commit.owner, event] = (commit.meeting, instance)
        return Committed(
            version=after.version, epoch=1, stream_ids=tuple(f"{n}-0" for n in range(len(commit.updates)))
        )

    async def find_event(self, owner: OwnerKey, event: EventId) -> tuple[MeetingKey, InstanceKey] | None:
        return self.event_ids.get((owner, event))

    async def note_gone(self, owner: OwnerKey, event: EventId) -> None:
        self.gone.add((owner, event))

    async def was_gone(self, owner: OwnerKey, event: EventId) -> bool:
        return (owner, event) in self.gone

    async def list_meetings(self, owner: OwnerKey) -> tuple[MeetingKey, ...]:
        return tuple(MeetingKey(meeting) for key, meeting in sorted(self.meetings) if key == owner)

    async def forget_owner(self, owner: OwnerKey, *, fence: int) -> int:
        mine = [key for key in self.meetings if key[0] == owner]
        for key in mine:
            del self.meetings[key]
        return len(mine)

    async def admit_owner(self, owner: OwnerKey, *, fence: int) -> None:
        raise AssertionError("the worker admits nobody")

    def said(self) -> list[str]:
        """Give the published updates as `type subject`."""
        return [
            f"{fields['type'].removeprefix('responsesync.')} {fields.get('subject', '')}".strip()
            for fields in self.published
        ]


@dataclass
class MemoryReader:
    """Mailboxes and calendars in dictionaries; what is not there is gone. Counts what was asked for.

    Which events are `untallied` is told without counting, for all but a few tests are about other reads.
    With a `gate`, events are given only once that is set.
    """

    at: Instant
    messages: dict[tuple[str, str], MeetingResponse | None] = field(default_factory=dict)
    events: dict[tuple[str, str], CalendarEvent] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    untallied: set[str] = field(default_factory=set)
    asked_for_calendar: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def fetch_message(self, mailbox: MailboxKey, message: MessageId) -> MeetingResponse | None:
        self._note(f"message {message}")
        try:
            return self.messages[mailbox, message]
        except KeyError as error:
            raise GoneError("no such message", status=404) from error

    async def fetch_event(self, owner: OwnerKey, event: EventId) -> CalendarEvent:
        self._note(f"event {event}")
        if self.gate is not None:
            await self.gate.wait()
        try:
            return self.events[owner, event]
        except KeyError as error:
            raise GoneError("no such event", status=404) from error

    async def is_tallied(self, owner: OwnerKey, event: EventId) -> bool:
        self.asked_for_calendar.append(event)
        return event not in self.untallied

    async def find_meeting(self, owner: OwnerKey, meeting: MeetingKey) -> Look:
        self._note(f"meeting {meeting}")
        return self._look(owner, meeting, InstanceKey(""))

    async def find_instance(self, owner: OwnerKey, series: EventId, instance: InstanceKey, zone: str) -> Look:
        self._note(f"instance {instance}")
        master = await self.fetch_event(owner, series)
        if master.details.type is not EventType.SERIES:
            raise GoneError("the series has become a single meeting")
        return self._look(owner, master.meeting, instance)

    async def find_unnamed(self, owner: OwnerKey, meeting: MeetingKey, at: Instant) -> Look:
        self._note(f"unnamed {meeting}")
        found = [
            event
            for (key, _), event in self.events.items()
            if key == owner and event.is_unnamed and event.global_id == meeting and event.slot.start == at.ns
        ]
        return Look(events=tuple(found), at=self.at)

    def _look(self, owner: OwnerKey, meeting: MeetingKey, instance: InstanceKey) -> Look:
        found = [
            event
            for (key, _), event in self.events.items()
            if key == owner and event.meeting == meeting and event.instance == instance
        ]
        return Look(events=tuple(found), at=self.at)

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.errors:
            raise self.errors.pop(0)


@dataclass
class MemoryIntake:
    """An intake stream in lists; a read waits for nothing."""

    waiting: list[Delivered] = field(default_factory=list)
    claimable: list[Delivered] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    dead: list[tuple[str, str]] = field(default_factory=list)
    buried: list[Delivered] = field(default_factory=list)
    deferred: list[tuple[IntakeEntry, datetime]] = field(default_factory=list)
    appended: list[IntakeEntry] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    given_back: list[str] = field(default_factory=list)
    acknowledge_errors: list[Exception] = field(default_factory=list)

    async def append(self, entries: Sequence[IntakeEntry]) -> None:
        self.appended += entries

    async def read(self, consumer: str, *, count: int, block_s: float) -> tuple[Delivered, ...]:
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return tuple(taken)

    async def claim(self, consumer: str, *, idle_s: float, count: int) -> tuple[Delivered, ...]:
        taken, self.claimable = self.claimable[:count], self.claimable[count:]
        return tuple(taken)

    async def give_back(self, consumer: str, entries: Sequence[Delivered]) -> None:
        self.given_back += [entry.id for entry in entries]
        self.claimable += entries

    async def acknowledge(self, ids: Sequence[str]) -> None:
        if self.acknowledge_errors:
            raise self.acknowledge_errors.pop(0)
        self.acknowledged += ids

    async def dead_letter(self, entry: Delivered, *, reason: str, detail: str, at: datetime) -> None:
        self.dead.append((entry.id, reason))
        self.buried.append(entry)
        self.acknowledged.append(entry.id)

    async def defer(self, entry: Delivered, retry: IntakeEntry, *, due_at: datetime) -> None:
        self.deferred.append((retry, due_at))
        self.acknowledged.append(entry.id)

    async def release_due(self, now: datetime, *, count: int) -> int:
        return 0

    async def forget_dead_letters(self, names: Collection[str]) -> int:
        raise AssertionError("the worker forgets nobody")

    async def find_last_id(self) -> str:
        return self.waiting[-1].id if self.waiting else "0-0"


@dataclass
class StillWatching:
    """A watch list that never changes."""

    watch: WatchList

    def current(self) -> WatchList:
        return self.watch

    async def refresh(self) -> None:
        await asyncio.sleep(0)


@dataclass
class NotedDesk:
    """Keeps the lifecycle entries it was given."""

    entries: list[IntakeEntry] = field(default_factory=list)

    async def handle_lifecycle(self, entry: IntakeEntry) -> None:
        self.entries.append(entry)


@dataclass
class NotedMetrics:
    """Keeps what was counted."""

    endings: list[str] = field(default_factory=list)
    failures: list[tuple[str, bool]] = field(default_factory=list)

    def entry_processed(self, entry: IntakeEntry, processed: Processed, *, duration_s: float) -> None:
        self.endings.append(str(processed.ending))

    def entry_deferred(self, *, error: str) -> None:
        self.failures.append((error, False))

    def entry_dead_lettered(self, *, reason: str) -> None:
        self.failures.append((reason, True))

    def in_flight(self, *, count: int) -> None: ...
