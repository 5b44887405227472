"""What the keeper writes down, as values and as the text in which they are kept. No I/O.

Only the keeper that holds the lease writes these; everybody may read them. Nothing here may ever hold a
client state, an access token or a word of a mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from service.entries import Origin
from service.reconcile.model import Address, OwnerKey

_OWNER_PREFIX: Final = "owner/"


class FaultKind(StrEnum):
    """Why something of a mailbox does not work; the first five do not go away by themselves."""

    ACCESS = "access"
    ABSENT = "absent"
    QUOTA = "quota"
    REFUSED = "refused"
    SIGN_IN = "sign-in"
    HANDSHAKE = "handshake"
    CREDENTIAL = "credential"
    PASSING = "passing"

    @property
    def is_of_mailbox(self) -> bool:
        """Tell whether the mailbox itself cannot be watched, so that readiness does not wait for it."""
        return self in _OF_MAILBOX


_OF_MAILBOX: Final = frozenset(
    {FaultKind.ACCESS, FaultKind.ABSENT, FaultKind.QUOTA, FaultKind.REFUSED, FaultKind.SIGN_IN}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that stands, and when it is tried again.

    Attributes:
        words: what is wrong and what to do, one or two sentences.
        attempts: how many tries failed in a row; at least 1.
        since: when the first of them failed.
    """

    kind: FaultKind
    words: str
    attempts: int
    since: datetime
    retry_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRecord:
    """A resource's subscription as we know it; without an id where there is none yet.

    Attributes:
        lifetime_s: what Graph granted, reckoned from the moment of asking; 0 where there is none.
        created_at: when we made or adopted it.
        renewed_at: when it was last renewed; None before the first time.
        client_state_tag: digest of the client state, to notice that SECRET_KEY changed.
        deleted_at: when an operator ended it; none is made until one is asked for. None otherwise.
    """

    id: str = ""
    expires_at: datetime | None = None
    lifetime_s: float = 0.0
    created_at: datetime | None = None
    renewed_at: datetime | None = None
    client_state_tag: str = ""
    certificate_id: str = ""
    fault: Fault | None = None
    deleted_at: datetime | None = None

    def is_alive(self, now: datetime) -> bool:
        """Tell whether notifications can be expected."""
        return bool(self.id) and self.expires_at is not None and self.expires_at > now


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFound:
    """An event message that a round found, kept until the round ends and all can be put in order.

    Attributes:
        sent_ns: when it was sent, as `Instant.ns`; 0 where unknown.
    """

    id: str
    sent_ns: int
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A delta round under way: enough to go on after a crash.

    Attributes:
        is_full: began without a delta link.
        started_at: when its first page was asked for; what changed before is in it.
        link: the page to be asked for next; empty before the first.
        pages, items: how much has come, for progress.
        messages: found so far; empty for calendars, whose pages are fed as they come.
    """

    is_full: bool
    origin: Origin
    started_at: datetime
    link: str = ""
    pages: int = 0
    items: int = 0
    messages: tuple[MessageFound, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxRecord:
    """How far a resource has been read.

    Attributes:
        delta_link: of the last complete round; empty before the first and after it expired.
        complete_at: start of the last complete round: all changes before it have been fed.
        full_at: start of the last complete full round; None before the first.
        round: the one under way, if any.
        is_full_wanted: the next round is to be a full one.
        unheard_since: things changed after this and no notification came yet; None where none is missed.
        unheard_noticed_at: when that was noticed.
        is_silent: notifications stay away although things change.
        fault: why it cannot be read.
    """

    delta_link: str = ""
    complete_at: datetime | None = None
    full_at: datetime | None = None
    round: Round | None = None
    is_full_wanted: bool = False
    unheard_since: datetime | None = None
    unheard_noticed_at: datetime | None = None
    is_silent: bool = False
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerProgress:
    """How far we are with one entry of the roster.

    Attributes:
        key: of the owner; None while nobody could be found.
        asked: the roster entry that was looked up last, as it is kept; tells whether it changed since.
        looked_up_at: when that was.
        added_at: rounds that began before this do not count as the owner's baseline.
        marked_at: when the mark that ends the baseline was appended to the intake stream.
        removed_at: when the entry was seen to have left the roster; the owner is being forgotten.
        fault: why the entry could not be resolved.
    """

    added_at: datetime
    key: OwnerKey | None = None
    asked: str = ""
    looked_up_at: datetime | None = None
    marked_at: datetime | None = None
    removed_at: datetime | None = None
    fault: Fault | None = None


class RequestKind(StrEnum):
    """What the leading keeper can be asked for.

    The first three are Graph's lifecycle notifications; `baselined` comes from the worker, when it has done
    the last entry of an owner's baseline, `webReturned` from web that was away; the rest are an operator's.
    """

    MISSED = "missed"
    REMOVED = "subscriptionRemoved"
    REAUTHORIZE = "reauthorizationRequired"
    BASELINED = "baselined"
    WEB_RETURNED = "webReturned"
    RESYNC = "resync"
    RENEW = "renew"
    RECREATE = "recreate"
    DELETE = "delete"

    @property
    def is_operators(self) -> bool:
        """Tell whether somebody waits for the outcome, so that it is written down."""
        return self in (RequestKind.RESYNC, RequestKind.RENEW, RequestKind.RECREATE, RequestKind.DELETE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Something asked of the leading keeper; kept until it has been carried out.

    An operator's request stays for a while after it ended, so that its outcome can be read.

    Attributes:
        at: when it was asked, RFC 3339 UTC.
        subscription: Graph's id; for lifecycle notifications, and for one that no record names.
        resource: name of the resource; empty where all are meant.
        owner: key of the owner; for an operator's request, empty where all are meant.
        mark: for `baselined`, which baseline of the owner ended.
        taken_at: when a keeper took an operator's request up, by its clock; None before.
        count: how many resources it means; known once it was taken up.
        ended_at: when all that it means had been done, or had failed for good; None before.
        failed: resource or subscription -> why it could not be done, in words; the first few.
        failed_count: how many could not be done.
    """

    kind: RequestKind
    at: str
    subscription: str = ""
    resource: str = ""
    owner: str = ""
    mark: str = ""
    taken_at: datetime | None = None
    count: int = 0
    ended_at: datetime | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    failed_count: int = 0

    @property
    def name(self) -> str:
        """Give the name under which it is kept; the same request twice has the same name."""
        subject = self.subscription or self.resource or self.owner
        return f"{self.kind}|{subject}|{self.at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time in which no keeper led, or no web listened, as the process found it that ended it.

    Attributes:
        ended_at: when it did; every resource is read from then on.
    """

    ended_at: datetime


LAST_OUTAGE: Final = "last"
WEB_OUTAGE: Final = "web"
"""Names in the book of outages: of the whole service, and of web alone, which writes its own."""
_SUBSCRIPTION: Final = msgspec.json.Decoder(SubscriptionRecord)
_MAILBOX: Final = msgspec.json.Decoder(MailboxRecord)
_PROGRESS: Final = msgspec.json.Decoder(OwnerProgress)
_REQUEST: Final = msgspec.json.Decoder(Request)
_OUTAGE: Final = msgspec.json.Decoder(Outage)
Record = SubscriptionRecord | MailboxRecord | OwnerProgress | Request | Outage


def encode(record: Record) -> str:
    """Give the JSON text in which a record is kept."""
    return msgspec.json.encode(record).decode()


def decode_subscription(text: str) -> SubscriptionRecord:
    """Read a record back.

    Raises:
        msgspec.DecodeError: the text is none.
    """
    return _SUBSCRIPTION.decode(text)


def decode_mailbox(text: str) -> MailboxRecord:
    """Read a record back; raises as `decode_subscription` does."""
    return _MAILBOX.decode(text)


def decode_owner_progress(text: str) -> OwnerProgress:
    """Read a record back; raises as `decode_subscription` does."""
    return _PROGRESS.decode(text)


def decode_request(text: str) -> Request:
    """Read a request back; raises as `decode_subscription` does."""
    return _REQUEST.decode(text)


def decode_outage(text: str) -> Outage:
    """Read a record back; raises as `decode_subscription` does."""
    return _OUTAGE.decode(text)


def name_owner_progress(address: Address) -> str:
    """Give the name under which the progress of a roster entry stands among the mailbox records."""
    return f"{_OWNER_PREFIX}{address}"


def parse_owner_progress_name(name: str) -> Address | None:
    """Give the roster address, or None where the name is that of a resource."""
    return Address(name.removeprefix(_OWNER_PREFIX)) if name.startswith(_OWNER_PREFIX) else None
