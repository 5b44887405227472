"""What is asked of Graph, as values: method, path, query, headers, body of each request. No I/O.

Each id is percent-encoded as one path segment, so that none can reach another path. The body of a message or
event is never asked for.

Source: https://learn.microsoft.com/graph/query-parameters
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from service.errors import RefusedError
from service.graph import extended
from service.reconcile.model import EventId, MailboxKey, MessageId, OwnerKey

PAGE_SIZE: Final = 100

_SUBTYPE: Final = "microsoft.graph.eventMessage"
_RESPONSE: Final = "microsoft.graph.eventMessageResponse"

MESSAGE_PROPERTIES: Final = (
    *("id", "internetMessageId", "sentDateTime", "from", "sender", "bodyPreview", "isDraft"),
)
# Members of a subtype must be cast, else Graph refuses the whole $select of a message.
RESPONSE_PROPERTIES: Final = (
    *(
        f"{_SUBTYPE}/{name}"
        for name in ("meetingMessageType", "startDateTime", "endDateTime", "isAllDay", "recurrence", "type")
    ),
    *(f"{_RESPONSE}/{name}" for name in ("responseType", "proposedNewTime")),
)
EVENT_PROPERTIES: Final = (
    *("id", "iCalUId", "seriesMasterId", "type", "originalStart", "originalStartTimeZone"),
    *("lastModifiedDateTime", "changeKey", "subject", "start", "end", "isAllDay"),
    *("isCancelled", "isOrganizer", "sensitivity", "recurrence", "attendees", "organizer", "webLink"),
)
_BRIEF_PROPERTIES: Final = ("id", "iCalUId", "seriesMasterId", "type", "originalStart", "start")
_PERSON_PROPERTIES: Final = ("id", "displayName", "mail", "userPrincipalName", "proxyAddresses")
IMMUTABLE: Final = 'IdType="ImmutableId"'


class RequestKind(StrEnum):
    """What a request is for: a label of metrics, so the list is short and closed."""

    MESSAGE = "message"
    MESSAGES = "messages"
    EVENT = "event"
    MEETING = "meeting"
    CALENDAR = "calendar"
    INSTANCES = "instances"
    DELTA = "delta"
    PERSON = "person"
    PERMISSIONS = "permissions"
    SETTINGS = "settings"
    SUBSCRIPTIONS = "subscriptions"
    SUBSCRIBE = "subscribe"
    RENEW = "renew"
    UNSUBSCRIBE = "unsubscribe"
    BATCH = "batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRequest:
    """One request.

    Attributes:
        path: below the version, percent-encoded, begins with a slash; empty where `link` is set.
        query: names and values, not encoded, in order.
        link: an absolute address that Graph gave (nextLink, deltaLink), followed as it is.
        mailbox: whose limit of requests in flight it counts against; empty for none.
        is_joinable: may travel in a `$batch` with others.
        item, collection: a message's id, and the list among whose newest it probably is; empty otherwise.
        person: in whose name it is asked where that is not the mailbox's; an object id or an address.
    """

    kind: RequestKind
    method: str = "GET"
    path: str = ""
    query: tuple[tuple[str, str], ...] = ()
    link: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    mailbox: str = ""
    is_joinable: bool = True
    item: str = ""
    collection: str = ""
    person: str = ""

    @property
    def asker(self) -> str:
        """In whose name it is asked, if they have signed in; empty where it is the application's business."""
        return self.person or self.mailbox

    @property
    def target(self) -> str:
        """Path and query, percent-encoded, relative to the version."""
        if not self.query:
            return self.path
        return f"{self.path}?{'&'.join(_encode(name, value) for name, value in self.query)}"


# What a query value may hold unencoded; '=', '&', '+', '#' and blanks are not among it.
_SAFE: Final = "$'(),:/@"


@lru_cache(maxsize=256)
def _encode(name: str, value: str) -> str:
    """Percent-encode one option; the long ones, such as `$select`, are the same in every request."""
    return f"{quote(name, safe='$')}={quote(value, safe=_SAFE)}"


