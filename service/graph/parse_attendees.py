"""The attendees of an event as rows, and people as mails name them. No I/O.

Source: https://learn.microsoft.com/graph/api/resources/attendee
"""

from __future__ import annotations

from typing import Final

from service.graph.node import Node
from service.reconcile.matching import normalize_address
from service.reconcile.model import Address, AttendeeRow, AttendeeType, Person, Proposal, ResponseValue

_VALUES: Final = {value.value.lower(): value for value in ResponseValue} | {
    # The schema misspells `meetingTenativelyAccepted`; the same slip is taken here.
    "tenativelyaccepted": ResponseValue.TENTATIVE,
}
_TYPES: Final = {kind.value: kind for kind in AttendeeType}
_ORGANIZER: Final = "organizer"


def parse_rows(attendees: Node, organizer: Node) -> tuple[AttendeeRow, ...]:
    """Read the attendees: at most one row per address, by address, the organizer left out.

    Args:
        attendees: a list; may be absent.
        organizer: a `recipient`; may be absent.
    """
    own = identify_person(organizer)
    rows: dict[Address, AttendeeRow] = {}
    for node in attendees.items():
        row = _parse_row(node)
        if row is None or row.address == own:
            continue
        rows[row.address] = max(rows.get(row.address, row), row, key=_weight)
    return tuple(rows[address] for address in sorted(rows))


def parse_value(response: Node) -> ResponseValue:
    """Read a `responseType`: what is unknown is no answer."""
    word = response.word()
    if word in _VALUES:
        return _VALUES[word]
    if word:
        response.note("unknown response")
    return ResponseValue.NONE


def parse_person(recipient: Node) -> Person | None:
    """Read a `recipient`; None where it names nobody."""
    mail = recipient["emailAddress"]
    person = Person(name=mail["name"].text() or "", address=mail["address"].text() or "")
    return person if person.name or person.address else None


def identify_person(recipient: Node) -> Address | None:
    """Give the address in normal form; `name:` and the name where Graph gives no address."""
    person = parse_person(recipient)
    if person is None:
        return None
    if person.address:
        return normalize_address(person.address)
    return Address(f"name:{person.name.strip().casefold()}")


def parse_proposal(slot: Node) -> Proposal | None:
    """Read a `timeSlot`; None where it is absent or cannot be read.

    Source: https://learn.microsoft.com/graph/api/resources/timeslot
    """
    start, end = slot.first("start", "Start").zoned_time(), slot.first("end", "End").zoned_time()
    if start is None or end is None or start.instant is None or end.instant is None:
        if not slot.is_absent:
            slot.note("expected a start and an end")
        return None
    return Proposal(start=start.instant, end=end.instant, given_start=start.given, given_end=end.given)


def _parse_row(node: Node) -> AttendeeRow | None:
    address, person, status = identify_person(node), parse_person(node), node["status"]
    if address is None or person is None:
        node.note("an attendee without address and name")
        return None
    if status["response"].word() == _ORGANIZER:
        return None
    return AttendeeRow(
        address=address,
        given_address=person.address,
        name=person.name,
        type=_parse_type(node["type"]),
        value=parse_value(status["response"]),
        at=status["time"].instant(),
        proposal=parse_proposal(node["proposedNewTime"]),
    )


def _parse_type(node: Node) -> AttendeeType:
    word = node.word()
    if word and word not in _TYPES:
        node.note("unknown type")
    return _TYPES.get(word, AttendeeType.REQUIRED)


def _weight(row: AttendeeRow) -> tuple[bool, int, str, str, str]:
    """Order rows of one address: an answer before none, then the later, then anything stable."""
    at_ns = -1 if row.at is None else row.at.ns
    return (row.value.is_answer, at_ns, row.value.value, row.name, row.given_address)
