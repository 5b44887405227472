"""One attendee in one instance: which message counts, whether the row does, and what the two give.

Must never look at another instance: what a series means for its occurrences is in `derive.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from service.reconcile.counting import Yardstick, take_yardstick
from service.reconcile.facts import EventHead, InstanceFacts, MessageAnswer, answer_order, status_ns
from service.reconcile.instant import Instant
from service.reconcile.model import AttendeeRow, Pair, Proposal, ResponseValue
from service.reconcile.persons import PersonFacts
from service.reconcile.rules import TABLE, Rule, Situation, Standing, Taken, find_situation


class Own(StrEnum):
    """Why an answer is an instance's own, or that it is not; (i) to (iv) as the rules name them."""

    BY_ITSELF = "by_itself"
    """A single meeting, the series itself, or an occurrence whose series was never read."""
    BY_MESSAGE = "i"
    BY_ROW = "ii"
    BY_MOVE = "iii"
    BY_LIST = "iv"
    INHERITED = "inherited"


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
        own_by: whether the answer is this instance's own, and by which rule.
        is_stale: the row is what Exchange kept from before the meeting moved, and counts as none.
        yardstick: what answers to this instance are measured by; None where its event was not read.
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
    own_by: Own
    is_stale: bool
    yardstick: Yardstick | None

    @property
    def is_own(self) -> bool:
        return self.own_by is not Own.INHERITED


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
    yardstick = take_yardstick(facts.answers, instance, head, given_since_ns)
    answer = _find_answer(facts, yardstick)
    is_stale = _is_row_stale(row, facts, answer, tolerance_ns)
    counted_row = row if row.value.is_answer and not is_stale else None
    if counted_row is None and answer is not None and not _is_after_rows(answer, facts, tolerance_ns):
        answer = None
    situation = find_situation(answer, counted_row, tolerance_ns=tolerance_ns)
    rule = TABLE[situation]
    pair = _pair_of(answer, counted_row)
    is_due = pair in facts.due
    return DerivedAttendee(
        row=row,
        head=head,
        value=_take_value(rule, answer, counted_row),
        at=_take_time(answer, counted_row, tolerance_ns),
        standing=rule.due_standing if is_due and rule.due_standing is not None else rule.standing,
        is_overdue=is_due and rule.is_overdue_when_due,
        proposal=_take_proposal(rule, answer, counted_row),
        answer=answer,
        situation=situation,
        open_pair=pair if rule.due_standing is not None and not is_due else None,
        own_by=Own.BY_ITSELF,
        is_stale=is_stale,
        yardstick=yardstick,
    )


def _find_answer(facts: PersonFacts, yardstick: Yardstick) -> MessageAnswer | None:
    """Give r, the greatest answer that counts towards the slot of the event."""
    counting = [
        answer
        for answer in facts.answers
        if yardstick.judge(answer.slot, answer.sequence, answer.at.ns).counts
    ]
    return max(counting, key=answer_order, default=None)


def _is_row_stale(
    row: AttendeeRow, facts: PersonFacts, counted: MessageAnswer | None, tolerance_ns: int
) -> bool:
    """Tell whether the person answered another slot after the row's time: Exchange kept the row.

    A row that an answer to the present slot accounts for is not from before the move, whatever the person
    said of another slot since.
    """
    latest_ns = max((answer.at.ns for answer in facts.answers), default=0)
    is_outlived = row.value.is_answer and latest_ns > status_ns(row) + tolerance_ns
    return is_outlived and (counted is None or counted.at.ns < status_ns(row) - tolerance_ns)


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


def _take_time(answer: MessageAnswer | None, row: AttendeeRow | None, tolerance_ns: int) -> Instant | None:
    """Give when the attendee answered: the later of two times, the calendar's within the tolerance.

    That is the time of whoever is taken: where two answers differ, the table takes the same side.
    """
    if answer is None:
        return None if row is None else row.at
    if row is None:
        return answer.at
    return answer.at if answer.at.ns > status_ns(row) + tolerance_ns else row.at


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
