"""What the loops (pipeline, subscriptions, web) need from outside, as Protocols and plain values.

`graph`, `streams` and `intake` implement these and do not know one another; only `bootstrap.py` joins them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from service.entries import IntakeEntry
from service.reconcile.instant import Instant
from service.reconcile.model import (
    Address,
    CalendarEvent,
    EventId,
    InstanceKey,
    MailboxKey,
    MeetingKey,
    MeetingResponse,
    MessageId,
    OwnerKey,
)

# --- Graph: reading ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look into a calendar found.

    Attributes:
        events: may be empty; only then the meeting or occurrence is not there.
        at: the `Date` of the answer.
    """

    events: tuple[CalendarEvent, ...]
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An item as its notification carried it; None for a message that is no response."""

    item: MeetingResponse | CalendarEvent | None


class NotifiedReader(Protocol):
    """Reads items out of the notifications that carried them."""

    async def read(self, entry: IntakeEntry) -> Told | None:
        """Give the item; None where it has to be fetched.

        Raises:
            ForgedError: somebody else than Graph sent the notification.
            SigningKeysError, StreamError: whether Graph did cannot be told now.
        """


class MailboxReader(Protocol):
    """Reads messages and events, one at a time. Every method raises `GraphError` and `TokenError`."""

    async def fetch_message(self, mailbox: MailboxKey, message: MessageId) -> MeetingResponse | None:
        """Give the response; None where the message is no response to a meeting.

        Raises:
            GoneError: the message is not in the mailbox any more.
        """

    async def fetch_event(self, owner: OwnerKey, event: EventId) -> CalendarEvent:
        """Give the event.

        Raises:
            GoneError: Graph does not find it; that alone proves nothing.
        """

    async def find_meeting(self, owner: OwnerKey, meeting: MeetingKey) -> Look:
        """Look for a single meeting or series master by its iCalUId, over all calendars of the owner."""

    async def find_unnamed(self, owner: OwnerKey, meeting: MeetingKey, at: Instant) -> Look:
        """Look for events of that global object id which show no iCalUId, among what takes place then."""

    async def find_instance(self, owner: OwnerKey, series: EventId, instance: InstanceKey, zone: str) -> Look:
        """Look for the occurrence or exception of that original date.

        Args:
            zone: IANA zone of the series, in which `instance` is a date.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaItem:
    """One item of a delta page.

    Attributes:
        id: as Graph gave it.
        is_removed: `@removed` was present.
        is_event_message: the message is of a meeting kind; always true for events.
        sent_at: when a message was sent; None where unknown.
        event_type: Graph's `type` of an event; empty where the item is sparse, and for messages.
        series_master_id: of occurrences and exceptions; empty otherwise.
    """

    id: str
    is_removed: bool
    is_event_message: bool
    sent_at: Instant | None
    etag: str = ""
    event_type: str = ""
    series_master_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaPage:
    """One page of a delta query; exactly one of the links is set. The last page of a plain list has neither.

    Attributes:
        at: the `Date` of the answer.
    """

    items: tuple[DeltaItem, ...]
    next_link: str | None
    delta_link: str | None
    at: Instant


class DeltaReader(Protocol):
    """Lists changes since a point. Raises `DeltaExpiredError` where the round must start again."""

    async def start_inbox(self, mailbox: MailboxKey, *, received_since: datetime) -> DeltaPage:
        """Begin a round over the inbox, bounded by the time of arrival."""

    async def list_messages(self, mailbox: MailboxKey, *, received_since: datetime) -> DeltaPage:
        """Begin a list over all folders of a mailbox, Deleted Items too; a delta query sees one folder."""

    async def start_calendar(self, owner: OwnerKey, *, start: datetime, end: datetime) -> DeltaPage:
        """Begin a round over the calendar view between two instants."""

    async def follow(self, mailbox: MailboxKey, link: str, *, is_list: bool = False) -> DeltaPage:
        """Get the page behind a nextLink or deltaLink, on the configured Graph host only.

        Args:
            is_list: the link came from `list_messages`.

        Raises:
            RefusedError: the link points to another host.
        """


# --- Graph: people ---


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryPerson:
    """A person of the directory; `aliases` holds every address in normal form."""

    key: MailboxKey
    address: str
    name: str
    aliases: tuple[Address, ...]


class DeliveryOption(StrEnum):
    """Source: https://learn.microsoft.com/graph/api/resources/mailboxsettings"""

    DELEGATE_ONLY = "sendToDelegateOnly"
    DELEGATE_AND_INFORMATION = "sendToDelegateAndInformationToPrincipal"
    DELEGATE_AND_PRINCIPAL = "sendToDelegateAndPrincipal"


class Directory(Protocol):
    """Who somebody is, who their delegates are, and where meeting messages go."""

    async def find_person(self, address: str) -> DirectoryPerson:
        """Give the person of that address or object id.

        Raises:
            GoneError: nobody has it.
            AccessError: the directory may not be read.
        """

    async def fetch_delegates(self, owner: MailboxKey) -> tuple[Address, ...]:
        """Give the addresses of all who have a delegate role on the owner's calendar; may be empty."""

    async def fetch_delivery_option(self, owner: MailboxKey) -> DeliveryOption:
        """Tell where the owner's meeting messages go."""


# --- Graph: subscriptions ---


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionSpec:
    """A subscription to be made.

    Attributes:
        certificate, certificate_id: for rich notifications; empty otherwise.
        mailbox: whose it is; where that person has signed in, it is made in their name.
    """

    resource: str
    change_type: str
    notification_url: str
    lifecycle_url: str
    client_state: str
    expires_at: datetime
    certificate: str = ""
    certificate_id: str = ""
    mailbox: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSubscription:
    """A subscription as Graph holds it. The client state is never given back."""

    id: str
    resource: str
    change_type: str
    notification_url: str
    lifecycle_url: str
    expires_at: datetime
    certificate_id: str = ""


class SubscriptionApi(Protocol):
    """Graph's subscriptions of this application.

    Source: https://learn.microsoft.com/graph/api/resources/subscription
    """

    async def list_subscriptions(self) -> tuple[GraphSubscription, ...]:
        """Give all that this application holds in the tenant, whatever made them."""

    async def create_subscription(self, spec: SubscriptionSpec) -> GraphSubscription:
        """Make one; the handshake happens before this returns.

        Raises:
            ConflictError: there is one for the same resource and change type.
            RefusedError: the handshake failed, or the lifetime is too long.
        """

    async def renew_subscription(
        self, subscription_id: str, expires_at: datetime, *, certificate: str = "", certificate_id: str = ""
    ) -> GraphSubscription:
        """Move the end, and with a certificate to other keys; reauthorizes too.

        Raises:
            GoneError: it has ended.
        """

    async def delete_subscription(self, subscription_id: str) -> None:
        """End it; already ended is fine."""


# --- Redis: intake stream and due list ---


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


# --- Redis: state of meetings ---


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

    async def list_meetings(self, owner: OwnerKey) -> tuple[MeetingKey, ...]:
        """Give every meeting of the owner that has state, in order."""

    async def forget_owner(self, owner: OwnerKey) -> int:
        """Delete every key that names the owner, and take no commit for them; gives how many meetings."""

    async def admit_owner(self, owner: OwnerKey) -> None:
        """Take commits for an owner again."""


# --- Redis: records, lease ---


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
