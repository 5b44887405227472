"""What is asked to come along with notifications, and what comes: messages and events. No I/O.

Members of a message's subtype cannot be selected in a subscription: what was answered, to which slot, and
which other time is proposed are extended properties there. What a subscription may not have is fetched.

Source: https://learn.microsoft.com/graph/outlook-change-notifications-overview
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from service.errors import PayloadError
from service.graph import extended
from service.graph.extended import ExtendedProperties
from service.graph.node import require_object
from service.graph.parse_event import parse_event
from service.graph.parse_message import parse_message
from service.graph.requests import EVENT_PROPERTIES, MESSAGE_PROPERTIES
from service.reconcile.instant import Instant
from service.reconcile.model import CalendarEvent, EventType, MailboxKey, MeetingResponse
from service.rich.unread import Unread, UnreadError

NEVER_SEEN: Final = Instant(ns=0, text="0001-01-01T00:00:00Z")
_CANCELLED: Final = "cancelledOccurrences"


def _build_query(properties: tuple[str, ...], expand: str = "") -> str:
    select = f"$select={','.join(properties)}"
    return f"{select}&$expand={expand}" if expand else select


MESSAGE_QUERIES: Final = (
    _build_query(MESSAGE_PROPERTIES, extended.build_expand(extended.OF_MESSAGES)),
    _build_query(MESSAGE_PROPERTIES),
)
"""What a subscription to messages may ask for, the fullest first; each where Graph refuses that before."""
EVENT_QUERIES: Final = (
    _build_query((*EVENT_PROPERTIES, _CANCELLED), extended.build_expand(extended.OF_EVENTS)),
    _build_query(EVENT_PROPERTIES, extended.build_expand(extended.OF_EVENTS)),
    _build_query(EVENT_PROPERTIES),
)
"""The same for events."""


def read_message_data(
    data: Mapping[str, Any], *, mailbox: MailboxKey, notes: list[str] | None = None
) -> MeetingResponse | None:
    """Read a message that came with its notification.

    Raises:
        UnreadError: it does not say all that has to be known; `incomplete` where the rest can be fetched.
    """
    properties = ExtendedProperties(require_object(data))
    if properties.text(extended.MESSAGE_CLASS) is None:
        raise UnreadError(Unread.INCOMPLETE)
    try:
        response = parse_message(data, mailbox=mailbox, notes=notes)
    except PayloadError as error:
        raise UnreadError(Unread.NOT_PARSED) from error
    if response is not None and (response.meeting is None or response.slot.is_unknown):
        raise UnreadError(Unread.INCOMPLETE)
    return response


def read_event_data(data: Mapping[str, Any], *, notes: list[str] | None = None) -> CalendarEvent:
    """Read an event that came with its notification. Nobody says when it was seen: `seen` is year 1.

    Raises:
        UnreadError: it does not say all that has to be known.
    """
    try:
        event = parse_event(data, seen=NEVER_SEEN, notes=notes)
    except PayloadError as error:
        raise UnreadError(Unread.NOT_PARSED) from error
    is_series = event.details.type is EventType.SERIES
    is_unnumbered = event.sequence is None and bool(event.rows)
    if event.is_organizer and (is_unnumbered or (is_series and _CANCELLED not in data)):
        raise UnreadError(Unread.INCOMPLETE)
    return event
