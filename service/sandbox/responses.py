"""An attendee answers: the own copy, the organizer's row, the message to the organizer or the delegates.

The order of the last two, and what Exchange leaves out, are beliefs. A declined meeting stays in the
attendee's calendar, as with Outlook's setting that preserves declined events.

Sources: MS-OXOCAL 3.1.4.8.4, 3.1.5.2 and
https://learn.microsoft.com/graph/outlook-create-event-in-shared-delegated-calendar
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from service.sandbox.bodies import comment_page
from service.sandbox.items import Attendee, Event, Slot, Status
from service.sandbox.mailbox import Mailbox
from service.sandbox.meeting_mail import (
    RESPONSES,
    MeetingMail,
    conversation_of,
    deliver_to,
    keep_sent,
    meeting_part,
    response_properties,
)
from service.sandbox.occurrences import make_exception, occurrence_of
from service.sandbox.people import Person, User
from service.sandbox.wire import GraphFault
from service.sandbox.world import World

_SHOW_AS = {"accepted": "busy", "tentativelyAccepted": "tentative", "declined": "free"}
_CANCELLED_CODES = {
    "accepted": "ErrorCalendarIsCancelledForAccept",
    "tentativelyAccepted": "ErrorCalendarIsCancelledForTentative",
    "declined": "ErrorCalendarIsCancelledForDecline",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was said.

    Attributes:
        value: `accepted`, `tentativelyAccepted` or `declined`.
        sends: false keeps the answer in the attendee's own calendar.
        proposal: a new time, with a tentative answer or a refusal.
    """

    value: str
    comment: str = ""
    sends: bool = True
    proposal: Slot | None = None


def respond(world: World, box: Mailbox, event: Event, answer: Answer, *, by: User) -> None:
    """Let the owner of a mailbox answer a meeting.

    Args:
        event: as it lies in that mailbox.
        by: who answers: the owner, or somebody on the owner's behalf.

    Raises:
        GraphFault: 400 for the organizer, a cancelled meeting, or a proposal that was not asked for.
    """
    _check(event, answer)
    at = world.clock.now() + timedelta(seconds=world.beliefs.clock_skew_s)
    event = make_exception(box, event)
    _record_own(box, event, answer, at)
    if not answer.sends or not event.content["responseRequested"]:
        return
    organizer = world.organizer_box(event)
    tallies = organizer is not None and _is_tallied(world, organizer, event, box.user)
    if organizer is not None and tallies and world.beliefs.event_before_message:
        _tally(world, organizer, event, answer, at, attendee=box.user)
    _send(world, box, event, answer, at, by=by, organizer=organizer)
    if organizer is not None and tallies and not world.beliefs.event_before_message:
        _tally(world, organizer, event, answer, at, attendee=box.user)


def _check(event: Event, answer: Answer) -> None:
    if event.is_organizer:
        raise GraphFault(
            400,
            "ErrorInvalidRequest",
            "Your request can't be completed. You can't respond to this meeting because "
            "you're the meeting organizer.",
        )
    if event.is_cancelled:
        raise GraphFault(400, _CANCELLED_CODES[answer.value], "The meeting has been cancelled.")
    if answer.proposal is None:
        return
    if answer.value == "accepted" or not event.content["allowNewTimeProposals"]:
        raise GraphFault(
            400,
            "ErrorInvalidRequest",
            "Your request can't be completed. The organizer takes no new time proposals.",
        )
    if not answer.sends:
        raise GraphFault(
            400,
            "ErrorInvalidRequest",
            "A new time can be proposed only if the response is sent to the organizer.",
        )


