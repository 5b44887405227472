"""From facts to what is so: for each instance its ending, its slot, and each attendee's answer.

A pure function of the facts. Must never look at what was published: that is `emit.py`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from service.reconcile.attendee import DerivedAttendee, Own, derive_attendee
from service.reconcile.counting import Yardstick
from service.reconcile.facts import EventHead, InstanceFacts, MeetingFacts, same_slot, status_ns
from service.reconcile.instant import Instant
from service.reconcile.model import (
    WHOLE,
    Address,
    AttendeeRow,
    AttendeeType,
    EventType,
    InstanceKey,
    ResponseValue,
    Slot,
)
from service.reconcile.persons import NOBODY, PersonFacts, gather_persons
from service.reconcile.places import series_place

CANCELLED: Final = "cancelled"
DELETED: Final = "deleted"
_COUNTED: Final = (
    ResponseValue.ACCEPTED,
    ResponseValue.TENTATIVE,
    ResponseValue.DECLINED,
    ResponseValue.NONE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedInstance:
    """What is so for one instance.

    Attributes:
        ending: empty, `cancelled` or `deleted`; then there is nobody.
        slot: of its event; for an occurrence without one, the series' place; None where unknown.
        place: where the series puts this occurrence; None for what is no occurrence, or where unknown.
        head: the event that speaks for this instance; the series' where the occurrence has none, an
            occurrence's where the series was never read.
        attendees: by published address, in order.
    """

    ending: str = ""
    slot: Slot | None = None
    place: Slot | None = None
    head: EventHead
    attendees: dict[Address, DerivedAttendee] = field(default_factory=dict)

    def count_answers(self) -> dict[str, int]:
        """Tell how many attendees gave each answer; rooms and equipment are left out."""
        people = (one for one in self.attendees.values() if one.row.type is not AttendeeType.RESOURCE)
        counted = Counter(one.value for one in people)
        return {str(value): counted[value] for value in _COUNTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedMeeting:
    """What is so for a meeting; no instances at all while no event was read.

    Attributes:
        instances: the whole first, then occurrences by date.
    """

    instances: dict[InstanceKey, DerivedInstance] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """The series as its occurrences see it.

    Attributes:
        moved_seen_ns, moved_at_ns: first sight and first change of the present slot, where there was
            another slot before; an occurrence's facts from earlier do not count.
    """

    head: EventHead
    persons: dict[Address, PersonFacts]
    derived: DerivedInstance
    moved_seen_ns: int | None
    moved_at_ns: int | None


def derive(meeting: MeetingFacts, *, tolerance_ns: int) -> DerivedMeeting:
    """Derive what is so from the facts.

    Args:
        tolerance_ns: two instants that differ by no more are the same moment.
    """
    whole = meeting.instance(WHOLE)
    dates = [key for key in sorted(meeting.instances) if key != WHOLE]
    if whole.head is None:
        return DerivedMeeting(instances=_derive_without_series(meeting, dates, tolerance_ns))
    persons = gather_persons(meeting, whole)
    derived = _derive_whole(whole, whole.head, persons, tolerance_ns)
    if derived.ending or whole.head.details.type is not EventType.SERIES:
        return DerivedMeeting(instances={WHOLE: derived})
    series = _see_series(whole, whole.head, persons, derived)
    occurrences = {key: _derive_occurrence(meeting, key, series, tolerance_ns) for key in dates}
    return DerivedMeeting(instances={WHOLE: derived, **occurrences})


def _derive_without_series(
    meeting: MeetingFacts, dates: list[InstanceKey], tolerance_ns: int
) -> dict[InstanceKey, DerivedInstance]:
    """Derive the occurrences of a series that was never read: all their answers are their own.

    Where the series is known to be gone, an occurrence speaks for it.
    """
    heads = {key: head for key in dates if (head := meeting.instance(key).head) is not None}
    if heads and meeting.instance(WHOLE).is_gone:
        return {WHOLE: DerivedInstance(ending=DELETED, head=next(iter(heads.values())))}
    return {
        key: _derive_whole(instance, head, gather_persons(meeting, instance), tolerance_ns)
        for key, head in heads.items()
        for instance in [meeting.instance(key)]
    }


def _derive_whole(
    whole: InstanceFacts, head: EventHead, persons: dict[Address, PersonFacts], tolerance_ns: int
) -> DerivedInstance:
    ending = _find_ending(whole, head)
    attendees = {} if ending else _derive_listed(whole, head, persons, tolerance_ns)
    return DerivedInstance(ending=ending, slot=head.slot, head=head, attendees=attendees)


def _find_ending(instance: InstanceFacts, head: EventHead | None) -> str:
    if head is not None and head.is_cancelled:
        return CANCELLED
    return DELETED if instance.is_gone else ""


def _derive_listed(
    instance: InstanceFacts, head: EventHead, persons: dict[Address, PersonFacts], tolerance_ns: int
) -> dict[Address, DerivedAttendee]:
    return {
        person: derive_attendee(facts.row, facts, instance, head, tolerance_ns=tolerance_ns)
        for person, facts in persons.items()
        if facts.row is not None
    }


def _see_series(
    whole: InstanceFacts, head: EventHead, persons: dict[Address, PersonFacts], derived: DerivedInstance
) -> _Series:
    present = [span for span in whole.slots if same_slot(span.slot, head.slot)]
    has_moved = len(present) < len(whole.slots)
    return _Series(
        head=head,
        persons=persons,
        derived=derived,
        moved_seen_ns=min(span.first_seen.ns for span in present) if has_moved else None,
        moved_at_ns=min(span.first_modified.ns for span in present) if has_moved else None,
    )


def _derive_occurrence(
    meeting: MeetingFacts, key: InstanceKey, series: _Series, tolerance_ns: int
) -> DerivedInstance:
    place = series_place(series.head, key)
    instance = _since_the_series_moved(meeting.instance(key), series)
    ending = _find_ending(instance, instance.head)
    if ending:
        return DerivedInstance(ending=ending, slot=place, place=place, head=instance.head or series.head)
    if instance.head is None:
        everyone = {person: _as_inherited(attendee) for person, attendee in series.derived.attendees.items()}
        return DerivedInstance(slot=place, place=place, head=series.head, attendees=everyone)
    persons = gather_persons(meeting, instance)
    is_moved = place is not None and not same_slot(instance.head.slot, place)
    attendees = {}
    for person in sorted({*persons, *series.derived.attendees}):
        facts, in_series = persons.get(person, NOBODY), series.persons.get(person, NOBODY)
        inherited = series.derived.attendees.get(person)
        if facts.row is not None:
            own = derive_attendee(
                facts.row,
                facts,
                instance,
                instance.head,
                tolerance_ns=tolerance_ns,
                given_since_ns=series.moved_at_ns,
            )
            attendees[person] = _own_or_inherited(own, inherited, in_series, is_moved, tolerance_ns)
        elif inherited is not None and not _is_taken_off(instance, in_series):
            attendees[person] = _as_inherited(inherited)
    return DerivedInstance(slot=instance.head.slot, place=place, head=instance.head, attendees=attendees)


def _is_taken_off(instance: InstanceFacts, in_series: PersonFacts) -> bool:
    """Tell whether an occurrence that does not list a person was seen when the series did list them.

    The first sight of the person in the series counts, not the latest of the series: otherwise each look at
    a series that did not change would bring the person back to the occurrence.
    """
    assert instance.seen is not None, "its event was read"
    assert in_series.listed_ns is not None, "an event of the series lists them"
    return instance.seen.ns >= in_series.listed_ns


def _since_the_series_moved(instance: InstanceFacts, series: _Series) -> InstanceFacts:
    """Leave out what was seen before the first event with the series' present slot; rows go with the head."""
    if series.moved_seen_ns is None:
        return instance
    is_head_old = _ns_of(instance.seen) < series.moved_seen_ns
    is_gone_old = _ns_of(instance.gone_at) < series.moved_seen_ns
    return replace(
        instance,
        head=None if is_head_old else instance.head,
        gone_at=None if is_gone_old else instance.gone_at,
    )


