"""The typed dictionaries name what Graph's schema names, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import pytest

from service.graph import payloads

TYPES: dict[str, Any] = json.loads((Path(__file__).parents[2] / "fixtures" / "graph-types.json").read_text())[
    "types"
]

SHAPES = {
    "emailAddress": payloads.EmailAddress,
    "recipient": payloads.Recipient,
    "dateTimeTimeZone": payloads.DateTimeTimeZonePayload,
    "timeSlot": payloads.TimeSlot,
    "responseStatus": payloads.ResponseStatus,
    "attendee": payloads.Attendee,
    "recurrencePattern": payloads.RecurrencePattern,
    "recurrenceRange": payloads.RecurrenceRange,
    "singleValueLegacyExtendedProperty": payloads.ExtendedProperty,
    "event": payloads.Event,
    "eventMessageResponse": payloads.EventMessage,
    "calendarPermission": payloads.CalendarPermission,
    "subscription": payloads.Subscription,
}
ENUMS = {
    "meetingMessageType": payloads.MeetingMessageType,
    "eventType": payloads.EventTypeName,
    "sensitivity": payloads.SensitivityName,
    "attendeeType": payloads.AttendeeTypeName,
    "delegateMeetingMessageDeliveryOptions": payloads.DeliveryOptionName,
    "calendarRoleType": payloads.CalendarRole,
}
# Every item of Outlook may carry them; the schema has them as navigation of several types.
NAVIGATION = {"singleValueExtendedProperties", "event"}


def members_of(name: str) -> Iterable[str]:
    """Give the properties of a type and of its base types."""
    while name in TYPES:
        yield from TYPES[name]["properties"]
        name = str(TYPES[name].get("baseType", "")).rpartition(".")[2]


@pytest.mark.parametrize("name", SHAPES)
def test_every_member_of_a_shape_is_one_of_graphs(name: str) -> None:
    ours = {member for member in SHAPES[name].__annotations__ if not member.startswith("@odata.")}
    assert ours - NAVIGATION <= {"id", *members_of(name)}


@pytest.mark.parametrize("name", ENUMS)
def test_every_choice_is_spelt_as_graph_spells_it(name: str) -> None:
    assert set(get_args(ENUMS[name])) == set(TYPES[name]["members"])