def _record_own(box: Mailbox, event: Event, answer: Answer, at: datetime) -> None:
    """Write the answer onto the attendee's copy; a series' answer holds for its instances too."""
    if event.master is not None:
        event.own_members.add("response")
    inheriting = [one for one in event.exceptions.values() if "response" not in one.own_members]
    for copy in [event, *inheriting]:
        copy.response = Status(answer.value, at)
        copy.content = copy.content | {"showAs": _SHOW_AS[answer.value]}
        for row in copy.attendees:
            if box.user.answers_to(row.person.address):
                row.status = Status(answer.value)
    box.touch_event(event)
    box.touch_instances(event)


def _is_tallied(world: World, organizer: Mailbox, event: Event, attendee: User) -> bool:
    """Tell whether Exchange writes the answer onto the organizer's event."""
    if world.beliefs.external_not_tallied and world.directory.is_external(attendee.address):
        return False
    held = organizer.find_by_uid(event.uid.ical_uid()) or organizer.find_by_uid(event.uid.ical_uid(event.day))
    return held is not None and held.is_organizer and held.calendar_id == organizer.primary.id


def _tally(
    world: World, organizer: Mailbox, event: Event, answer: Answer, at: datetime, *, attendee: User
) -> None:
    held = organizer.find_by_uid(event.uid.ical_uid())
    assert held is not None
    if event.day is not None:
        occurrence = occurrence_of(organizer, held, event.day)
        if occurrence is None:
            return
        held = occurrence
    if held.is_cancelled or not held.slot.same_time(event.slot):
        return
    shown = _find_row(world, held, attendee)
    if shown is not None and shown.status.at is not None and at < shown.status.at:
        return  # out of date by MS-OXOCAL 3.1.5.2: the row shows a later answer already
    held = make_exception(organizer, held)
    row = _find_row(world, held, attendee) or _add_row(world, held, attendee)
    row.status, row.proposal = Status(answer.value, at), answer.proposal
    row.is_own = event.day is not None
    for exception in held.exceptions.values():
        for copied in exception.attendees:
            if copied.person == row.person and not copied.is_own:
                copied.status = row.status
    organizer.touch_event(held)
    organizer.touch_instances(held)


def _find_row(world: World, held: Event, attendee: User) -> Attendee | None:
    """Find the row that shows the answers of somebody; None where there is none yet."""
    if world.beliefs.legacy_dn:
        return next((row for row in held.attendees if row.person.address == attendee.legacy_address), None)
    return next((row for row in held.attendees if attendee.answers_to(row.person.address)), None)


def _add_row(world: World, held: Event, attendee: User) -> Attendee:
    """Add a row for somebody who was never invited, or was invited under another address."""
    mine = next((row for row in held.attendees if attendee.answers_to(row.person.address)), None)
    row = Attendee(person=_as_sent(world, attendee), type=mine.type if mine else "required")
    held.attendees.append(row)
    return row


def _send(
    world: World,
    box: Mailbox,
    event: Event,
    answer: Answer,
    at: datetime,
    *,
    by: User,
    organizer: Mailbox | None,
) -> None:
    kind, message_class, word = RESPONSES[answer.value]
    prefix = "New Time Proposed" if answer.proposal else word
    part = meeting_part(event, kind=kind, message_class=message_class)
    mail = MeetingMail(
        sender=_as_sent(world, by),
        from_=_as_sent(world, box.user),
        to=(),
        subject=f"{prefix}: {event.content['subject']}",
        content=comment_page(answer.comment),
        meeting=replace(part, response=answer.value, proposal=answer.proposal),
        extended=response_properties(event, at=at, proposal=answer.proposal),
        conversation_id=conversation_of(event),
        sensitivity=event.content["sensitivity"],
        clock_skew_s=world.beliefs.clock_skew_s,
    )
    message_id = world.ids.internet_message_id()
    if by.has_mailbox:
        keep_sent(world, world.mailbox(by.id), mail, [event.organizer], message_id=message_id)
    if organizer is not None:
        deliver_to(world, organizer.user, mail, internet_message_id=message_id)


def _as_sent(world: World, user: User) -> Person:
    return Person(user.name, user.legacy_address) if world.beliefs.legacy_dn else user.person
