"""Who is coming, as plain data: each attendee with answer, standing and both witnesses. Pure."""

from __future__ import annotations

from typing import Any

from service.reconcile.attendee import DerivedAttendee
from service.reconcile.derive import DerivedInstance, derive
from service.reconcile.facts import MeetingFacts

Shown = dict[str, Any]


def describe_attendance(facts: MeetingFacts, *, tolerance_ns: int) -> list[Shown]:
    """Give what is so for each instance of a meeting, the whole first; empty while no event was read."""
    derived = derive(facts, tolerance_ns=tolerance_ns)
    return [
        {"instance": key or None, **_describe_instance(instance)}
        for key, instance in derived.instances.items()
    ]


def _describe_instance(instance: DerivedInstance) -> Shown:
    details = instance.head.details
    return {
        "subject": details.subject,
        "start": {"dateTime": details.start.date_time, "timeZone": details.start.time_zone},
        "ending": instance.ending or None,
        "tally": instance.count_answers(),
        "attendees": [_describe_attendee(address, one) for address, one in instance.attendees.items()],
    }


def _describe_attendee(address: str, attendee: DerivedAttendee) -> Shown:
    witness = attendee.answer
    return {
        "address": address,
        "name": attendee.row.name,
        "type": str(attendee.row.type),
        "value": str(attendee.value),
        "standing": str(attendee.standing),
        "overdue": attendee.is_overdue,
        "inherited": not attendee.is_own,
        "time": attendee.at.text if attendee.at else None,
        "message": None if witness is None else {"value": str(witness.value), "time": witness.at.text},
        "event": {
            "value": str(attendee.row.value),
            "time": attendee.row.at.text if attendee.row.at else None,
        },
    }