def _own_or_inherited(
    own: DerivedAttendee,
    inherited: DerivedAttendee | None,
    in_series: PersonFacts,
    is_moved: bool,
    tolerance_ns: int,
) -> DerivedAttendee:
    """Give what an occurrence that lists someone has of them: its own by the first of (i) to (iv), or not."""
    if own.answer is not None:
        return replace(own, own_by=Own.BY_MESSAGE)
    if _is_row_own(own.row, in_series, tolerance_ns):
        return replace(own, own_by=Own.BY_ROW)
    if is_moved:
        return replace(own, own_by=Own.BY_MOVE)
    return replace(own, own_by=Own.BY_LIST) if inherited is None else _as_inherited(inherited, own.yardstick)


def _as_inherited(attendee: DerivedAttendee, yardstick: Yardstick | None = None) -> DerivedAttendee:
    """Give the series' answer as an occurrence has it.

    Args:
        yardstick: of the occurrence's own answers; None where its event was not read or lists nobody such.
    """
    return replace(attendee, own_by=Own.INHERITED, open_pair=None, yardstick=yardstick)


def _ns_of(instant: Instant | None) -> int:
    return 0 if instant is None else instant.ns


def _is_row_own(row: AttendeeRow, in_series: PersonFacts, tolerance_ns: int) -> bool:
    if not row.value.is_answer:
        return False
    return all(abs(status_ns(row) - at) > tolerance_ns for at in in_series.row_times_ns)
