"""Routes of calendars and of who may see them."""

from __future__ import annotations

from typing import Final

from service.sandbox.call import Call, Routes, denied
from service.sandbox.event_input import read_person
from service.sandbox.event_scope import EVENT_PREFIXES, find_calendar, locate_event, open_scope
from service.sandbox.filters import Field, parse_filter
from service.sandbox.items import Calendar, Permission
from service.sandbox.mailbox import Mailbox, not_found
from service.sandbox.odata import PAGE, parse_select
from service.sandbox.permissions import READ_CALENDAR, WRITE_CALENDAR
from service.sandbox.rendering import render_calendar, render_permission, select_members
from service.sandbox.schema import read_body
from service.sandbox.wire import GraphFault, GraphResponse

_ONE: Final = ("calendar", "calendars/{calendar}")
_FIELDS: Final[dict[str, Field[Calendar]]] = {"name": Field("text", lambda calendar: calendar.name)}


def add_calendar_routes(routes: Routes) -> None:
    """Serve calendars and calendarPermissions."""
    routes.add("GET", "calendars", list_calendars, READ_CALENDAR, "own")
    routes.add("POST", "calendars", post_calendar, WRITE_CALENDAR, "own")
    routes.add("GET", _ONE, get_calendar, READ_CALENDAR, "read")
    of_events = [f"{prefix}events/{{event}}/calendar" for prefix in EVENT_PREFIXES]
    routes.add("GET", of_events, get_calendar_of_event, READ_CALENDAR, "read")
    rows = [f"{one}/calendarPermissions" for one in _ONE]
    routes.add("GET", rows, list_permissions, READ_CALENDAR, "read")
    routes.add("POST", rows, post_permission, WRITE_CALENDAR, "own")
    items = [f"{one}/{{permission}}" for one in rows]
    routes.add("GET", items, get_permission, READ_CALENDAR, "read")
    routes.add("PATCH", items, patch_permission, WRITE_CALENDAR, "own")
    routes.add("DELETE", items, delete_permission, WRITE_CALENDAR, "own")


def list_calendars(call: Call) -> GraphResponse:
    """List the own calendars and those that others shared or delegated."""
    options = call.options("$select", "$filter", "$top", "$skip", "$count")
    select = parse_select(options.text("$select"), "calendar")
    held = list(call.box.list_calendars())
    if (text := options.text("$filter")) is not None:
        held = list(filter(parse_filter(text, _FIELDS, type_name="calendar").matches, held))
    page, next_link = options.page(held, size=call.preferences.page or PAGE)
    return call.collection(
        call.context("calendars", select),
        [select_members(render_calendar(call.view, one), select) for one in page],
        next_link=next_link,
        count=len(held) if options.wants_count else None,
    )


def get_calendar(call: Call) -> GraphResponse:
    """Give one calendar."""
    open_scope(call)
    return _answer_calendar(call, find_calendar(call))


def get_calendar_of_event(call: Call) -> GraphResponse:
    """Give the calendar in which an event lies, as it stands in the list of the mailbox that is asked."""
    found = locate_event(call)
    owner = found.scope.owner
    held = call.box.linked.get(owner.user.id) if owner is not call.box else None
    return _answer_calendar(call, held or owner.calendars[found.event.calendar_id])


def _answer_calendar(call: Call, calendar: Calendar) -> GraphResponse:
    select = parse_select(call.options("$select").text("$select"), "calendar")
    drawn = select_members(render_calendar(call.view, calendar), select)
    return call.answer({"@odata.context": call.context("calendars", select) + "/$entity", **drawn})


def post_calendar(call: Call) -> GraphResponse:
    """Make a secondary calendar, in which answers are not tallied.

    Raises:
        GraphFault: 400 without a name, 409 where the name is taken.
    """
    call.options()
    given = read_body(call.request.body, "calendar")
    name = given.get("name")
    if not name or set(given) - {"name", "color"}:
        raise GraphFault(400, "ErrorInvalidRequest", "A calendar needs a name, and takes a color besides.")
    if name.casefold() in {one.name.casefold() for one in call.box.calendars.values()}:
        raise GraphFault(409, "ErrorFolderExists", "A folder with the specified name already exists.")
    made = call.box.add_calendar(name, color=given.get("color") or "auto")
    drawn = render_calendar(call.view, made)
    return call.answer({"@odata.context": call.context("calendars") + "/$entity", **drawn}, status=201)


