"""However many answers are sent, a meeting holds so many of them, and whoever behaves loses nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from service.reconcile.decide import DecisionLimits, decide
from service.reconcile.model import WHOLE, Address, Fact, InstanceKey, ResponseFact
from service.reconcile.state import MeetingState, encode_state
from tests.unit.reconcile.build import event, response, row

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LIMITS = DecisionLimits(answers_max=3, loose_max=4)
ANN = Address("ann")


def take(facts: Sequence[Fact], *, at_once: bool = False) -> MeetingState:
    """Decide about one fact after the other, or about all in one step."""
    state = MeetingState()
    for step in [facts] if at_once else [[fact] for fact in facts]:
        state = decide(state, step, now=NOW, limits=LIMITS).state
    return state


def list_loose(state: MeetingState, instance: InstanceKey = WHOLE) -> list[str]:
    attendees = state.facts.instance(instance).attendees
    return sorted(address for address, each in attendees.items() if each.row is None)


def test_of_answers_to_ever_new_slots_the_newest_stay_and_the_one_to_the_present_slot() -> None:
    answers = [response("ann", "accepted", 10 + place, place=place) for place in range(10)]
    state = take([event(1, row("ann")), *answers])
    held = state.facts.instance(WHOLE).attendees[ANN].answers
    assert sorted(answer.at.ns for answer in held) == [answers[index].at.ns for index in (0, 8, 9)]
    whole = decide(state, [], now=NOW, limits=LIMITS).derived.instances[WHOLE]
    assert whole.attendees[ANN].value == "accepted"


def test_of_people_on_no_event_the_newest_stay_and_nothing_is_left_of_the_others() -> None:
    strangers = [response(f"stranger{number}", "accepted", 10 + number) for number in range(9)]
    state = take([event(1, row("ann")), *strangers])
    assert list_loose(state) == ["stranger5", "stranger6", "stranger7", "stranger8"]
    flat = encode_state(state)
    assert not any(f"stranger{number}" in text for number in range(5) for text in [*flat, *flat.values()])


def test_answers_to_dates_that_never_were_count_as_such_also_of_who_is_invited() -> None:
    dates = [InstanceKey(f"2026-04-{day:02d}") for day in range(1, 10)]
    answers = [response("ann", "declined", 10 + n, instance=date) for n, date in enumerate(dates)]
    state = take([event(1, row("ann")), *answers])
    assert [date for date in dates if list_loose(state, date)] == dates[-4:]


def test_who_is_on_the_event_or_was_is_never_left_out() -> None:
    people = [f"guest{number}" for number in range(20)]
    answers = [response(name, "declined", 10) for name in people]
    state = take([event(1, *map(row, people)), *answers])
    left = decide(state, [event(50, row("ann"))], now=NOW, limits=LIMITS).state
    assert len(left.facts.instance(WHOLE).attendees) == len(people) + 1
    again = decide(left, [event(60, *map(row, people))], now=NOW, limits=LIMITS)
    assert {each.value for each in again.derived.instances[WHOLE].attendees.values()} == {"declined"}


@pytest.mark.parametrize("seed", range(20))
def test_what_is_held_is_the_same_in_any_order_and_with_any_repetition(seed: int) -> None:
    facts: list[ResponseFact] = [
        response(f"stranger{number % 7}", "accepted", 10 + number, place=number % 5) for number in range(30)
    ]
    shuffled = random.Random(seed).choices(facts, k=20) + random.Random(seed).sample(facts, k=30)
    present = event(1, row("ann"), place=9)
    expected = take([present, *facts], at_once=True).facts
    assert take([present, *shuffled]).facts == expected
