"""What the loops need of Redis, as Protocols and plain values; `service/streams` implements it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from service.entries import IntakeEntry
from service.reconcile.model import (
    Address,
    EventId,
    InstanceKey,
    MeetingKey,
    OwnerKey,
)

# --- intake stream and due list ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """An entry as the consumer group gave it.

    Attributes:
        deliveries: how often it was handed out, this time included.
    """

    id: str
    fields: Mapping[str, str]
    deliveries: int = 1


class IntakeStream(Protocol):
    """The one way in. Every method raises `StreamError`."""

    async def append(self, entries: Sequence[IntakeEntry]) -> None:
        """Append all, in order, atomically."""

    async def read(self, consumer: str, *, count: int, block_s: float) -> tuple[Delivered, ...]:
        """Give entries that nobody had yet; waits at most `block_s`."""

    async def claim(self, consumer: str, *, idle_s: float, count: int) -> tuple[Delivered, ...]:
        """Take over entries that another consumer left pending for so long."""

    async def give_back(self, consumer: str, entries: Sequence[Delivered]) -> None:
        """Let a handing out not count that an outage brought to nothing; they are taken over again later."""

    async def acknowledge(self, ids: Sequence[str]) -> None:
        """Take entries off the stream: they are done."""

    async def dead_letter(self, entry: Delivered, *, reason: str, detail: str, at: datetime) -> None:
        """Move an entry to the dead letters, then acknowledge it."""

    async def defer(self, entry: Delivered, retry: IntakeEntry, *, due_at: datetime) -> None:
        """Put the retry into the durable due list, then acknowledge the entry."""

    async def release_due(self, now: datetime, *, count: int) -> int:
        """Append what has come due (retries and timers) to the intake stream; gives how many."""

    async def find_last_id(self) -> str:
        """Give the id of the last entry on the stream; `0-0` where there is none."""

    async def forget_dead_letters(self, names: Collection[str]) -> int:
        """Delete the dead letters about any of these owners or mailboxes; gives how many."""


# --- state of meetings ---


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMeeting:
    """State of one meeting as flat text fields; no fields and version 0 where there is none.

    Attributes:
        epoch: Redis time in ms when the state was born; None before the first commit, and where there are
            fields, because the state was found to be an older one: all has to be said once more.
    """

    fields: Mapping[str, str]
    version: int
    epoch: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingUpdate:
    """One entry for the update stream, all but `epoch`, `sequence` and `id`, which the commit gives it.

    Attributes:
        instance: with the meeting, the source within which the sequence counts.
    """

    instance: InstanceKey
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerChange:
    """A timer to set, or to end where `due_at` is None.

    Attributes:
        pair: text that comes back in the `due` entry.
    """

    instance: InstanceKey
    attendee: Address
    due_at: datetime | None
    pair: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """All that one step changes, to be applied at once or not at all.

    Attributes:
        expected_version: of the state from which this was derived.
        set_fields, drop_fields: of the meeting's state.
        looks: events to be read once more, each with when.
        event_ids: Graph's event id -> instance, so that a later removal finds its meeting.
        expires_at: when the state is forgotten; None keeps it.
    """

    owner: OwnerKey
    meeting: MeetingKey
    expected_version: int
    set_fields: Mapping[str, str] = field(default_factory=dict)
    drop_fields: Sequence[str] = ()
    updates: Sequence[OutgoingUpdate] = ()
    timers: Sequence[TimerChange] = ()
    looks: Mapping[EventId, datetime] = field(default_factory=dict)
    event_ids: Mapping[EventId, InstanceKey] = field(default_factory=dict)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit gave: the new version, the epoch, and the stream ids of the updates in order."""

    version: int
    epoch: int
    stream_ids: tuple[str, ...]


class StateStore(Protocol):
    """State of meetings. Every method raises `StreamError`."""

    async def read(self, owner: OwnerKey, meeting: MeetingKey) -> StoredMeeting:
        """Give the state."""

    async def commit(self, commit: Commit) -> Committed:
        """Write state, timers and updates in one atomic step.

        Raises:
            ConflictingVersionError: somebody committed first.
            GenerationMissingError: the state was lost.
            OwnerForgottenError: the owner was forgotten, and not admitted again.
        """

    async def find_event(self, owner: OwnerKey, event: EventId) -> tuple[MeetingKey, InstanceKey] | None:
        """Tell to which meeting and instance an event id belonged; None where it was never committed."""

    async def note_gone(self, owner: OwnerKey, event: EventId) -> None:
        """Remember for a while that an event was not found."""

    async def was_gone(self, owner: OwnerKey, event: EventId) -> bool:
        """Tell whether `note_gone` was told of the event a while ago."""

    async def list_meetings(self, owner: OwnerKey) -> tuple[MeetingKey, ...]:
        """Give every meeting of the owner that has state, in order."""

    async def forget_owner(self, owner: OwnerKey, *, fence: int) -> int:
        """Delete every key that names the owner, and take no commit for them; gives how many meetings.

        Raises:
            FencedError: a later leader admitted the owner again.
        """

    async def admit_owner(self, owner: OwnerKey, *, fence: int) -> None:
        """Take commits for an owner again.

        Raises:
            FencedError: a later leader has forgotten the owner.
        """


# --- records, lease ---


class Book(StrEnum):
    """The books of records: name -> text, each a Redis hash."""

    ROSTER = "roster"
    OWNERS = "owners"
    SUBSCRIPTIONS = "subscriptions"
    MAILBOXES = "mailboxes"
    REQUESTS = "requests"
    NOTIFIED = "notified"
    OUTAGES = "outages"
    SIGN_INS = "sign-ins"


class Records(Protocol):
    """Small records by name, and a counter by which readers notice that a book changed."""

    async def read_all(self, book: Book) -> dict[str, str]:
        """Give all records of a book; may be empty."""

    async def read(self, book: Book, names: Sequence[str]) -> dict[str, str]:
        """Give those of these records that there are."""

    async def write(self, book: Book, records: Mapping[str, str], *, fence: int | None = None) -> None:
        """Write these records and raise the book's counter, atomically.

        Args:
            fence: the fencing number under which the caller writes; None for writers without a lease.

        Raises:
            FencedError: the lease was given to another since; nothing was written.
        """

    async def drop(self, book: Book, names: Sequence[str], *, fence: int | None = None) -> None:
        """Delete these records and raise the book's counter, atomically; fenced as `write` is."""

    async def read_counter(self, book: Book) -> int:
        """Give the book's counter: it differs after every change."""


class Lease(Protocol):
    """One holder at a time, by Redis' clock."""

    async def acquire(self, holder: str, *, duration_s: float) -> int | None:
        """Take or extend the lease; gives the fencing number, None where another holds it."""

    async def release(self, holder: str) -> None:
        """Give it back, if it is ours."""


class Generation(Protocol):
    """The mark that the state is the one we wrote. Missing after FLUSHALL or an empty restart."""

    @property
    def led_at(self) -> datetime | None:
        """When a keeper last led, by the state as it was last looked at; None where none ever did."""

    async def ensure(self, *, meanwhile: Callable[[], Awaitable[object]] | None = None) -> bool:
        """Write the mark where it is missing, ending epochs of an older state; tells whether it was.

        Args:
            meanwhile: called now and then while that takes its time.
        """

    async def exists(self, *, led_at: datetime | None = None) -> bool:
        """Tell whether every partition has its mark; a state older than what was seen loses it.

        Args:
            led_at: the time by the clock of the keeper that leads; None asks only.
        """

    async def disown(self) -> None:
        """Take the mark away: it is known in another way that the state is an older one."""