# --- permissions ---


def _owned(call: Call) -> Mailbox | None:
    """Give the owner's mailbox if owner or application asks, else None: others see no rows.

    Raises:
        GraphFault: 501 for a secondary calendar, which the sandbox lets nobody share.
    """
    calendar = find_calendar(call)
    if call.is_foreign or calendar.owner_id != call.box.user.id:
        return None
    if not calendar.is_primary:
        raise GraphFault(501, "NotImplemented", "The sandbox shares primary calendars only.")
    return call.box


def _row(call: Call) -> tuple[Mailbox, Permission]:
    box = _owned(call)
    wanted = call.keys["permission"]
    row = next((row for row in box.permissions if row.id == wanted), None) if box else None
    if box is None or row is None:
        raise not_found()
    return box, row


def list_permissions(call: Call) -> GraphResponse:
    """List who may see the calendar; empty for everybody but the owner and applications."""
    open_scope(call)
    call.options()
    box = _owned(call)
    rows = [render_permission(call.view, row) for row in box.permissions] if box else []
    return call.collection(call.context("calendar/calendarPermissions"), rows)


def get_permission(call: Call) -> GraphResponse:
    """Give one row."""
    call.options()
    _, row = _row(call)
    return _answer(call, row)


def _answer(call: Call, row: Permission, *, status: int = 200) -> GraphResponse:
    context = {"@odata.context": call.context("calendar/calendarPermissions") + "/$entity"}
    return call.answer({**context, **render_permission(call.view, row)}, status=status)


def post_permission(call: Call) -> GraphResponse:
    """Share or delegate the calendar.

    Raises:
        GraphFault: 400 for a role that is not allowed, or somebody outside who is to be a delegate.
    """
    call.options()
    box = _owned(call)
    if box is None:
        raise denied()
    given = read_body(call.request.body, "calendarPermission")
    person = read_person({"emailAddress": given.get("emailAddress")}, call.world.directory)
    user = call.world.directory.look_up(person.address)
    role = given.get("role")
    if user is None or user is box.user or user.purpose == "list" or role in (None, "none", "custom"):
        raise GraphFault(
            400, "ErrorInvalidRequest", "A known recipient and a role that can be granted are needed."
        )
    if str(role).startswith("delegate") and call.world.directory.is_external(user.address):
        raise GraphFault(400, "ErrorInvalidRequest", "Delegates must belong to the organization.")
    return _answer(call, call.world.grant(box.user, user, str(role)), status=201)


def patch_permission(call: Call) -> GraphResponse:
    """Change the role of a row, and nothing else.

    Raises:
        GraphFault: 400 for another property, or a role that this row does not allow.
    """
    call.options()
    box, row = _row(call)
    given = read_body(call.request.body, "calendarPermission")
    role = given.get("role")
    if set(given) - {"role"} or role not in render_permission(call.view, row)["allowedRoles"]:
        raise GraphFault(400, "ErrorInvalidRequest", "Only the role can be changed, to one of allowedRoles.")
    user = call.world.directory.look_up(row.grantee) if row.grantee else None
    if user is None:
        row.role = str(role)
    else:
        call.world.grant(box.user, user, str(role))
    return _answer(call, row)


def delete_permission(call: Call) -> GraphResponse:
    """Take a row away.

    Raises:
        GraphFault: 400 for My Organization, which stays.
    """
    call.options()
    box, row = _row(call)
    if row.grantee is None:
        raise GraphFault(400, "ErrorInvalidRequest", "This permission cannot be removed.")
    call.world.revoke(box.user, row)
    return GraphResponse(status=204)
