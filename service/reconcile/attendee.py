"""One attendee in one instance: which message counts, whether the row does, and what the two give.

Must never look at another instance: what a series means for its occurrences is in `derive.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.reconcile.facts import (
    EventHead,
    InstanceFacts,
    MessageAnswer,
    answer_order,
    same_slot,
    status_ns,
)
from service.reconcile.instant import Instant
from service.reconcile.model import AttendeeRow, Pair, Proposal, ResponseValue
from service.reconcile.persons import PersonFacts
from service.reconcile.rules import TABLE, Rule, Situation, Standing, Taken, find_situation


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


def derive_attendee(
    row: AttendeeRow,
    facts: PersonFacts,
    instance: InstanceFacts,
    head: EventHead,
    *,
    tolerance_ns: int,
    given_since_ns: int | None = None,
) -> DerivedAttendee:
    """Derive one attendee's answer in one instance from the row and the messages of that instance.

    Args:
        given_since_ns: answers from before do not count; None where all may.
    """
    answer = _find_answer(facts, instance, head, given_since_ns)
    is_stale = _is_row_stale(row, facts, answer, tolerance_ns)
    counted_row = row if row.value.is_answer and not is_stale else None
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


def _find_answer(
    facts: PersonFacts, instance: InstanceFacts, head: EventHead, given_since_ns: int | None
) -> MessageAnswer | None:
    """Give r, the greatest answer that counts towards the slot of the event."""
    counting: list[MessageAnswer] = []
    others: list[MessageAnswer] = []
    for answer in facts.answers:
        is_in_time = given_since_ns is None or answer.at.ns >= given_since_ns
        (counting if is_in_time and _counts(answer, head) else others).append(answer)
    since = max(
        [span.last_modified.ns for span in instance.slots if not same_slot(span.slot, head.slot)]
        + [answer.at.ns for answer in others if not answer.slot.is_unknown]
        + ([] if given_since_ns is None else [given_since_ns - 1]),
        default=-1,
    )
    counting += [answer for answer in others if answer.slot.is_unknown and answer.at.ns > since]
    return max(counting, key=answer_order, default=None)


def _counts(answer: MessageAnswer, head: EventHead) -> bool:
    """Tell whether an answer is to the slot of the event, or to a version that was not read yet."""
    if not answer.slot.is_unknown and same_slot(answer.slot, head.slot):
        return True
    return answer.sequence is not None and head.sequence is not None and answer.sequence > head.sequence


def _is_row_stale(
    row: AttendeeRow, facts: PersonFacts, counted: MessageAnswer | None, tolerance_ns: int
) -> bool:
    """Tell whether the person answered another slot after the row's time: Exchange kept the row.

    A row that an answer to the present slot accounts for is not from before the move, whatever the person
    said of another slot since.
    """
    latest = max(facts.answers, key=answer_order, default=None)
    if latest is None or latest.at.ns <= status_ns(row) + tolerance_ns:
        return False
    if counted is None:
        return True
    is_accounted_for = counted.at.ns >= status_ns(row) - tolerance_ns
    return not is_accounted_for and answer_order(counted) < answer_order(latest)


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