def build_message_request(
    mailbox: MailboxKey,
    message: MessageId,
    *,
    has_subtype: bool = True,
    is_rest: bool = False,
    is_in_inbox: bool = True,
) -> GraphRequest:
    """Ask for a message with all that tells whether, to what and how it responds.

    Args:
        has_subtype: ask for members of the message's subtype too; some mailboxes refuse that.
        is_rest: leave out what a notification can carry without extended properties.
        is_in_inbox: it probably lies there; else somewhere in the mailbox.

    Source: https://learn.microsoft.com/graph/api/eventmessage-get
    """
    properties = (("id",) if is_rest else MESSAGE_PROPERTIES) + (RESPONSE_PROPERTIES if has_subtype else ())
    user = f"/users/{spell_segment(mailbox)}"
    request = _get(
        RequestKind.MESSAGE,
        f"{user}/messages/{spell_segment(message)}",
        ("$select", ",".join(properties)),
        ("$expand", extended.build_expand(extended.OF_MESSAGES)),
        mailbox=mailbox,
    )
    folder = "/mailFolders/inbox" if is_in_inbox else ""
    return replace(request, item=message, collection=f"{user}{folder}/messages")


def build_event_request(owner: OwnerKey, event: EventId, *, has_cancelled: bool = True) -> GraphRequest:
    """Ask for an event.

    Args:
        has_cancelled: ask for a series' cancelled occurrences too, which Graph gives only where one event is
            asked for by its id; a cloud that lags behind may refuse that.

    Source: https://learn.microsoft.com/graph/api/event-get
    """
    select, expand = _full_event()
    wanted = (select[0], f"{select[1]},cancelledOccurrences") if has_cancelled else select
    return _get(RequestKind.EVENT, f"{_events(owner)}/{spell_segment(event)}", wanted, expand, mailbox=owner)


def build_calendar_request(owner: OwnerKey, event: EventId) -> GraphRequest:
    """Ask of the calendar in which an event lies whether it tallies answers.

    Source: https://learn.microsoft.com/graph/api/resources/event (relationships),
    https://learn.microsoft.com/graph/api/resources/calendar
    """
    path = f"{_events(owner)}/{spell_segment(event)}/calendar"
    return _get(RequestKind.CALENDAR, path, ("$select", "id,isTallyingResponses"), mailbox=owner)


def build_meeting_search(owner: OwnerKey, ical_uid: str) -> GraphRequest:
    """Ask for the events of that iCalUId, over all calendars of the owner.

    Source: https://learn.microsoft.com/graph/api/user-list-events
    """
    condition = ("$filter", f"iCalUId eq {_literal(ical_uid)}")
    return _get(RequestKind.MEETING, _events(owner), condition, *_full_event(), mailbox=owner)


def build_instances_request(
    owner: OwnerKey, series: EventId, *, start: datetime, end: datetime, is_brief: bool = False
) -> GraphRequest:
    """Ask for the occurrences and exceptions of a series between two instants.

    Args:
        is_brief: only what tells which occurrence it is.

    Source: https://learn.microsoft.com/graph/api/event-list-instances
    """
    window = (("startDateTime", utc_text(start)), ("endDateTime", utc_text(end)))
    wanted = (("$select", ",".join(_BRIEF_PROPERTIES)),) if is_brief else _full_event()
    path = f"{_events(owner)}/{spell_segment(series)}/instances"
    return _get(RequestKind.INSTANCES, path, *window, *wanted, ("$top", str(PAGE_SIZE)), mailbox=owner)


def build_view_request(owner: OwnerKey, *, start: datetime, end: datetime) -> GraphRequest:
    """Ask for whatever takes place in the owner's primary calendar between two instants.

    Source: https://learn.microsoft.com/graph/api/user-list-calendarview
    """
    window = (("startDateTime", utc_text(start)), ("endDateTime", utc_text(end)))
    path = f"/users/{spell_segment(owner)}/calendarView"
    return _get(RequestKind.MEETING, path, *window, *_full_event(), ("$top", str(PAGE_SIZE)), mailbox=owner)


def build_inbox_delta(mailbox: MailboxKey, *, received_since: datetime, page_size: int) -> GraphRequest:
    """Ask for the first page of a round over the inbox.

    Source: https://learn.microsoft.com/graph/api/message-delta
    """
    return _get(
        RequestKind.DELTA,
        f"/users/{spell_segment(mailbox)}/mailFolders/inbox/messages/delta",
        ("$select", "id,sentDateTime"),
        ("$filter", f"receivedDateTime ge {utc_text(received_since)}"),
        mailbox=mailbox,
        prefer=_page_preference(page_size),
        is_joinable=False,
    )


