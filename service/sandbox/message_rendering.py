"""How a message looks to a client: plain ones, and the three kinds of event message. Changes nothing."""

from __future__ import annotations

from base64 import b64encode
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote

from service.sandbox.event_rendering import render_slot
from service.sandbox.items import Event, Json, MeetingPart, Message
from service.sandbox.moments import render_seconds, render_wall
from service.sandbox.occurrences import occurrence_of
from service.sandbox.rendering import View, etag

RESPONSE: Final = "eventMessageResponse"


def message_type(message: Message) -> str:
    """Give the name of the type, without its namespace, that Graph gives a message.

    Requests have their own; for responses and cancellations the samples show the shared base type.
    """
    if message.meeting is None:
        return "message"
    return "eventMessageRequest" if message.meeting.kind == "meetingRequest" else "eventMessage"


def render_message(view: View, message: Message, *, cast: str = "") -> Json:
    """Give every member of a message.

    Args:
        cast: the derived type that path or options named: its members come along. Without that, a response
            shows its `meetingMessageType` only, as in the samples.
    """
    shown = view.id(message.id)
    link = (
        f"https://outlook.office365.com/owa/?ItemID={quote(shown, safe='')}"
        "&exvsurl=1&viewmodel=ReadMessageItem"
    )
    kind = message_type(message)
    if cast == RESPONSE and message.meeting is not None and message.meeting.response:
        kind = RESPONSE
    entity: Json = {} if kind == "message" else {"@odata.type": f"#microsoft.graph.{kind}"}
    entity |= {
        **etag(message.change_key),
        "id": shown,
        "createdDateTime": render_seconds(message.created_at),
        "lastModifiedDateTime": render_seconds(message.modified_at),
        "changeKey": message.change_key,
        "categories": list(message.categories),
        "receivedDateTime": render_seconds(message.received_at),
        "sentDateTime": render_seconds(message.sent_at),
        "hasAttachments": False,
        "internetMessageId": message.internet_message_id,
        "subject": message.subject,
        "bodyPreview": message.preview,
        "importance": message.importance,
        "parentFolderId": message.folder_id,
        "conversationId": message.conversation_id,
        "conversationIndex": b64encode(message.conversation_id.encode()[:22]).decode(),
        "isDeliveryReceiptRequested": None if message.meeting else False,
        "isReadReceiptRequested": False,
        "isRead": message.is_read,
        "isDraft": False,
        "webLink": link,
        "inferenceClassification": "focused",
    }
    if message.meeting is not None:
        entity |= _meeting_members(view, message, message.meeting, cast=cast)
    entity["body"] = view.body(message.body, message.preview)
    entity["sender"] = message.sender.render() if message.sender else None
    entity["from"] = message.from_.render() if message.from_ else None
    entity["toRecipients"] = [person.render() for person in message.to]
    entity |= {"ccRecipients": [], "bccRecipients": [], "replyTo": []}
    entity["flag"] = dict(message.flag)
    return entity


def render_on_demand(view: View, message: Message) -> Json:
    """Give the members that come along only where `$select` names them.

    Source: https://learn.microsoft.com/graph/api/resources/message
    """
    headers = {
        "From": message.from_.address if message.from_ else "",
        "To": ", ".join(person.address for person in message.to),
        "Subject": message.subject,
        "Message-ID": message.internet_message_id,
        "Date": format_datetime(message.sent_at),
    }
    return {
        "internetMessageHeaders": [{"name": name, "value": value} for name, value in headers.items()],
        "uniqueBody": view.body(message.body, message.preview),
    }


def _meeting_members(view: View, message: Message, meeting: MeetingPart, *, cast: str) -> Json:
    members: Json = {"meetingMessageType": meeting.kind}
    if meeting.response and not cast:
        return members
    slot = meeting.slot
    members |= {
        "type": meeting.event_type,
        "isOutOfDate": message.is_out_of_date,
        "isAllDay": slot.is_all_day,
        "isDelegated": message.is_delegated,
        "location": dict(meeting.location),
        "recurrence": meeting.recurrence.render() if meeting.recurrence else None,
        "startDateTime": render_wall(slot.start, view.zone, home=slot.home),
        "endDateTime": render_wall(slot.end, view.zone, home=slot.home),
    }
    if meeting.kind == "meetingRequest":
        members |= _request_members(view, meeting)
    elif meeting.response and cast == RESPONSE:
        members |= {
            "responseType": meeting.response,
            "proposedNewTime": render_slot(meeting.proposal, view.zone) if meeting.proposal else None,
        }
    return members


def _request_members(view: View, meeting: MeetingPart) -> Json:
    previous = meeting.previous
    moved = previous is not None and not previous.same_time(meeting.slot)
    kind = "newMeetingRequest"
    if meeting.is_update:
        kind = "fullUpdate" if moved else "informationalUpdate"
    drawn = render_slot(previous, view.zone) if previous is not None and moved else {}
    return {
        "responseRequested": meeting.is_response_requested,
        "allowNewTimeProposals": meeting.allows_proposals,
        "meetingRequestType": kind,
        "previousLocation": None,
        "previousStartDateTime": drawn.get("start"),
        "previousEndDateTime": drawn.get("end"),
    }


def event_of(view: View, message: Message) -> Event | None:
    """Find the event of a meeting message in the mailbox that holds the message; None where it has none."""
    meeting = message.meeting
    if meeting is None:
        return None
    alone = view.box.find_by_uid(meeting.uid.ical_uid(meeting.day))
    if alone is not None:
        return alone
    series = view.box.find_by_uid(meeting.uid.ical_uid())
    if series is None or meeting.day is None:
        return series
    return occurrence_of(view.box, series, meeting.day)
