"""Puts a copy of a message into a mailbox, with what every message has. Knows no rule of delivery."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from service.sandbox.bodies import preview
from service.sandbox.extended import (
    MESSAGE_CLASS,
    SENDER_SMTP,
    SENSITIVITIES,
    SENSITIVITY,
    SENT_REPRESENTING_SMTP,
    Properties,
)
from service.sandbox.items import Folder, MeetingPart, Message
from service.sandbox.mailbox import Mailbox
from service.sandbox.moments import to_seconds
from service.sandbox.people import Person

if TYPE_CHECKING:
    from service.sandbox.world import World


def deliver(
    world: World,
    box: Mailbox,
    *,
    sender: Person,
    from_: Person,
    to: Iterable[Person],
    subject: str,
    content: str,
    kind: str = "html",
    folder: Folder | None = None,
    meeting: MeetingPart | None = None,
    extended: Properties | None = None,
    internet_message_id: str | None = None,
    conversation_id: str | None = None,
    sent_ahead_s: float = 0.0,
    is_delegated: bool = False,
    is_read: bool = False,
    sensitivity: str = "normal",
) -> Message:
    """Put one copy of a message into a mailbox.

    Args:
        folder: the inbox unless given.
        sent_ahead_s: how far the sender's clock is ahead.
    """
    now = world.clock.now()
    sent = to_seconds(now + timedelta(seconds=sent_ahead_s))
    known = {MESSAGE_CLASS: meeting.message_class if meeting else "IPM.Note"}
    known |= {SENDER_SMTP: _smtp(world, sender), SENT_REPRESENTING_SMTP: _smtp(world, from_)}
    known[SENSITIVITY] = str(SENSITIVITIES.index(sensitivity))
    message = Message(
        id=box.new_item_id(),
        folder_id=(folder or box.find_folder("inbox")).id,
        subject=subject,
        body={"contentType": kind, "content": content},
        preview=preview(content, kind),
        sender=sender,
        from_=from_,
        to=list(to),
        internet_message_id=internet_message_id or world.ids.internet_message_id(),
        conversation_id=conversation_id or world.ids.conversation(),
        sent_at=sent,
        received_at=to_seconds(now),
        created_at=now.replace(microsecond=0),
        modified_at=now.replace(microsecond=0),
        change_key="",
        is_read=is_read,
        is_delegated=is_delegated,
        meeting=meeting,
        extended=known | (extended or {}),
    )
    message.change_key = box.message_key(message)
    box.add_message(message)
    return message


def _smtp(world: World, person: Person) -> str:
    user = world.directory.look_up(person.address)
    return user.address if user else person.address
