"""Routes of events: lists, one event, instances, calendarView, and the actions on an event."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from service.sandbox.call import Call, CallHandler, Routes, denied
from service.sandbox.event_input import read_event, read_person
from service.sandbox.event_reader import SORTABLE, EventReader, list_fields
from service.sandbox.event_scope import (
    CALENDAR_PREFIXES,
    EVENT_PREFIXES,
    Found,
    Scope,
    locate_event,
    open_scope,
)
from service.sandbox.filters import Field, parse_filter
from service.sandbox.ids import quote_etag
from service.sandbox.items import Event, Json, Slot
from service.sandbox.meeting_updates import update_event
from service.sandbox.meetings import cancel_event, create_event, delete_event, forward_event
from service.sandbox.moments import parse_instant, parse_wall
from service.sandbox.occurrences import instances_between
from service.sandbox.odata import PAGE, Options, parse_order
from service.sandbox.permissions import READ_CALENDAR, WRITE_CALENDAR
from service.sandbox.responses import Answer, respond
from service.sandbox.schema import read_parameters
from service.sandbox.wire import GraphFault, GraphResponse

_LIST_OPTIONS: Final = ("$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count")
_OFFSET: Final = re.compile(r"T.*(?:Z|[+-]\d{2}:\d{2})$")
_WINDOW_MAX: Final = timedelta(days=1825)


def add_event_routes(routes: Routes) -> None:
    """Serve everything about events."""
    lists = [f"{prefix}events" for prefix in EVENT_PREFIXES]
    items = [f"{prefix}events/{{event}}" for prefix in EVENT_PREFIXES]
    routes.add("GET", lists, list_events, READ_CALENDAR, "read")
    routes.add("POST", lists, post_event, WRITE_CALENDAR, "write")
    routes.add("GET", items, get_event, READ_CALENDAR, "read")
    routes.add("PATCH", items, patch_event, WRITE_CALENDAR, "write")
    routes.add("DELETE", items, remove_event, WRITE_CALENDAR, "write")
    routes.add("GET", [f"{item}/instances" for item in items], list_instances, READ_CALENDAR, "read")
    views = ["calendarView", *(f"{prefix}calendarView" for prefix in CALENDAR_PREFIXES)]
    routes.add("GET", views, list_view, READ_CALENDAR, "read")
    for name, value in _ANSWERS.items():
        _add_action(routes, items, name, partial(answer_event, value=value))
    _add_action(routes, items, "cancel", post_cancel)
    _add_action(routes, items, "forward", post_forward)


def _add_action(routes: Routes, items: Sequence[str], name: str, handler: CallHandler) -> None:
    for spelled in (name, f"microsoft.graph.{name}"):
        routes.add("POST", [f"{item}/{spelled}" for item in items], handler, WRITE_CALENDAR, "write")


# --- reading ---


def list_events(call: Call) -> GraphResponse:
    """List single events and series masters."""
    scope = open_scope(call)
    options = call.options(*_LIST_OPTIONS)
    held = [event for event in scope.owner.events.values() if event.master is None and scope.holds(event)]
    return _answer_list(call, scope, options, held)


def list_view(call: Call) -> GraphResponse:
    """List what takes place in a window: single events, occurrences and exceptions."""
    scope = open_scope(call)
    options = call.options("startDateTime", "endDateTime", *_LIST_OPTIONS)
    start, end = read_window(options)
    return _answer_list(call, scope, options, events_in_window(scope, start, end))


def events_in_window(scope: Scope, start: datetime, end: datetime) -> list[Event]:
    """Give what takes place in a window, by start."""
    found = [
        instance
        for event in list(scope.owner.events.values())
        if event.master is None and scope.holds(event)
        for instance in instances_between(scope.owner, event, start, end)
    ]
    return sorted(found, key=lambda event: event.slot.start)


def list_instances(call: Call) -> GraphResponse:
    """List the instances of a series in a window."""
    found = locate_event(call)
    options = call.options("startDateTime", "endDateTime", *_LIST_OPTIONS)
    start, end = read_window(options)
    if found.event.recurrence is None:
        raise GraphFault(
            400,
            "ErrorInvalidRequest",
            "Your request can't be completed. Expanding an event needs a series master.",
        )
    inside = instances_between(found.scope.owner, found.event, start, end)
    return _answer_list(call, found.scope, options, inside)


def read_window(options: Options) -> tuple[datetime, datetime]:
    """Read startDateTime and endDateTime; without an offset they are UTC.

    Raises:
        GraphFault: 400 where one is missing or the window is impossible.
    """
    ends = []
    for name in ("startDateTime", "endDateTime"):
        text = options.need(name)
        is_instant = _OFFSET.search(text) is not None
        ends.append(parse_instant(text, path=name) if is_instant else parse_wall(text, "UTC", path=name))
    start, end = ends
    if end < start:
        raise GraphFault(400, "ErrorInvalidParameter", "The end of the window must not precede its start.")
    if end - start > _WINDOW_MAX:
        raise GraphFault(
            400,
            "ErrorCalendarViewRangeTooBig",
            "The range between the start and end dates is greater than the allowed range. Maximum number of "
            "days: 1825",
        )
    return start, end


def _answer_list(call: Call, scope: Scope, options: Options, held: list[Event]) -> GraphResponse:
    reader = EventReader(call.view, select=options.text("$select"), expand=options.text("$expand"))
    fields = list_fields(call.world.beliefs)
    if (text := options.text("$filter")) is not None:
        chosen = parse_filter(text, fields, type_name="event")
        held = [event for event in held if chosen.matches(event)]
    for name, descending in reversed(parse_order(options.text("$orderby"), SORTABLE, ())):
        held = sorted(held, key=partial(_place, fields[name]), reverse=descending)
    page, next_link = options.page(held, size=call.preferences.page or PAGE)
    return call.collection(
        call.context("events", reader.select),
        [_draw(reader, event, scope) for event in page],
        next_link=next_link,
        count=len(held) if options.wants_count else None,
    )


def _place(field: Field[Event], event: Event) -> tuple[bool, Any]:
    """Give where an event belongs in an order; those without a value come first."""
    value = field.get(event)
    return (value is not None, value)


def _draw(reader: EventReader, event: Event, scope: Scope) -> Json:
    return reader.draw(event, owner_id=scope.owner.user.id, sees_private=scope.sees_private)


def get_event(call: Call) -> GraphResponse:
    """Give one event."""
    found = locate_event(call)
    return _answer_event(call, found, call.options("$select", "$expand"))


def _answer_event(call: Call, found: Found, options: Options, *, status: int = 200) -> GraphResponse:
    reader = EventReader(call.view, select=options.text("$select"), expand=options.text("$expand"))
    drawn = _draw(reader, found.event, found.scope)
    context = {"@odata.context": call.context("events", reader.select) + "/$entity"}
    headers = {"ETag": quote_etag(found.event.change_key)}
    if status == 201:
        headers["Location"] = f"{call.request.base_url}/users/{call.box.user.id}/events/{drawn['id']}"
    return call.answer({**context, **drawn}, status=status, headers=headers)


# --- writing ---


def post_event(call: Call) -> GraphResponse:
    """Make an event; in another's calendar on the owner's behalf."""
    scope = open_scope(call)
    options = call.options("$select", "$expand")
    calendar = scope.calendar or scope.owner.primary
    if not scope.may_write:
        raise denied()
    given = read_event(call.request.body, call.world.directory)
    event = create_event(call.world, calendar, given, by=call.acting)
    return _answer_event(call, Found(event=event, scope=scope), options, status=201)


def patch_event(call: Call) -> GraphResponse:
    """Change an event."""
    found = locate_event(call)
    options = call.options("$select", "$expand")
    found.need_writable()
    call.check_match(quote_etag(found.event.change_key))
    given = read_event(call.request.body, call.world.directory, before=found.event.slot)
    event = update_event(call.world, found.scope.owner, found.event, given, by=call.acting)
    return _answer_event(call, Found(event=event, scope=found.scope), options)


def remove_event(call: Call) -> GraphResponse:
    """Delete an event."""
    found = locate_event(call)
    call.options()
    found.need_writable()
    call.check_match(quote_etag(found.event.change_key))
    delete_event(call.world, found.scope.owner, found.event, by=call.acting)
    return GraphResponse(status=204)


# --- actions ---

_ANSWERS: Final = {
    "accept": "accepted",
    "tentativelyAccept": "tentativelyAccepted",
    "decline": "declined",
}


def answer_event(call: Call, *, value: str) -> GraphResponse:
    """Accept, accept tentatively or decline."""
    found = locate_event(call)
    call.options()
    found.need_writable()
    types = {"comment": "String", "sendResponse": "Boolean"}
    if value != "accepted":
        types["proposedNewTime"] = "timeSlot"
    given = read_parameters(call.request.body, types)
    answer = Answer(
        value=value,
        comment=given.get("comment") or "",
        sends=given.get("sendResponse") is not False,
        proposal=_read_proposal(given.get("proposedNewTime")),
    )
    respond(call.world, found.scope.owner, found.event, answer, by=call.acting)
    return GraphResponse(status=202)


def _read_proposal(given: Json | None) -> Slot | None:
    if given is None:
        return None
    ends = []
    for name in ("start", "end"):
        end = given.get(name) or {}
        zone = end.get("timeZone") or "UTC"
        ends.append((parse_wall(end.get("dateTime") or "", zone, path=f"proposedNewTime/{name}"), zone))
    (start, start_zone), (end, end_zone) = ends
    if end < start:
        raise GraphFault(400, "ErrorInvalidRequest", "The proposed end is earlier than the proposed start.")
    return Slot(start, end, start_zone, end_zone)


def post_cancel(call: Call) -> GraphResponse:
    """Cancel a meeting or one occurrence."""
    found = locate_event(call)
    call.options()
    found.need_writable()
    given = read_parameters(call.request.body, {"comment": "String"})
    comment = given.get("comment") or ""
    cancel_event(call.world, found.scope.owner, found.event, by=call.acting, comment=comment)
    return GraphResponse(status=202)


def post_forward(call: Call) -> GraphResponse:
    """Forward a meeting request."""
    found = locate_event(call)
    call.options()
    given = read_parameters(call.request.body, {"comment": "String", "toRecipients": "recipient*"})
    to = [read_person(one, call.world.directory) for one in given.get("toRecipients") or ()]
    if not to:
        raise GraphFault(400, "ErrorInvalidRecipients", "At least one recipient isn't valid.")
    comment = given.get("comment") or ""
    forward_event(call.world, found.scope.owner, found.event, to, by=call.acting, comment=comment)
    return GraphResponse(status=202)
