"""How an event looks to a client, its extended properties included. Draws what is there, changes nothing."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from service.sandbox.beliefs import Beliefs
from service.sandbox.bodies import preview
from service.sandbox.extended import (
    END_WHOLE,
    IS_ALL_DAY,
    IS_RECURRING,
    MESSAGE_CLASS,
    OWNER_CRITICAL_CHANGE,
    SENSITIVITIES,
    SENSITIVITY,
    SEQUENCE,
    START_WHOLE,
    Properties,
)
from service.sandbox.items import Attendee, Event, Json, Slot, Status
from service.sandbox.moments import render_instant, render_wall
from service.sandbox.rendering import View, etag

DEFAULTS: dict[str, object] = {
    "subject": "",
    "importance": "normal",
    "sensitivity": "normal",
    "showAs": "busy",
    "categories": [],
    "isReminderOn": True,
    "reminderMinutesBeforeStart": 15,
    "responseRequested": True,
    "allowNewTimeProposals": True,
    "hideAttendees": False,
    "isOnlineMeeting": False,
    "onlineMeetingProvider": "unknown",
    "transactionId": None,
}
EMPTY_LOCATION: Json = {"displayName": "", "locationType": "default", "uniqueIdType": "unknown"}


_AS_WRITTEN: Final = (
    *("transactionId", "reminderMinutesBeforeStart", "isReminderOn", "subject", "importance", "sensitivity"),
    *("responseRequested", "showAs", "isOnlineMeeting", "onlineMeetingProvider", "allowNewTimeProposals"),
    "hideAttendees",
)


def shown_ical_uid(event: Event, beliefs: Beliefs) -> str | None:
    """Give the iCalUId that an event shows: its own, its series', or none, as is believed."""
    if beliefs.null_ical_uid and event.is_organizer:
        return None
    return event.uid.ical_uid(None if beliefs.shared_ical_uid else event.day)


def render_event(view: View, event: Event, *, owner_id: str, sees_private: bool = True) -> Json:
    """Give every member of an event.

    Args:
        owner_id: whose calendar it lies in; another's where the view is a delegate's.
        sees_private: whether the one who looks may see what private events are about.
    """
    is_hidden = event.is_private and not sees_private
    content = _hidden(event) if is_hidden else event.content
    rows = [] if is_hidden else _visible_rows(view, event)
    return {
        **etag(event.change_key),
        "id": _shown_id(view, event, owner_id),
        "createdDateTime": render_instant(event.created_at),
        "lastModifiedDateTime": render_instant(event.modified_at),
        "changeKey": event.change_key,
        "iCalUId": shown_ical_uid(event, view.world.beliefs),
        **_state(view, event, owner_id),
        **_written(view, content),
        **_place(view, event),
        "attendees": [render_attendee(view, row) for row in rows],
        "organizer": event.organizer.render(),
    }


def _state(view: View, event: Event, owner_id: str) -> Json:
    """Give what Exchange says of an event by itself."""
    shown = quote(_shown_id(view, event, owner_id), safe="")
    return {
        "hasAttachments": False,
        "isCancelled": event.is_cancelled,
        "isOrganizer": event.is_organizer,
        "isDraft": False,
        "seriesMasterId": None if event.master is None else _shown_id(view, event.master, owner_id),
        "type": event.type,
        "webLink": f"https://outlook.office365.com/owa/?itemid={shown}&exvsurl=1&path=/calendar/item",
        "onlineMeetingUrl": None,
        "onlineMeeting": None,
        "responseStatus": render_status(event.response),
    }


def _written(view: View, content: Json) -> Json:
    """Give what people wrote, under Graph's names."""
    told = preview(content["body"]["content"], content["body"]["contentType"])
    return {
        **{name: content[name] for name in _AS_WRITTEN},
        "categories": list(content["categories"]),
        "bodyPreview": told,
        "body": view.body(content["body"], told),
        "location": dict(content.get("location") or EMPTY_LOCATION),
        "locations": [dict(one) for one in content.get("locations") or ()],
    }


def _shown_id(view: View, event: Event, owner_id: str) -> str:
    if owner_id == view.box.user.id:
        return view.id(event.id)
    return view.id(view.box.shared_id(owner_id, event.id))


def _hidden(event: Event) -> Json:
    """Give what others see of a private event: when, and nothing else."""
    kept = {name: event.content[name] for name in ("sensitivity", "showAs")}
    return {
        **DEFAULTS,
        **kept,
        "subject": "Private Appointment",
        "body": {"contentType": "text", "content": ""},
    }


def _visible_rows(view: View, event: Event) -> list[Attendee]:
    if event.content["hideAttendees"] and not event.is_organizer:
        return [row for row in event.attendees if view.box.user.answers_to(row.person.address)]
    return event.attendees


def _place(view: View, event: Event) -> Json:
    slot = event.slot
    placed: Json = {
        "originalStartTimeZone": slot.start_zone,
        "originalEndTimeZone": slot.end_zone,
        "isAllDay": slot.is_all_day,
        "recurrence": event.recurrence.render() if event.recurrence else None,
        "start": render_wall(slot.start, view.zone, home=slot.home),
        "end": render_wall(slot.end, view.zone, home=slot.home),
    }
    if event.original_start is not None:
        placed["originalStart"] = render_instant(event.original_start)
    return placed


def render_status(status: Status) -> Json:
    """Give a responseStatus; year 1 where there was no answer."""
    return {"response": status.response, "time": render_instant(status.at)}


def render_slot(slot: Slot, zone: str) -> Json:
    """Give a timeSlot."""
    return {
        "start": render_wall(slot.start, zone, home=slot.home),
        "end": render_wall(slot.end, zone, home=slot.home),
    }


def render_attendee(view: View, row: Attendee) -> Json:
    """Give one row; the proposed time only where there is one."""
    drawn: Json = {"type": row.type, "status": render_status(row.status)}
    if row.proposal is not None:
        drawn["proposedNewTime"] = render_slot(row.proposal, view.zone)
    return drawn | row.person.render()


def event_properties(event: Event) -> Properties:
    """Give every extended property of an event."""
    known: Properties = {
        MESSAGE_CLASS: "IPM.Appointment",
        SEQUENCE: str(event.sequence),
        START_WHOLE: render_instant(event.slot.start),
        END_WHOLE: render_instant(event.slot.end),
        IS_ALL_DAY: str(event.slot.is_all_day).lower(),
        IS_RECURRING: str(event.recurrence is not None or event.master is not None).lower(),
        SENSITIVITY: str(SENSITIVITIES.index(event.content["sensitivity"])),
        **event.uid.properties(event.day),
    }
    if event.sent_at is not None:
        known[OWNER_CRITICAL_CHANGE] = render_instant(event.sent_at)
    return event.extended | known
