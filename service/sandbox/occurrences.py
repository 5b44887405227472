"""Occurrences and exceptions of a series in one mailbox: found by date, by id, by window. Sends nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from service.sandbox.items import Event, Slot
from service.sandbox.mailbox import Mailbox

_NEAR = timedelta(days=2)


def place_of(master: Event, day: date) -> Slot:
    """Give the slot that a series has for a date."""
    assert master.recurrence is not None
    first = (master.slot.start, master.slot.end)
    start, end = master.recurrence.place(day, first)
    return replace(master.slot, start=start, end=end)


def occurrence_of(box: Mailbox, master: Event, day: date) -> Event | None:
    """Give the instance of a date: the exception where there is one; None where the series has none."""
    if day in master.exceptions:
        return master.exceptions[day]
    if master.recurrence is None or day in master.cancelled or not master.recurrence.holds(day):
        return None
    return _virtual(box, master, day)


def _virtual(box: Mailbox, master: Event, day: date) -> Event:
    slot = place_of(master, day)
    return replace(
        master,
        id=box.occurrence_id(master.id, day),
        slot=slot,
        recurrence=None,
        day=day,
        original_start=slot.start,
        master=master,
        exceptions={},
        cancelled=set(),
        own_members=set(),
        is_virtual=True,
    )


def make_exception(box: Mailbox, occurrence: Event) -> Event:
    """Make an occurrence an item of its own; an exception comes back as it is."""
    if not occurrence.is_virtual:
        return occurrence
    exception = replace(
        occurrence,
        content=dict(occurrence.content),
        attendees=[replace(row, is_own=False) for row in occurrence.attendees],
        extended=dict(occurrence.extended),
        is_virtual=False,
    )
    box.add_exception(exception)
    return exception


def instances_between(box: Mailbox, event: Event, start: datetime, end: datetime) -> list[Event]:
    """Give what takes place in a window, by start: a single event itself, of a series its instances."""
    if event.recurrence is None:
        return [event] if overlaps(event, start, end) else []
    length = event.slot.end - event.slot.start
    first, last = (start - length - _NEAR).date(), (end + _NEAR).date()
    days = set(event.recurrence.dates_between(first, last)) - event.cancelled
    found = [event.exceptions.get(day) or _virtual(box, event, day) for day in days | set(event.exceptions)]
    return sorted((one for one in found if overlaps(one, start, end)), key=lambda one: one.slot.start)


def overlaps(event: Event, start: datetime, end: datetime) -> bool:
    """Tell whether an event touches a window; one that ends where the window starts does not."""
    return event.slot.start < end and (event.slot.end > start or event.slot.start == event.slot.end >= start)


def find_event(box: Mailbox, item_id: str) -> Event | None:
    """Find an event, exception or occurrence by immutable id; None where there is none."""
    held = box.events.get(item_id)
    if held is not None:
        return held
    known = box.resolve_occurrence(item_id)
    series = box.events.get(known[0]) if known else None
    found = occurrence_of(box, series, known[1]) if known and series else None
    # a series that was moved takes place again on a date that was cancelled before
    return found or box.discarded.get(item_id)
