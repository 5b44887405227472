"""From facts to what is so: for each instance its ending, its slot, and each attendee's answer.

A pure function of the facts. Must never look at what was published: that is `emit.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from service.reconcile.facts import (
    EventHead,
    InstanceFacts,
    MeetingFacts,
    MessageAnswer,
    answer_order,
    same_slot,
    status_ns,
)
from service.reconcile.instant import Instant
from service.reconcile.model import (
    WHOLE,
    Address,
    AttendeeRow,
    EventType,
    InstanceKey,
    Pair,
    Proposal,
    ResponseValue,
    Slot,
)
from service.reconcile.persons import NOBODY, PersonFacts, gather_persons
from service.reconcile.places import series_place
from service.reconcile.rules import TABLE, Rule, Situation, Standing, Taken, find_situation

CANCELLED: Final = "cancelled"
DELETED: Final = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedAttendee:
    """What is so for one attendee of one instance.

    Attributes:
        row, head: in the event that decided; of the series where the answer is inherited.
        value: NONE or an answer, never notResponded.
        at: when they answered; None where they did not, or Graph gave no time.
        answer: the greatest message that counts; None where none does.
        situation: the row of the table that decided.
        open_pair: what a timer is to wait for; None where time would change nothing.
        is_own: the answer is this instance's own; always true for a single meeting or series.
        is_stale: the row is what Exchange kept from before the meeting moved, and counts as none.
    """

    row: AttendeeRow
    head: EventHead
    value: ResponseValue
    at: Instant | None
    standing: Standing
    is_overdue: bool
    proposal: Proposal | None
    answer: MessageAnswer | None
    situation: Situation
    open_pair: Pair | None
    is_own: bool
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedInstance:
    """What is so for one instance.

    Attributes:
        ending: empty, `cancelled` or `deleted`; then there is nobody.
        slot: of its event; for an occurrence without one, the series' place; None where unknown.
        head: the event that speaks for this instance; the series' where the occurrence has none.
        attendees: by published address, in order.
    """

    ending: str = ""
    slot: Slot | None = None
    place: Slot | None = None
    head: EventHead
    attendees: dict[Address, DerivedAttendee] = field(default_factory=dict)


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
    seen_ns: int
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
    if whole.head is None:
        return DerivedMeeting()
    persons = gather_persons(meeting, whole)
    derived = _derive_whole(whole, whole.head, persons, tolerance_ns)
    if derived.ending or whole.head.details.type is not EventType.SERIES:
        return DerivedMeeting(instances={WHOLE: derived})
    series = _see_series(whole, whole.head, persons, derived)
    occurrences = {
        key: _derive_occurrence(meeting, key, series, tolerance_ns)
        for key in sorted(meeting.instances)
        if key != WHOLE
    }
    return DerivedMeeting(instances={WHOLE: derived, **occurrences})


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
        seen_ns=0 if whole.seen is None else whole.seen.ns,
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
        inherited = {person: _as_inherited(attendee) for person, attendee in series.derived.attendees.items()}
        return DerivedInstance(slot=place, place=place, head=series.head, attendees=inherited)
    persons = gather_persons(meeting, instance)
    is_moved = place is not None and not same_slot(instance.head.slot, place)
    seen_ns = 0 if instance.seen is None else instance.seen.ns
    attendees = {}
    for person in sorted({*persons, *series.derived.attendees}):
        facts = persons.get(person, NOBODY)
        inherited_answer = series.derived.attendees.get(person)
        if facts.row is None:
            if inherited_answer is not None and seen_ns <= series.seen_ns:
                attendees[person] = _as_inherited(inherited_answer)
            continue
        own = derive_attendee(facts.row, facts, instance, instance.head, tolerance_ns=tolerance_ns)
        if (
            inherited_answer is None
            or is_moved
            or own.answer is not None
            or _is_row_own(facts.row, series.persons.get(person, NOBODY), tolerance_ns)
        ):
            attendees[person] = own
        else:
            attendees[person] = _as_inherited(inherited_answer)
    return DerivedInstance(slot=instance.head.slot, place=place, head=instance.head, attendees=attendees)


def _since_the_series_moved(instance: InstanceFacts, series: _Series) -> InstanceFacts:
    """Leave out what was seen or given before the first event with the series' present slot."""
    if series.moved_seen_ns is None or series.moved_at_ns is None:
        return instance
    moved_at_ns = series.moved_at_ns
    is_head_old = instance.seen is None or instance.seen.ns < series.moved_seen_ns
    is_gone_old = instance.gone_at is None or instance.gone_at.ns < series.moved_seen_ns
    attendees = {
        address: replace(
            facts,
            row=None if is_head_old else facts.row,
            answers=tuple(answer for answer in facts.answers if answer.at.ns >= moved_at_ns),
        )
        for address, facts in instance.attendees.items()
    }
    return replace(
        instance,
        head=None if is_head_old else instance.head,
        gone_at=None if is_gone_old else instance.gone_at,
        attendees=attendees,
    )


def _as_inherited(attendee: DerivedAttendee) -> DerivedAttendee:
    return replace(attendee, is_own=False, open_pair=None)


