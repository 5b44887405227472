"""Delta query over a calendar view: single events, series with their occurrences, exceptions.

Source: https://learn.microsoft.com/graph/api/event-delta
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from service.sandbox.call import Call, Routes
from service.sandbox.delta_round import answer_round, begin_or_resume
from service.sandbox.event_rendering import render_event
from service.sandbox.event_routes import events_in_window, read_window
from service.sandbox.event_scope import CALENDAR_PREFIXES, Scope, open_scope
from service.sandbox.items import Event, Json
from service.sandbox.occurrences import find_event
from service.sandbox.permissions import READ_CALENDAR
from service.sandbox.wire import GraphFault, GraphResponse

_OPTIONS: Final = ("startDateTime", "endDateTime")
_REFUSED: Final = frozenset({"$orderby", "$filter", "$select", "$expand", "$search"})
_PAGE: Final = 50
_SPARSE: Final = ("@odata.etag", "id", "seriesMasterId", "type", "start", "end")


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewQuery:
    """The window of a round, and whose calendar."""

    calendar_id: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class ViewPosition:
    """What a round had seen.

    Attributes:
        known: change key of every item in the window, by id.
        changes: the mailbox's count when the round began.
    """

    known: dict[str, str]
    changes: int


def add_view_delta(routes: Routes) -> None:
    """Serve the delta query of calendar views."""
    views = ["calendarView", *(f"{prefix}calendarView" for prefix in CALENDAR_PREFIXES)]
    for spelled in ("delta", "microsoft.graph.delta"):
        routes.add("GET", [f"{view}/{spelled}" for view in views], delta_view, READ_CALENDAR, "own")


def delta_view(call: Call) -> GraphResponse:
    """Give what is new in a window since the token, or all of it."""
    scope = open_scope(call)
    calendar_id = (scope.calendar or scope.owner.primary).id
    round_ = begin_or_resume(call, _OPTIONS, lambda: _begin(call, calendar_id))
    query = round_.state.query
    if not isinstance(query, ViewQuery) or query.calendar_id != calendar_id:
        raise GraphFault(400, "SyncStateInvalid", "The sync state belongs to another resource.")
    if round_.is_new:
        before = round_.state.position
        assert before is None or isinstance(before, ViewPosition)
        waiting, position = _collect(scope, query, before)
        round_ = round_.filled(waiting, position)

    def draw(waiting: object) -> Json:
        assert isinstance(waiting, tuple)
        return _draw(call, scope, *waiting)

    return answer_round(call, round_, draw, size=call.preferences.page or _PAGE, name="event")


def _begin(call: Call, calendar_id: str) -> ViewQuery:
    refused = [name for name, _ in call.request.query if name.lower() in _REFUSED]
    if refused:
        raise GraphFault(
            400,
            "ErrorInvalidUrlQuery",
            "The following parameters are not supported with change tracking over the 'CalendarView' "
            f"resource: '{', '.join(refused)}'.",
        )
    start, end = read_window(call.options(*_OPTIONS))
    return ViewQuery(calendar_id=calendar_id, start=start, end=end)


def _collect(
    scope: Scope, query: ViewQuery, before: ViewPosition | None
) -> tuple[list[object], ViewPosition]:
    """List what the round has to give as (id, reason for removal or empty), and what it has seen."""
    present = {event.id: event for event in _items(scope, query)}
    keys = {item_id: event.change_key for item_id, event in present.items()}
    if before is None:
        return [(item_id, "") for item_id in present], ViewPosition(keys, scope.owner.changes)
    news: list[object] = [(item_id, "") for item_id in keys if keys[item_id] != before.known.get(item_id)]
    for item_id in before.known:
        if item_id not in present:
            held = find_event(scope.owner, item_id)
            is_elsewhere = held is not None and item_id not in scope.owner.discarded
            news.append((item_id, "changed" if is_elsewhere else "deleted"))
    news += [(item_id, "changed") for item_id in _changed_outside(scope, before, present)]
    known = before.known if keys == before.known else keys
    return news, ViewPosition(known, scope.owner.changes)


def _items(scope: Scope, query: ViewQuery) -> list[Event]:
    """Give what the window holds; a series comes along with its instances."""
    found: dict[str, Event] = {}
    for event in events_in_window(scope, query.start, query.end):
        if event.master is not None:
            found.setdefault(event.master.id, event.master)
        found[event.id] = event
    return list(found.values())


def _changed_outside(scope: Scope, before: ViewPosition, present: dict[str, Event]) -> list[str]:
    """Give items beyond the window that changed since: they are announced as removed, too."""
    return [
        event.id
        for event in scope.owner.events.values()
        if event.id not in present
        and event.id not in before.known
        and event.version > before.changes
        and scope.holds(event)
    ]


def _draw(call: Call, scope: Scope, item_id: str, removed: str) -> Json:
    kind = {"@odata.type": "#microsoft.graph.event"}
    event = None if removed else find_event(scope.owner, item_id)
    if event is None:
        shown = call.box.shared_id(scope.owner.user.id, item_id) if scope.owner is not call.box else item_id
        told = shown if call.preferences.is_immutable else call.box.left_as(shown)
        return {**kind, "id": told, "@removed": {"reason": removed or "deleted"}}
    entity = render_event(call.view, event, owner_id=scope.owner.user.id, sees_private=scope.sees_private)
    if event.type == "occurrence":
        entity = {name: entity[name] for name in _SPARSE}
    return kind | entity
