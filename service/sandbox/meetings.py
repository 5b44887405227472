"""The organizer's side of a meeting: made, changed, cancelled, deleted, forwarded, and the mail that follows.

Sources: MS-OXOCAL 3.1.5 and https://learn.microsoft.com/graph/api/resources/event
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from service.sandbox.bodies import comment_page
from service.sandbox.event_input import EventInput, new_content
from service.sandbox.extended import MeetingUid
from service.sandbox.invitations import find_copy, receive_cancellation, receive_request
from service.sandbox.items import Attendee, Calendar, Event, MeetingPart, Slot, Status
from service.sandbox.mailbox import Mailbox
from service.sandbox.meeting_mail import (
    CANCEL_CLASS,
    REQUEST_CLASS,
    MeetingMail,
    conversation_of,
    deliver_to,
    keep_sent,
    meeting_part,
    message_properties,
)
from service.sandbox.occurrences import make_exception
from service.sandbox.people import Person, User
from service.sandbox.responses import Answer, respond
from service.sandbox.wire import GraphFault
from service.sandbox.world import World


def create_event(world: World, calendar: Calendar, given: EventInput, *, by: User) -> Event:
    """Make an event in the mailbox of the calendar's owner, and invite.

    Args:
        by: the owner, or a delegate who acts for the owner.
    """
    assert given.slot is not None
    now = world.clock.now()
    box = world.mailbox(calendar.owner_id)
    owner = box.user
    foreign = (
        f"{world.ids.bytes(13).hex()}@{owner.domain}" if world.directory.is_external(owner.address) else ""
    )
    event = Event(
        id=box.new_item_id(),
        calendar_id=box.primary.id if calendar.is_primary else calendar.id,
        uid=MeetingUid(now, world.ids.bytes(16), foreign),
        organizer=owner.person,
        is_organizer=True,
        slot=given.slot,
        content=new_content(given.content),
        attendees=given.attendees or [],
        response=Status("organizer"),
        recurrence=given.recurrence,
        sent_at=now if given.attendees else None,
        created_at=now,
        modified_at=now,
        change_key=box.event_key(),
        extended=dict(given.extended),
    )
    if event.recurrence is not None:
        _align_series(event)
    box.add_event(event)
    send_request(world, event, [row.person for row in event.attendees], by=by)
    return event


def _align_series(event: Event) -> None:
    """Put a series master onto its first date, as Exchange does."""
    assert event.recurrence is not None
    first = (event.slot.start, event.slot.end)
    start, end = event.recurrence.place(event.recurrence.start_date, first)
    event.slot = replace(event.slot, start=start, end=end)


def send_request(
    world: World,
    event: Event,
    to: Sequence[Person],
    *,
    by: User,
    previous: Slot | None = None,
    is_update: bool = False,
    moved: bool = False,
) -> None:
    """Send the organizer's event to these people and put it into their calendars."""
    users = _recipients(world, event, to)
    if not to:
        return
    part = meeting_part(event, kind="meetingRequest", message_class=REQUEST_CLASS)
    mail = _mail(
        event,
        by=by,
        subject=event.content["subject"],
        content=event.content["body"]["content"],
        part=replace(part, is_update=is_update, previous=previous),
    )
    message_id = world.ids.internet_message_id()
    _keep(world, by, mail, message_id)
    for user in users:
        deliver_to(world, user, mail, internet_message_id=message_id)
        if user.has_mailbox and (user.processes_updates or not is_update):
            _receive(world, user, event, resets=moved)


def _receive(world: World, user: User, event: Event, *, resets: bool) -> None:
    """Put a meeting into somebody's calendar; rooms answer at once."""
    box = world.mailbox(user.id)
    copy = receive_request(box, event, resets=resets)
    if user.auto_answer is not None and copy.response.at is None:
        respond(world, box, copy, Answer(value=user.auto_answer), by=user)


def send_cancellation(
    world: World, event: Event, to: Sequence[Person], *, by: User, comment: str = ""
) -> None:
    """Tell these people that the meeting, or their part in it, is off."""
    if not to:
        return
    part = meeting_part(event, kind="meetingCancelled", message_class=CANCEL_CLASS)
    mail = _mail(
        event,
        by=by,
        subject=f"Canceled: {event.content['subject']}",
        content=comment_page(comment),
        part=part,
    )
    mail = replace(mail, to=tuple(to))
    message_id = world.ids.internet_message_id()
    _keep(world, by, mail, message_id)
    for user in _recipients(world, event, to):
        deliver_to(world, user, mail, internet_message_id=message_id)
        if user.has_mailbox:
            receive_cancellation(world.mailbox(user.id), event)


