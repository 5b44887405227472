"""Turns the event that a client sent into values: what was written, when, who is invited. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from service.sandbox.bodies import as_page
from service.sandbox.event_rendering import DEFAULTS
from service.sandbox.extended import Properties, parse_property_id
from service.sandbox.items import Attendee, Json, Slot
from service.sandbox.moments import need_zone, parse_wall
from service.sandbox.people import Directory, Person
from service.sandbox.schema import read_body
from service.sandbox.series import Recurrence, begin_on_first_date, parse_recurrence
from service.sandbox.wire import GraphFault

WRITTEN: Final = (*DEFAULTS, "body", "location", "locations")
ATTENDEES_MAX: Final = 500
_DURATION_MAX: Final = timedelta(days=5 * 366)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventInput:
    """What a client wrote; None for what it did not speak of.

    Attributes:
        content: members that were written, by Graph's names.
        has_recurrence: it spoke of the recurrence, if only to end it.
    """

    content: Json
    slot: Slot | None
    recurrence: Recurrence | None
    has_recurrence: bool
    attendees: list[Attendee] | None
    extended: Properties


def read_event(body: Any, directory: Directory, *, before: Slot | None = None) -> EventInput:
    """Read an event to be made or changed.

    Args:
        before: the present slot of an event to be changed; a new one must name start and end.

    Raises:
        GraphFault: 400 for whatever Graph would not take.
    """
    given = read_body(body, "event")
    slot = _read_slot(given, before)
    attendees = given.get("attendees")
    return EventInput(
        content=_read_content(given),
        slot=slot,
        recurrence=_read_recurrence(given.get("recurrence"), slot or before),
        has_recurrence="recurrence" in given,
        attendees=None if attendees is None else _read_attendees(attendees, directory),
        extended={
            parse_property_id(one.get("id") or ""): one.get("value") or ""
            for one in given.get("singleValueExtendedProperties") or ()
        },
    )


def new_content(written: Json) -> Json:
    """Complete what was written with what Exchange sets by itself."""
    start: Json = {
        **DEFAULTS,
        "body": {"contentType": "html", "content": as_page("")},
        "location": None,
        "locations": [],
    }
    return start | written


def _read_content(given: Json) -> Json:
    content: Json = {name: given[name] for name in WRITTEN if given.get(name) is not None}
    if (body := content.get("body")) is not None:
        kind, text = body.get("contentType") or "text", body.get("content") or ""
        content["body"] = {"contentType": kind, "content": as_page(text) if kind == "html" else text}
    if location := content.get("location"):
        name = location.get("displayName") or ""
        content["location"] = {
            "displayName": name,
            "locationType": "default",
            "uniqueId": name,
            "uniqueIdType": "private",
            **location,
        }
        content.setdefault("locations", [content["location"]])
    return content


def _read_slot(given: Json, before: Slot | None) -> Slot | None:
    start, end, all_day = given.get("start"), given.get("end"), given.get("isAllDay")
    if before is None and (not start or not end):
        raise GraphFault(400, "ErrorPropertyValidationFailure", "At least one property failed validation.")
    if start is None and end is None and all_day is None:
        return None
    is_all_day = before.is_all_day if all_day is None and before else bool(all_day)
    slot = before or Slot(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    slot = replace(slot, is_all_day=is_all_day)
    if start:
        at, zone = _read_end(start, "start")
        slot = replace(slot, start=at, start_zone=zone)
    if end:
        at, zone = _read_end(end, "end")
        slot = replace(slot, end=at, end_zone=zone)
    _check_slot(slot)
    return slot


def _read_end(value: Json, name: str) -> tuple[datetime, str]:
    zone = value.get("timeZone") or "UTC"
    return parse_wall(value.get("dateTime") or "", zone, path=name), zone


def _check_slot(slot: Slot) -> None:
    if slot.end < slot.start:
        raise GraphFault(
            400, "ErrorCalendarEndDateIsEarlierThanStartDate", "The end date is earlier than the start date."
        )
    if slot.end - slot.start > _DURATION_MAX:
        raise GraphFault(
            400,
            "ErrorCalendarDurationIsTooLong",
            "The duration of a calendar item is longer than the maximum of 5 years.",
        )
    if not slot.is_all_day:
        return
    if slot.start_zone != slot.end_zone:
        raise GraphFault(
            400, "ErrorInvalidRequest", "The start and end of an all-day event must be in the same time zone."
        )
    for name, at in (("Start", slot.start), ("End", slot.end)):
        if at.astimezone(need_zone(slot.home)).time() != time():
            raise GraphFault(
                400,
                "ErrorInvalidRequest",
                f"The Event.{name} property for an all-day event needs to be set to midnight.",
            )
    if slot.end == slot.start:
        raise GraphFault(
            400,
            "ErrorInvalidRequest",
            "The duration of an event marked as All day must be at least 24 hours.",
        )


def _read_recurrence(value: Json | None, slot: Slot | None) -> Recurrence | None:
    if value is None or slot is None:
        return None
    found = parse_recurrence(value, start=slot.start, zone=slot.start_zone, is_all_day=slot.is_all_day)
    return begin_on_first_date(found)[0]


def _read_attendees(given: list[Json], directory: Directory) -> list[Attendee]:
    if len(given) > ATTENDEES_MAX:
        raise GraphFault(400, "ErrorInvalidRecipients", "An event takes at most 500 attendees.")
    found: dict[str, Attendee] = {}
    for one in given:
        person = read_person(one, directory)
        found.setdefault(
            person.address.casefold(), Attendee(person=person, type=one.get("type") or "required")
        )
    return list(found.values())


def read_person(given: Json, directory: Directory) -> Person:
    """Read a recipient; a primary address takes the directory's spelling and name, an alias stays.

    Raises:
        GraphFault: 400 for one without an address.
    """
    email = given.get("emailAddress") or {}
    address = (email.get("address") or "").strip()
    if "@" not in address and not address.startswith("/"):
        raise GraphFault(400, "ErrorInvalidRecipients", "At least one recipient isn't valid.")
    user = directory.look_up(address)
    if user is not None and user.address.casefold() == address.casefold():
        return user.person
    return Person(email.get("name") or (user.name if user else address), address)
