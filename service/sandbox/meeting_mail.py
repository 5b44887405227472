"""Builds meeting messages and lays them where the delivery options of a mailbox want them.

Decides on mail only: what a message does to a calendar is no affair of this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from service.sandbox.extended import (
    ATTENDEE_CRITICAL_CHANGE,
    COUNTER_PROPOSAL,
    END_WHOLE,
    IS_ALL_DAY,
    IS_RECURRING,
    OWNER_CRITICAL_CHANGE,
    PROPOSED_END,
    PROPOSED_START,
    RECEIVED_REPRESENTING_ADDRESS,
    RECEIVED_REPRESENTING_SMTP,
    RECEIVED_REPRESENTING_TYPE,
    SEQUENCE,
    START_WHOLE,
    Properties,
)
from service.sandbox.items import Event, Folder, MeetingPart, Slot
from service.sandbox.mail import deliver
from service.sandbox.mailbox import Mailbox
from service.sandbox.moments import render_instant
from service.sandbox.people import Person, User
from service.sandbox.world import World

RESPONSES: Final = {
    "accepted": ("meetingAccepted", "IPM.Schedule.Meeting.Resp.Pos", "Accepted"),
    "tentativelyAccepted": ("meetingTenativelyAccepted", "IPM.Schedule.Meeting.Resp.Tent", "Tentative"),
    "declined": ("meetingDeclined", "IPM.Schedule.Meeting.Resp.Neg", "Declined"),
}
REQUEST_CLASS: Final = "IPM.Schedule.Meeting.Request"
CANCEL_CLASS: Final = "IPM.Schedule.Meeting.Canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingMail:
    """One meeting message, before it is copied into mailboxes.

    Attributes:
        to: whom the message names as recipients; empty where each copy names the one who gets it.
        at: when it was sent by the sender's clock.
        conversation_id: the same for all mail of one meeting.
    """

    sender: Person
    from_: Person
    to: Sequence[Person]
    subject: str
    content: str
    meeting: MeetingPart
    extended: Properties
    conversation_id: str
    sensitivity: str
    clock_skew_s: float = 0.0


def meeting_part(event: Event, *, kind: str, message_class: str) -> MeetingPart:
    """Give what every message of a meeting copies from its event."""
    return MeetingPart(
        kind=kind,
        message_class=message_class,
        uid=event.uid,
        day=event.day,
        slot=event.slot,
        recurrence=event.recurrence,
        location=event.content.get("location") or {"displayName": "", "locationType": "default"},
        event_type=event.type,
        is_response_requested=event.content["responseRequested"],
        allows_proposals=event.content["allowNewTimeProposals"],
    )


def message_properties(event: Event) -> Properties:
    """Give the extended properties that every message of a meeting copies from its event."""
    known: Properties = {
        **event.uid.properties(event.day),
        SEQUENCE: str(event.sequence),
        START_WHOLE: render_instant(event.slot.start),
        END_WHOLE: render_instant(event.slot.end),
        IS_ALL_DAY: str(event.slot.is_all_day).lower(),
        IS_RECURRING: str(event.recurrence is not None or event.master is not None).lower(),
    }
    if event.sent_at is not None:
        known[OWNER_CRITICAL_CHANGE] = render_instant(event.sent_at)
    return known


def response_properties(event: Event, *, at: datetime, proposal: Slot | None) -> Properties:
    """Give the extended properties of a response."""
    known = message_properties(event) | {ATTENDEE_CRITICAL_CHANGE: render_instant(at)}
    if proposal is not None:
        known |= {
            COUNTER_PROPOSAL: "true",
            PROPOSED_START: render_instant(proposal.start),
            PROPOSED_END: render_instant(proposal.end),
        }
    return known


def conversation_of(event: Event) -> str:
    """Give the conversation of a meeting: the same in every mailbox."""
    return f"AAQkA{event.uid.ical_uid()[-40:]}="


def deliver_to(world: World, user: User, mail: MeetingMail, *, internet_message_id: str) -> None:
    """Lay a meeting message for somebody: in the delegates' inboxes, their own, or both."""
    if not user.has_mailbox:
        return
    delegates = world.delegates_of(user)
    for delegate in delegates:
        if delegate.has_mailbox:
            _lay(world, world.mailbox(delegate.id), mail, internet_message_id, represented=user)
    own = world.mailbox(user.id)
    if not delegates or user.delivery != "sendToDelegateOnly":
        _lay(world, own, mail, internet_message_id, represented=user)
    elif user.keeps_deleted_copy:
        _lay(world, own, mail, internet_message_id, represented=user, folder="deleteditems")


def keep_sent(
    world: World, box: Mailbox, mail: MeetingMail, to: Iterable[Person], *, message_id: str
) -> None:
    """Keep a copy in the sender's Sent Items."""
    deliver(
        world,
        box,
        sender=mail.sender,
        from_=mail.from_,
        to=to,
        subject=mail.subject,
        content=mail.content,
        folder=box.find_folder("sentitems"),
        meeting=mail.meeting,
        extended=mail.extended,
        internet_message_id=message_id,
        conversation_id=mail.conversation_id,
        sent_ahead_s=mail.clock_skew_s,
        is_read=True,
        sensitivity=mail.sensitivity,
    )


def _lay(
    world: World,
    box: Mailbox,
    mail: MeetingMail,
    internet_message_id: str,
    *,
    represented: User,
    folder: str = "inbox",
) -> None:
    extended = dict(mail.extended)
    if mail.meeting.is_update:
        _outdate(box, mail.meeting)
    if world.beliefs.received_representing:
        extended |= {
            RECEIVED_REPRESENTING_TYPE: "EX",
            RECEIVED_REPRESENTING_ADDRESS: represented.legacy_address,
            RECEIVED_REPRESENTING_SMTP: represented.address,
        }
    deliver(
        world,
        box,
        sender=mail.sender,
        from_=mail.from_,
        to=mail.to or [box.user.person],
        subject=mail.subject,
        content=mail.content,
        folder=_file_answer(box) if mail.meeting.response and folder == "inbox" else box.find_folder(folder),
        meeting=mail.meeting,
        extended=extended,
        internet_message_id=internet_message_id,
        conversation_id=mail.conversation_id,
        sent_ahead_s=mail.clock_skew_s,
        is_delegated=represented.id != box.user.id,
        sensitivity=mail.sensitivity,
    )


def _file_answer(box: Mailbox) -> Folder:
    """Give the folder into which a rule files meeting responses; the inbox where there is none."""
    name = box.user.answers_folder
    if not name:
        return box.find_folder("inbox")
    held = next((one for one in box.folders.values() if one.name == name), None)
    return held or box.add_folder(name)


def _outdate(box: Mailbox, update: MeetingPart) -> None:
    """Mark the requests that an update supersedes; Exchange tells nobody of that."""
    for message in box.messages.values():
        meeting = message.meeting
        if (
            meeting
            and meeting.kind == "meetingRequest"
            and (meeting.uid, meeting.day) == (update.uid, update.day)
        ):
            message.is_out_of_date = True
