"""What a meeting request or cancellation does to the attendee's own calendar. Sends nothing itself."""

from __future__ import annotations

from dataclasses import replace

from service.sandbox.items import Attendee, Event, Status
from service.sandbox.mailbox import Mailbox
from service.sandbox.occurrences import make_exception, occurrence_of

_OWN_MEMBERS = ("showAs", "categories", "isReminderOn", "reminderMinutesBeforeStart", "transactionId")


def receive_request(box: Mailbox, sent: Event, *, resets: bool) -> Event:
    """Put a meeting into an attendee's calendar, or bring the copy there up to date.

    Args:
        sent: the organizer's event: single, series, or one instance of a series.
        resets: the time is new, so that an answer given before is none any more.
    """
    copy = find_copy(box, sent)
    if copy is None:
        copy = _new_copy(box, sent)
        box.add_event(copy)
        for exception in sent.exceptions.values():  # a series is sent with what became of its occurrences
            receive_request(box, exception, resets=False)
        return copy
    moved = resets or not copy.slot.same_time(sent.slot) or copy.recurrence != sent.recurrence
    if moved and copy.recurrence is not None:
        _drop_instances(box, copy)
    copy.slot, copy.recurrence = sent.slot, sent.recurrence
    copy.sequence, copy.sent_at, copy.is_cancelled = sent.sequence, sent.sent_at, False
    before = copy.content
    copy.content = sent.content | {name: before[name] for name in _OWN_MEMBERS}
    for exception in copy.exceptions.values():
        exception.content = {
            name: copy.content[name] if value == before[name] else value
            for name, value in exception.content.items()
        }
    if moved:
        copy.response = Status("notResponded")
        copy.content["showAs"] = "tentative"
    copy.attendees = _rows(sent, box)
    for row in copy.attendees:
        if box.user.answers_to(row.person.address):
            row.status = Status(copy.response.response if copy.response.at else "none")
    box.touch_event(copy)
    box.touch_instances(copy)
    return copy


def receive_cancellation(box: Mailbox, sent: Event) -> None:
    """Mark an attendee's copy as cancelled; a copy that is not there stays away."""
    copy = find_copy(box, sent)
    if copy is None or copy.is_cancelled:
        return
    for one in [copy, *copy.exceptions.values()]:
        if one.is_cancelled:
            continue
        one.is_cancelled = True
        one.content = one.content | {"subject": f"Canceled: {one.content['subject']}", "showAs": "free"}
    copy.sequence, copy.sent_at = sent.sequence, sent.sent_at
    box.touch_event(copy)
    box.touch_instances(copy)


def find_copy(box: Mailbox, sent: Event) -> Event | None:
    """Find what stands for another's event here; an occurrence is made an exception for it."""
    alone = box.find_by_uid(sent.uid.ical_uid(sent.day))
    if alone is not None or sent.day is None:
        return alone
    series = box.find_by_uid(sent.uid.ical_uid())
    occurrence = occurrence_of(box, series, sent.day) if series else None
    return make_exception(box, occurrence) if occurrence else None


def _new_copy(box: Mailbox, sent: Event) -> Event:
    now = sent.modified_at
    return replace(
        sent,
        id=box.new_item_id(),
        calendar_id=box.primary.id,
        is_organizer=False,
        content=sent.content
        | {"showAs": "tentative", "categories": [], "transactionId": None, "isReminderOn": True},
        attendees=_rows(sent, box),
        response=Status("notResponded"),
        created_at=now,
        modified_at=now,
        change_key=box.event_key(),
        master=None,
        exceptions={},
        cancelled=set(sent.cancelled),
        own_members=set(),
        extended={},
        is_virtual=False,
    )


def _rows(sent: Event, box: Mailbox) -> list[Attendee]:
    """Give the rows of an attendee's copy: the organizer too, and nobody's answer."""
    organizer = Attendee(person=sent.organizer)
    others = (row for row in sent.attendees if row.person != sent.organizer)
    return [organizer, *(Attendee(person=row.person, type=row.type) for row in others)]


def _drop_instances(box: Mailbox, series: Event) -> None:
    for exception in list(series.exceptions.values()):
        box.remove_event(exception)
    series.cancelled.clear()
