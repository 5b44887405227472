"""Which parts of a series must be read together, because one alone would be misunderstood. Pure.

An occurrence that was read before its series changed looks like an exception, and would be published as one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from service.reconcile.facts import InstanceFacts, same_slot, status_ns
from service.reconcile.instant import Instant
from service.reconcile.model import (
    WHOLE,
    Address,
    AttendeeRow,
    EventFact,
    EventId,
    EventType,
    InstanceKey,
    Slot,
)
from service.reconcile.persons import find_published
from service.reconcile.places import series_place
from service.reconcile.state import MeetingState


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """That somebody answered one occurrence.

    Attributes:
        at_ns: when, in nanoseconds since the start of year 1.
    """

    attendee: Address
    slot: Slot
    at_ns: int


def list_outdated(
    series: EventFact,
    state: MeetingState,
    *,
    cancelled: Collection[InstanceKey] = (),
    besides: EventFact | None = None,
) -> dict[InstanceKey, EventId | None]:
    """Give the held occurrences that must be read again because of how their series is now.

    None where the series has become a single meeting, for then its occurrences are no more. All of them where
    it moved or lists other people: only what is seen since then counts, and on the dates of those that ended
    it may take place again. Otherwise each of which one of these is true:

    * Somebody whose message to it is held shows a new answer on the series. Unless it is an exception it
      shows that answer too, and no notification tells of it.
    * It is no exception and does not lie where the series puts it: it was read before the series changed.
    * It was seen before the series was seen to be as it is now.
    * It ended, and a later version of the series does not name it as cancelled: the series moved there and
      back, so that it takes place again.

    Args:
        cancelled: occurrences that the series says are cancelled; may be empty because it was not asked.
        besides: an occurrence that was read before its series was, held or not.

    Returns:
        The date of each and the id of its event; None for one of which no event was ever read.
    """
    whole = state.facts.instance(WHOLE)
    if whole.head is None or series.details.type is not EventType.SERIES:
        return {}
    held = {
        key: None if instance.head is None else instance.head.details.id
        for key, instance in state.facts.instances.items()
        if key != WHOLE and (instance.head is not None or instance.is_gone)
    }
    if besides is not None:
        held[besides.instance] = besides.details.id
    if whole.head.slot != series.slot or _list_rows(whole) != {row.address for row in series.rows}:
        return held
    news = _list_news(series, state)
    outdated = {key for key in held if news & _list_answering(state, key)}
    if besides is not None and (_is_misplaced(besides, series) or _is_seen_early(besides, series, whole)):
        outdated.add(besides.instance)
    if series.sequence != whole.head.sequence:
        outdated |= {key for key in held if key not in cancelled and ended_at(state.facts.instance(key)) >= 0}
    return {key: event for key, event in held.items() if key in outdated}


def _is_seen_early(occurrence: EventFact, series: EventFact, held: InstanceFacts) -> bool:
    """Tell whether an occurrence was seen before the series was seen to be as it is, where that matters.

    Seen before the series lay where it lies now, it does not count. Of somebody whom it leaves out, and whom
    the series was not seen to list yet, only a later sight tells whether they left or were not invited yet.
    """
    if occurrence.seen.ns < (stands_since(series, held) or 0):
        return True
    listed = {row.address for row in occurrence.rows}
    missing = [held.attendees[row.address] for row in series.rows if row.address not in listed]
    return any(one.listed_ns is not None and occurrence.seen.ns < one.listed_ns for one in missing)


def _list_rows(instance: InstanceFacts) -> set[Address]:
    return {address for address, facts in instance.attendees.items() if facts.row is not None}


def _list_news(series: EventFact, state: MeetingState) -> set[Address]:
    """Give who shows another answer than the last read of the series did."""
    whole, persons = state.facts.instance(WHOLE), find_published(state.facts)
    return {
        persons.get(row.address, row.address)
        for row in series.rows
        if (facts := whole.attendees.get(row.address)) is None or facts.row != row
    }


def _list_answering(state: MeetingState, key: InstanceKey) -> set[Address]:
    """Give of whom a message to one occurrence is held."""
    persons = find_published(state.facts)
    attendees = state.facts.instance(key).attendees
    return {persons.get(address, address) for address, facts in attendees.items() if facts.answers}


def is_explained(
    occurrence: EventFact, state: MeetingState, *, said: Sequence[Answered] = (), tolerance_ns: int = 0
) -> bool:
    """Tell whether the series as it was read last, and messages, account for all that an occurrence shows.

    Else it may show what the series has become meanwhile, and would be taken for an exception. An answer that
    it shows no more may be gone because the series moved, and the occurrence is as the series is now.

    Args:
        said: answers to this occurrence that are read, and not held yet.
        tolerance_ns: two instants closer than this are the same moment.
    """
    series, held = state.facts.instance(WHOLE), state.facts.instance(occurrence.instance)
    listed = {row.address for row in occurrence.rows}
    is_listed_alike = listed in (_list_rows(series), _list_rows(held))
    if not is_listed_alike or not _is_placed(occurrence, series, held) or _is_withdrawn(occurrence, held):
        return False
    answers = [*said, *_list_said(held)]
    shown = [row for row in occurrence.rows if row.value.is_answer and not _is_copied(row, series)]
    return all(any(_is_same(row, occurrence.slot, one, tolerance_ns) for one in answers) for row in shown)


def shows_news(occurrence: EventFact, series: EventFact, state: MeetingState) -> bool:
    """Tell whether an occurrence shows an answer that no read of its series does, this one included."""
    whole = state.facts.instance(WHOLE)
    known = {at for facts in whole.attendees.values() for at in facts.row_times_ns}
    known |= {status_ns(row) for row in series.rows}
    return any(row.value.is_answer and status_ns(row) not in known for row in occurrence.rows)


def _is_placed(occurrence: EventFact, series: InstanceFacts, held: InstanceFacts) -> bool:
    """Tell whether an occurrence lies where the series puts it, or where it lay when it was read last."""
    if series.head is None:
        return False
    if held.head is not None and held.head.slot == occurrence.slot:
        return True
    return _is_at(occurrence, series_place(series.head, occurrence.instance))


def _is_misplaced(occurrence: EventFact, series: EventFact) -> bool:
    is_exception = occurrence.details.type is EventType.EXCEPTION
    return not is_exception and not _is_at(occurrence, series_place(series, occurrence.instance))


def _is_at(occurrence: EventFact, place: Slot | None) -> bool:
    return place is not None and same_slot(occurrence.slot, place)


def _is_copied(row: AttendeeRow, series: InstanceFacts) -> bool:
    """Tell whether an answer on an occurrence stands in a version of the series that was read."""
    held = series.attendees.get(row.address)
    return held is not None and status_ns(row) in held.row_times_ns


def _list_said(held: InstanceFacts) -> list[Answered]:
    """Give the answers to an occurrence that are held."""
    return [
        Answered(attendee=address, slot=answer.slot, at_ns=answer.at.ns)
        for address, facts in held.attendees.items()
        for answer in facts.answers
    ]


def _is_same(row: AttendeeRow, slot: Slot, said: Answered, tolerance_ns: int) -> bool:
    """Tell whether a row shows what somebody answered to this very occurrence, as it lies now."""
    is_then = abs(status_ns(row) - said.at_ns) <= tolerance_ns
    return said.attendee == row.address and is_then and same_slot(said.slot, slot)


def _is_withdrawn(occurrence: EventFact, held: InstanceFacts) -> bool:
    """Tell whether an occurrence shows somebody's answer no more that it showed when it was read last."""
    silent = {row.address for row in occurrence.rows if not row.value.is_answer}
    return any(
        facts.row is not None and facts.row.value.is_answer and address in silent
        for address, facts in held.attendees.items()
    )


def stands_since(series: EventFact, held: InstanceFacts) -> int | None:
    """Give since when a series is known to stand where it stands; None where it moved just now.

    What was seen of its occurrences before does not count any more.
    """
    present = [span.first_seen.ns for span in held.slots if same_slot(span.slot, series.slot)]
    if len(present) == len(held.slots):
        return 0
    return min(present, default=None)


def ended_at(held: InstanceFacts) -> int:
    """Give when an occurrence was last seen to have ended; -1 where it was not."""
    if held.is_gone and held.gone_at is not None:
        return held.gone_at.ns
    is_cancelled = held.head is not None and held.head.is_cancelled
    return held.seen.ns if is_cancelled and held.seen is not None else -1


def nearest(keys: Sequence[InstanceKey], now: Instant) -> list[InstanceKey]:
    today = now.to_datetime().date()
    return sorted(keys, key=lambda key: (abs(date.fromisoformat(key) - today), key))
