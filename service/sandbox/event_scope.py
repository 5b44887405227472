"""Which calendar a path means, and whose event an id means, seen from the mailbox that is asked."""

from __future__ import annotations

from dataclasses import dataclass

from service.sandbox.call import Call, denied
from service.sandbox.items import READER_ROLES, WRITER_ROLES, Calendar, Event
from service.sandbox.mailbox import Mailbox, not_found
from service.sandbox.occurrences import find_event

CALENDAR_PREFIXES = ("calendar/", "calendars/{calendar}/")
EVENT_PREFIXES = ("", *CALENDAR_PREFIXES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A calendar, or all of a mailbox's own, as the caller may see it.

    Attributes:
        owner: the mailbox in which the events lie.
        calendar: None for all calendars of the mailbox.
        sees_private, may_write: what the caller's role allows.
    """

    owner: Mailbox
    calendar: Calendar | None
    sees_private: bool
    may_write: bool

    def holds(self, event: Event) -> bool:
        """Tell whether an event lies in this calendar."""
        if self.calendar is None:
            return True
        wanted = self.owner.primary.id if self.calendar.is_primary else self.calendar.id
        return event.calendar_id == wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An event and where it lies."""

    event: Event
    scope: Scope

    def need_writable(self) -> None:
        """Refuse to change what may only be read.

        Raises:
            GraphFault: 403.
        """
        if not self.scope.may_write or (self.event.is_private and not self.scope.sees_private):
            raise denied()


def find_calendar(call: Call) -> Calendar:
    """Find the calendar that the path names; the primary one where it says `calendar`.

    Raises:
        GraphFault: 404.
    """
    wanted = call.keys.get("calendar")
    if wanted is None:
        return call.box.primary
    for calendar in call.box.list_calendars():
        if calendar.id == wanted and not (call.is_foreign and calendar.owner_id != call.box.user.id):
            return calendar
    raise not_found()


def open_scope(call: Call) -> Scope:
    """Give the calendar of the path; all calendars for `events` of a mailbox, its primary for the view."""
    if call.request.segments[2].lower().startswith("calendar"):
        calendar = find_calendar(call)
        return _scope(call, call.world.mailbox(calendar.owner_id), calendar)
    return _scope(call, call.box, None)


def _scope(call: Call, owner: Mailbox, calendar: Calendar | None) -> Scope:
    """Weigh the role of the person, or of the mailbox whose list the calendar stands in."""
    reader = call.acting
    if reader is owner.user:
        return Scope(owner=owner, calendar=calendar, sees_private=True, may_write=True)
    role = call.world.role_on(owner.user.id, reader.id)
    if role not in READER_ROLES:
        raise denied()
    return Scope(
        owner=owner,
        calendar=calendar,
        sees_private=role == "delegateWithPrivateEventAccess",
        may_write=role in WRITER_ROLES,
    )


def locate_event(call: Call) -> Found:
    """Find the event of the path.

    Raises:
        GraphFault: 404 where it is not in this calendar; 403 where the calendar is no longer open.
    """
    scope = open_scope(call)
    item_id = call.box.item_id(call.keys["event"])
    shared = call.box.resolve_shared(item_id)
    if shared is not None and not call.is_foreign:
        owner_id, item_id = shared
        if scope.calendar is not None and scope.owner.user.id != owner_id:
            raise not_found()
        scope = _scope(call, call.world.mailbox(owner_id), call.box.linked.get(owner_id))
    elif scope.owner is not call.box:
        raise not_found()  # a delegate's list knows an event by its own id only
    event = find_event(scope.owner, item_id)
    if event is None or not scope.holds(event):
        raise not_found()
    return Found(event=event, scope=scope)
