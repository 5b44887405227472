"""What changing an event does: to the rows, to the instances of a series, and to those who are told.

Source: MS-OXOCAL 3.1.5.4. Whether a move resets answers, and what raises the sequence, are beliefs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from service.sandbox.event_input import EventInput
from service.sandbox.items import Attendee, Event, Slot, Status
from service.sandbox.mailbox import Mailbox
from service.sandbox.meetings import send_cancellation, send_request
from service.sandbox.occurrences import make_exception
from service.sandbox.people import Person, User
from service.sandbox.series import Recurrence, begin_on_first_date
from service.sandbox.wire import GraphFault
from service.sandbox.world import World

_TOLD_MEMBERS: Final = (
    "subject",
    "body",
    "location",
    "locations",
    "importance",
    "sensitivity",
    "isOnlineMeeting",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a change came to.

    Attributes:
        moved: start, end, whole day or recurrence is another.
        agenda: something else that attendees are told of is another.
        added, removed: people.
    """

    moved: bool
    agenda: bool
    added: tuple[Person, ...]
    removed: tuple[Person, ...]


def update_event(world: World, box: Mailbox, event: Event, given: EventInput, *, by: User) -> Event:
    """Change an event and tell whom it concerns; gives the event, which may have become an exception.

    Raises:
        GraphFault: 400 for a recurrence on an instance, and for what lies in Deleted Items.
    """
    box.need_kept(event)
    if given.has_recurrence and event.master is not None and given.recurrence is not None:
        raise GraphFault(400, "ErrorInvalidRequest", "The recurrence of an occurrence can't be changed.")
    event = make_exception(box, event)
    before = event.slot
    moved = _apply_slot(box, event, given)
    difference = Difference(
        moved=moved, agenda=_apply_content(event, given.content), **_apply_attendees(event, given.attendees)
    )
    event.extended |= given.extended
    if moved:
        _forget_answers(event, resets=world.beliefs.reset_on_reschedule)
    if event.is_organizer:
        _raise_sequence(world, event, difference)
    box.touch_event(event)
    box.touch_instances(event)
    if event.is_organizer:
        _tell_attendees(world, event, difference, before, by=by)
    return event


def _apply_slot(box: Mailbox, event: Event, given: EventInput) -> bool:
    slot = given.slot or event.slot
    recurrence = given.recurrence if given.has_recurrence and event.master is None else event.recurrence
    if recurrence is not None:
        recurrence, slot = _aligned(event, recurrence, slot)
    if event.slot.same_time(slot) and recurrence == event.recurrence:
        event.slot = slot
        return False
    if event.recurrence is not None:
        _drop_instances(box, event)
    event.slot, event.recurrence = slot, recurrence
    if event.master is not None:
        event.own_members.add("slot")
    return True


def _aligned(event: Event, recurrence: Recurrence, slot: Slot) -> tuple[Recurrence, Slot]:
    """Let series and master agree on the first date; a master moved to another date takes the range along."""
    day = recurrence.day_of(slot.start)
    if recurrence == event.recurrence and day != recurrence.start_date:
        recurrence = replace(recurrence, start_date=day)
    recurrence, first = begin_on_first_date(recurrence)
    start, end = recurrence.place(first, (slot.start, slot.end))
    return recurrence, replace(slot, start=start, end=end)


def _drop_instances(box: Mailbox, event: Event) -> None:
    for exception in list(event.exceptions.values()):
        box.remove_event(exception)
    event.cancelled.clear()


def _apply_content(event: Event, written: dict[str, Any]) -> bool:
    changed = {name: value for name, value in written.items() if event.content.get(name) != value}
    event.content = event.content | changed
    if event.master is not None:
        event.own_members |= set(changed)
    for exception in event.exceptions.values():
        inherited = {name: value for name, value in changed.items() if name not in exception.own_members}
        exception.content = exception.content | inherited
    return any(name in _TOLD_MEMBERS for name in changed)


def _apply_attendees(event: Event, wanted: list[Attendee] | None) -> dict[str, tuple[Person, ...]]:
    """Replace the rows; who stays keeps the answer."""
    if wanted is None or not event.is_organizer:
        return {"added": (), "removed": ()}
    held = {row.person.address.casefold(): row for row in event.attendees}
    named = {row.person.address.casefold() for row in wanted}
    added = tuple(row.person for row in wanted if row.person.address.casefold() not in held)
    removed = tuple(row.person for address, row in held.items() if address not in named)
    for one in [event, *event.exceptions.values()]:
        rows = {row.person.address.casefold(): row for row in one.attendees}
        one.attendees = [
            replace(rows[row.person.address.casefold()], type=row.type)
            if row.person.address.casefold() in rows
            else replace(row)
            for row in wanted
        ]
    return {"added": added, "removed": removed}


def _forget_answers(event: Event, *, resets: bool) -> None:
    """A new time ends every proposal; answers go back to none where Exchange is believed to do so."""
    for row in event.attendees:
        row.proposal = None
        if resets:
            row.status, row.is_own = Status(), False


def _raise_sequence(world: World, event: Event, difference: Difference) -> None:
    sends = event.is_meeting and (difference.moved or difference.agenda)
    if sends and (difference.moved or world.beliefs.sequence_on_agenda_change):
        event.sequence += 1
    if sends or difference.added:
        event.sent_at = world.clock.now()


def _tell_attendees(world: World, event: Event, difference: Difference, before: Slot, *, by: User) -> None:
    send_cancellation(world, event, difference.removed, by=by)
    if difference.moved or difference.agenda:
        added = set(difference.added)
        stayed = [row.person for row in event.attendees if row.person not in added]
        send_request(world, event, stayed, by=by, previous=before, is_update=True, moved=difference.moved)
    send_request(world, event, difference.added, by=by)
