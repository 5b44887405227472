"""Events that came with their notifications: taken only where it does not matter when they were seen."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from service.reconcile.derive import derive
from service.reconcile.facts import MeetingFacts, join, join_all
from service.reconcile.instant import NS_PER_S, Instant
from service.reconcile.model import WHOLE, Address, EventFact, EventType, Fact, InstanceKey
from service.reconcile.notified import is_sight_needed, stamp_with
from tests.reference.histories import TOLERANCE_S, History, arrivals, histories
from tests.unit.reconcile.build import event, gone, response, row
from tests.unit.reconcile.test_laws import LAW, what_is_so

NEVER = Instant(ns=0, text="0001-01-01T00:00:00Z")
NOW = Instant(ns=NS_PER_S * 10**11, text="later than all that is in the histories")
TOLERANCE_NS = int(TOLERANCE_S * NS_PER_S)
DAY = "2026-03-03"


def hold(*facts: Fact) -> MeetingFacts:
    return join_all(MeetingFacts(), facts)


def told(fact: EventFact) -> EventFact:
    return replace(fact, seen=NEVER)


def take(held: MeetingFacts, fact: EventFact) -> MeetingFacts:
    seen = stamp_with(held.instance(fact.instance), NEVER)
    return join(held, replace(fact, seen=seen))


def so(meeting: MeetingFacts) -> object:
    return what_is_so(derive(meeting, tolerance_ns=TOLERANCE_NS))


def value_at(meeting: MeetingFacts, instance: str) -> str:
    """Give what is so of Ann there."""
    derived = derive(meeting, tolerance_ns=TOLERANCE_NS).instances[InstanceKey(instance)]
    return str(derived.attendees[Address("ann")].value)


# --- the law ---


@LAW
@given(data=st.data(), history=histories())
def test_an_event_that_is_taken_leads_to_what_reading_it_then_would_lead_to(
    data: st.DataObject, history: History
) -> None:
    arrived = [fact for batch in data.draw(arrivals(history.facts, drops=True)) for fact in batch]
    events = [at for at, fact in enumerate(arrived) if isinstance(fact, EventFact)]
    assume(events)
    at = data.draw(st.sampled_from(events))
    held, fact = hold(*arrived[:at]), arrived[at]
    assert isinstance(fact, EventFact)
    head = held.instance(fact.instance).head
    assume(head is None or head.last_modified.ns <= fact.last_modified.ns)
    assume(not is_sight_needed(held, told(fact)))
    assert so(take(held, fact)) == so(join(held, replace(fact, seen=NOW)))


@LAW
@given(data=st.data(), history=histories())
def test_an_event_that_is_taken_tells_nothing_of_when_anything_was_seen(
    data: st.DataObject, history: History
) -> None:
    facts = data.draw(st.permutations(history.facts))
    held = hold(*facts[:-1])
    assume(facts and isinstance(facts[-1], EventFact))
    fact = facts[-1]
    assert isinstance(fact, EventFact)
    assume(not is_sight_needed(held, told(fact)))
    before, after = held.instance(fact.instance), take(held, fact).instance(fact.instance)
    assert after.seen == (before.seen or NEVER)
    first_seen = {span.slot: span.first_seen for span in before.slots}
    assert first_seen.items() <= {span.slot: span.first_seen for span in after.slots}.items()


# --- the trap ---


def test_an_exception_told_after_its_series_moved_is_read() -> None:
    """Stamped with its own change it would look older than the move that was noticed late, and not count."""
    series = event(0, row("ann"), is_series=True, seen=1)
    moved = event(100, row("ann"), place=2, is_series=True, seen=105)
    exception = event(101, row("ann", "accepted", 101), place=26, instance=DAY)
    held = hold(series, moved)
    naive = join(held, replace(exception, seen=exception.last_modified))
    assert value_at(naive, DAY) == "none"  # the answer would be lost
    assert value_at(join(held, replace(exception, seen=NOW)), DAY) == "accepted"
    assert is_sight_needed(held, told(exception))


def test_an_end_is_not_overruled_by_a_clock_that_goes_ahead() -> None:
    first, single = event(90, row("ann"), seen=91), event(110, row("ann"))
    held = take(hold(first), single)  # told; the clock of Graph's answers is ten seconds behind Exchange's
    assert join(held, gone(105)).instance(WHOLE).is_gone
    naive = join(hold(first), replace(single, seen=single.last_modified))
    assert not join(naive, gone(105)).instance(WHOLE).is_gone  # the end would be lost


def test_what_is_gone_is_read_before_it_is_believed_to_be_back() -> None:
    assert is_sight_needed(hold(event(10, row("ann")), gone(20)), told(event(30, row("ann"))))


# --- case by case ---


def series(*addresses: str, place: int = 0, modified: float = 0) -> EventFact:
    return event(modified, *map(row, addresses), place=place, is_series=True)


def exception(*addresses: str, modified: float = 5) -> EventFact:
    return event(modified, *map(row, addresses), place=26, instance=DAY)


def test_the_first_of_a_meeting_is_read_for_it_may_have_ended_while_nobody_held_it() -> None:
    answered = response("ann", "accepted", 2)
    for first in (event(1, row("ann")), series("ann"), exception("ann")):
        assert is_sight_needed(hold(), told(first))
        assert is_sight_needed(hold(answered), told(first))


def test_single_meetings_that_are_held_are_taken_moved_or_with_other_attendees() -> None:
    held = hold(event(1, row("ann")))
    assert not is_sight_needed(held, told(event(2, row("ann"), row("bob"), place=3)))
    assert not is_sight_needed(held, told(event(2, is_cancelled=True)))


def test_a_series_is_taken_when_neither_slot_nor_attendees_changed() -> None:
    held = hold(series("ann", "bob"))
    assert not is_sight_needed(held, told(event(9, row("ann", "accepted", 8), row("bob"), is_series=True)))
    assert is_sight_needed(held, told(series("ann", "bob", place=1, modified=9)))
    assert is_sight_needed(held, told(series("ann", modified=9)))
    assert is_sight_needed(held, told(series("ann", "bob", "cleo", modified=9)))


def test_a_series_that_names_an_end_which_is_not_known_is_read() -> None:
    held = hold(series("ann"), exception("ann"))
    dates = [InstanceKey(DAY)]
    assert is_sight_needed(held, told(series("ann", modified=9)), dates)
    assert not is_sight_needed(join(held, gone(20, instance=DAY)), told(series("ann", modified=9)), dates)
    cancelled = join(held, event(30, instance=DAY, is_cancelled=True))
    assert not is_sight_needed(cancelled, told(series("ann", modified=9)), dates)


def test_an_occurrence_is_taken_where_its_series_stands_and_it_lists_everybody() -> None:
    held = hold(series("ann"))
    assert not is_sight_needed(held, told(exception("ann")))
    assert not is_sight_needed(held, told(exception("ann", "bob")))
    assert not is_sight_needed(join(held, exception("ann")), told(exception("ann", modified=7)))
    assert is_sight_needed(held, told(exception("bob")))
    assert is_sight_needed(join(held, series("ann", place=1, modified=3)), told(exception("ann")))
    assert is_sight_needed(join(held, gone(50)), told(exception("ann")))


def test_a_meeting_that_became_a_series_or_stopped_being_one_is_read() -> None:
    assert is_sight_needed(hold(event(1, row("ann"))), told(series("ann", modified=5)))
    assert is_sight_needed(hold(series("ann")), told(event(5, row("ann"))))
    left_over = hold(exception("ann"))
    assert is_sight_needed(left_over, told(event(5, row("ann"))))


def test_the_first_answer_to_an_occurrence_makes_it_an_exception_and_no_other_event() -> None:
    plain = exception("ann")
    plain = replace(plain, details=replace(plain.details, type=EventType.OCCURRENCE))
    assert not is_sight_needed(hold(series("ann"), plain), told(exception("ann", modified=9)))


def test_an_answer_of_somebody_who_is_not_listed_does_not_make_a_series_be_read() -> None:
    held = hold(series("ann", modified=1), response("bob", "accepted", 2, is_series=True))
    assert not is_sight_needed(held, told(series("ann", modified=9)))


def test_a_series_that_says_an_occurrence_ended_of_which_only_answers_came_is_read() -> None:
    held = hold(series("ann", modified=1), response("ann", "accepted", 2, instance=DAY))
    assert is_sight_needed(held, told(series("ann", modified=9)), [InstanceKey(DAY)])
