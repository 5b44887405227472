"""What the loops need of Graph, as Protocols and plain values; `service/graph` implements it."""

from __future__ import annotations

from dataclasses import dataclass
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

# --- reading ---


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

    async def is_tallied(self, owner: OwnerKey, event: EventId) -> bool:
        """Tell whether the event lies in a calendar in which Exchange writes answers onto events."""

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
    """One page of a delta query or of a plain list.

    Of a delta query exactly one of the links is set: `delta_link` on the last page. A plain list has no
    `delta_link`, and on its last page neither.

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


# --- people ---


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


# --- subscriptions ---


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