def build_message_list(mailbox: MailboxKey, *, received_since: datetime, page_size: int) -> GraphRequest:
    """Ask for the first page of all messages of a mailbox, whatever folder they lie in.

    What is sorted by must be filtered by first. The earliest come first, so that one that arrives while the
    pages are read shifts none of them.

    Source: https://learn.microsoft.com/graph/api/user-list-messages
    """
    return _get(
        RequestKind.DELTA,
        f"/users/{spell_segment(mailbox)}/messages",
        ("$select", "id,sentDateTime"),
        ("$filter", f"receivedDateTime ge {utc_text(received_since)}"),
        ("$orderby", "receivedDateTime"),
        ("$top", str(page_size)),
        mailbox=mailbox,
        is_joinable=False,
    )


def build_calendar_delta(owner: OwnerKey, *, start: datetime, end: datetime, page_size: int) -> GraphRequest:
    """Ask for the first page of a round over the calendar view; Graph takes no `$select` here.

    Source: https://learn.microsoft.com/graph/api/event-delta
    """
    return _get(
        RequestKind.DELTA,
        f"/users/{spell_segment(owner)}/calendarView/delta",
        ("startDateTime", utc_text(start)),
        ("endDateTime", utc_text(end)),
        mailbox=owner,
        prefer=_page_preference(page_size),
        is_joinable=False,
    )


def build_link_request(
    kind: RequestKind, link: str, *, mailbox: str = "", page_size: int | None = None
) -> GraphRequest:
    """Follow a link that Graph gave; preferences are not part of it and are sent again."""
    prefer = IMMUTABLE if page_size is None else _page_preference(page_size)
    return GraphRequest(kind=kind, link=link, headers={"Prefer": prefer}, mailbox=mailbox, is_joinable=False)


def build_person_request(address: str) -> GraphRequest:
    """Ask for the person of that object id or user principal name.

    Source: https://learn.microsoft.com/graph/api/user-get
    """
    request = _get(
        RequestKind.PERSON, f"/users/{spell_segment(address)}", ("$select", ",".join(_PERSON_PROPERTIES))
    )
    return replace(request, person=address)


def build_person_search(address: str) -> GraphRequest:
    """Ask for the people who have that address as an alias.

    Source: https://learn.microsoft.com/graph/aad-advanced-queries
    """
    condition = ("$filter", f"proxyAddresses/any(p:p eq {_literal(f'smtp:{address}')})")
    return _get(RequestKind.PERSON, "/users", condition, ("$select", ",".join(_PERSON_PROPERTIES)))


def build_permissions_request(owner: MailboxKey) -> GraphRequest:
    """Ask who may do what in the owner's primary calendar.

    Source: https://learn.microsoft.com/graph/api/calendar-list-calendarpermissions
    """
    path = f"/users/{spell_segment(owner)}/calendar/calendarPermissions"
    return _get(RequestKind.PERMISSIONS, path, mailbox=owner)


def build_delivery_request(owner: MailboxKey, *, is_whole: bool = False) -> GraphRequest:
    """Ask where the owner's meeting messages go.

    Args:
        is_whole: ask for the mailbox settings and pick the option out of them.

    Source: https://learn.microsoft.com/graph/api/user-get-mailboxsettings
    """
    path = f"/users/{spell_segment(owner)}/mailboxSettings"
    option = "" if is_whole else "/delegateMeetingMessageDeliveryOptions"
    return _get(RequestKind.SETTINGS, path + option, mailbox=owner)


def utc_text(moment: datetime) -> str:
    """Give an aware datetime as Graph wants it in queries and bodies."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def _get(
    kind: RequestKind,
    path: str,
    *query: tuple[str, str],
    mailbox: str = "",
    prefer: str = IMMUTABLE,
    is_joinable: bool = True,
) -> GraphRequest:
    return GraphRequest(
        kind=kind,
        path=path,
        query=query,
        headers={"Prefer": prefer},
        mailbox=mailbox,
        is_joinable=is_joinable,
    )


def _full_event() -> tuple[tuple[str, str], ...]:
    return (
        ("$select", ",".join(EVENT_PROPERTIES)),
        ("$expand", extended.build_expand(extended.OF_EVENTS)),
    )


def _events(owner: OwnerKey) -> str:
    return f"/users/{spell_segment(owner)}/events"


def spell_segment(text: str) -> str:
    """Encode a text as one path segment.

    Raises:
        RefusedError: the text is empty or dots only, which would name another path.
    """
    if not text.strip("."):
        raise RefusedError("an id cannot be empty or consist of dots", code="badId")
    return quote(text, safe="", errors="replace")


def _literal(text: str) -> str:
    """Give a text as an OData string, in which a quote is doubled."""
    return "'" + text.replace("'", "''") + "'"


def _page_preference(page_size: int) -> str:
    return f"{IMMUTABLE}, odata.maxpagesize={page_size}"