def _is_row_own(row: AttendeeRow, in_series: PersonFacts, tolerance_ns: int) -> bool:
    if not row.value.is_answer:
        return False
    return all(abs(status_ns(row) - at) > tolerance_ns for at in in_series.row_times_ns)


def derive_attendee(
    row: AttendeeRow, facts: PersonFacts, instance: InstanceFacts, head: EventHead, *, tolerance_ns: int
) -> DerivedAttendee:
    """Derive one attendee's answer in one instance from the row and the messages of that instance."""
    is_stale = _is_row_stale(row, facts, instance, head, tolerance_ns)
    counted_row = row if row.value.is_answer and not is_stale else None
    answer = _find_answer(facts, instance, head)
    if counted_row is None and answer is not None and not _is_after_rows(answer, facts, tolerance_ns):
        answer = None
    situation = find_situation(answer, counted_row, tolerance_ns=tolerance_ns)
    rule = TABLE[situation]
    pair = _pair_of(answer, counted_row)
    is_due = pair is not None and rule.due_standing is not None and pair in facts.due
    return DerivedAttendee(
        row=row,
        head=head,
        value=_take_value(rule, answer, counted_row),
        at=_take_time(rule, answer, counted_row, tolerance_ns),
        standing=rule.due_standing if is_due and rule.due_standing is not None else rule.standing,
        is_overdue=is_due and rule.is_overdue_when_due,
        proposal=_take_proposal(rule, answer, counted_row),
        answer=answer,
        situation=situation,
        open_pair=pair if rule.due_standing is not None and not is_due else None,
        is_own=True,
        is_stale=is_stale,
    )


def _find_answer(facts: PersonFacts, instance: InstanceFacts, head: EventHead) -> MessageAnswer | None:
    """Give r, the greatest answer that counts towards the slot of the event."""
    counting, others = _split_answers(facts, head)
    unknown = [answer for answer in others if answer.slot.is_unknown]
    known = [answer for answer in others if not answer.slot.is_unknown]
    since = max(
        [span.last_modified.ns for span in instance.slots if not same_slot(span.slot, head.slot)]
        + [answer.at.ns for answer in known],
        default=-1,
    )
    counting += [answer for answer in unknown if answer.at.ns > since]
    return max(counting, key=answer_order, default=None)


def _split_answers(facts: PersonFacts, head: EventHead) -> tuple[list[MessageAnswer], list[MessageAnswer]]:
    """Part the answers that count by slot or sequence from the others."""
    counting: list[MessageAnswer] = []
    others: list[MessageAnswer] = []
    for answer in facts.answers:
        fits = not answer.slot.is_unknown and same_slot(answer.slot, head.slot)
        is_ahead = (
            answer.sequence is not None and head.sequence is not None and answer.sequence > head.sequence
        )
        (counting if fits or is_ahead else others).append(answer)
    return counting, others


def _is_row_stale(
    row: AttendeeRow, facts: PersonFacts, instance: InstanceFacts, head: EventHead, tolerance_ns: int
) -> bool:
    """Tell whether the person answered another slot after the row's time: Exchange kept the row."""
    latest = max(facts.answers, key=answer_order, default=None)
    if latest is None or latest.at.ns <= status_ns(row) + tolerance_ns:
        return False
    counted = _find_answer(facts, instance, head)
    return counted is None or answer_order(counted) < answer_order(latest)


def _is_after_rows(answer: MessageAnswer, facts: PersonFacts, tolerance_ns: int) -> bool:
    return facts.answered_ns is None or answer.at.ns > facts.answered_ns + tolerance_ns


def _pair_of(answer: MessageAnswer | None, row: AttendeeRow | None) -> Pair | None:
    if answer is None:
        return None
    calendar = ("none", 0) if row is None else (str(row.value), status_ns(row))
    return Pair(
        message=str(answer.value), message_ns=answer.at.ns, calendar=calendar[0], calendar_ns=calendar[1]
    )


def _take_value(rule: Rule, answer: MessageAnswer | None, row: AttendeeRow | None) -> ResponseValue:
    match rule.taken:
        case Taken.MESSAGE if answer is not None:
            return answer.value
        case Taken.CALENDAR | Taken.BOTH if row is not None:
            return row.value
        case _:
            return ResponseValue.NONE


def _take_time(
    rule: Rule, answer: MessageAnswer | None, row: AttendeeRow | None, tolerance_ns: int
) -> Instant | None:
    message_at = None if answer is None else answer.at
    calendar_at = None if row is None else row.at
    if rule.taken is Taken.MESSAGE:
        return message_at
    if rule.taken is Taken.BOTH and message_at is not None:
        calendar_ns = 0 if calendar_at is None else calendar_at.ns
        return message_at if message_at.ns > calendar_ns + tolerance_ns else calendar_at
    return calendar_at


def _take_proposal(rule: Rule, answer: MessageAnswer | None, row: AttendeeRow | None) -> Proposal | None:
    from_message = None if answer is None else answer.proposal
    from_calendar = None if row is None else row.proposal
    match rule.taken:
        case Taken.MESSAGE:
            return from_message
        case Taken.CALENDAR:
            return from_calendar
        case Taken.BOTH:
            return from_calendar or from_message
        case _:
            return None