def _mail(event: Event, *, by: User, subject: str, content: str, part: MeetingPart) -> MeetingMail:
    return MeetingMail(
        sender=by.person,
        from_=event.organizer,
        to=tuple(row.person for row in event.attendees),
        subject=subject,
        content=content,
        meeting=part,
        extended=message_properties(event),
        conversation_id=conversation_of(event),
        sensitivity=event.content["sensitivity"],
    )


def _keep(world: World, by: User, mail: MeetingMail, message_id: str) -> None:
    if by.has_mailbox:
        keep_sent(world, world.mailbox(by.id), mail, mail.to, message_id=message_id)


def _recipients(world: World, event: Event, to: Iterable[Person]) -> list[User]:
    """Give everybody behind these addresses but the organizer; lists by their members."""
    users = world.directory.expand(person.address for person in to)
    return [user for user in users if not user.answers_to(event.organizer.address)]


def cancel_event(world: World, box: Mailbox, event: Event, *, by: User, comment: str = "") -> None:
    """Cancel a meeting or one occurrence: it goes to Deleted Items, marked as cancelled.

    Raises:
        GraphFault: 400 for an attendee, and for what is no meeting.
    """
    box.need_kept(event)
    if not event.is_organizer or not event.is_meeting:
        raise GraphFault(
            400,
            "ErrorInvalidRequest",
            "Your request can't be completed. You need to be an organizer to cancel a meeting.",
        )
    event = make_exception(box, event)
    event.sequence += 1
    event.sent_at = world.clock.now()
    event.is_cancelled = True
    event.content = event.content | {"subject": f"Canceled: {event.content['subject']}"}
    box.touch_event(event)
    _take_out_of_series(event)
    box.discard_event(event)
    told = replace(event, content=event.content | {"subject": event.content["subject"][len("Canceled: ") :]})
    send_cancellation(world, told, [row.person for row in event.attendees], by=by, comment=comment)


def delete_event(world: World, box: Mailbox, event: Event, *, by: User) -> None:
    """Delete an event; of a meeting the organizer's deletion tells the attendees."""
    if box.forget_discarded(event):
        return
    event = make_exception(box, event)
    _take_out_of_series(event)
    box.remove_event(event)
    if event.master is not None:
        box.touch_event(event.master)
    if event.is_organizer and event.is_meeting and not event.is_cancelled:
        gone = replace(event, sequence=event.sequence + 1, sent_at=world.clock.now())
        send_cancellation(world, gone, [row.person for row in event.attendees], by=by)


def _take_out_of_series(event: Event) -> None:
    if event.master is not None and event.day is not None:
        event.master.cancelled.add(event.day)


def forward_event(
    world: World, box: Mailbox, event: Event, to: Sequence[Person], *, by: User, comment: str = ""
) -> None:
    """Forward a meeting or one occurrence: who gets it is on the organizer's list from then on, as optional.

    Raises:
        GraphFault: 400 for what lies in Deleted Items.
    """
    box.need_kept(event)
    organizer = world.organizer_box(event)
    held = (find_copy(organizer, event) if organizer else None) or event
    if organizer is not None and held.is_organizer:
        for one in (held, *held.exceptions.values()):
            _add_rows(one, to)
        organizer.touch_event(held)
        organizer.touch_instances(held)
    part = meeting_part(event, kind="meetingRequest", message_class=REQUEST_CLASS)
    mail = _mail(
        event, by=by, subject=f"FW: {event.content['subject']}", content=comment_page(comment), part=part
    )
    mail = replace(mail, from_=box.user.person, to=tuple(to))
    message_id = world.ids.internet_message_id()
    _keep(world, by, mail, message_id)
    for user in _recipients(world, event, to):
        deliver_to(world, user, mail, internet_message_id=message_id)
        if user.has_mailbox:
            _receive(world, user, held, resets=False)


def _add_rows(event: Event, people: Sequence[Person]) -> None:
    known = {row.person.address.casefold() for row in event.attendees}
    event.attendees += [
        Attendee(person=person, type="optional")
        for person in people
        if person.address.casefold() not in known
    ]
