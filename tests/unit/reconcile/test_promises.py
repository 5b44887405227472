"""The promises of the design, section 3, asked of production: over the very entries that it publishes.

Each for every position of what nobody could verify of Exchange (`Beliefs`).
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.reconcile.instant import NS_PER_S
from service.reconcile.journal import Fate
from service.reconcile.model import WHOLE, EventFact, Fact, InstanceKey, ResponseFact, ResponseValue
from tests.reference.builders import DATES, SERIES_X, X, Y, address, second
from tests.reference.consumer import Fold
from tests.reference.histories import (
    BELIEFS,
    INSTANCE_SLOTS,
    PEOPLE,
    TOLERANCE_S,
    History,
    arrivals,
    calm_histories,
    commits,
    histories,
)
from tests.reference.promises import (
    assert_consecutive_values_differ,
    assert_is_told_subsequence,
    assert_no_message_replaces_a_later_answer,
    published,
)
from tests.reference.world import Act, Answers, Given, Moves, Reads, World
from tests.unit.reconcile.published import Stream, as_reference
from tests.unit.reconcile.test_laws import LAW as EVERY_LAW

LAW = settings(EVERY_LAW, suppress_health_check=list(HealthCheck))
WHERE = st.sampled_from((WHOLE, DATES[1]))
VALUES = (ResponseValue.ACCEPTED, ResponseValue.TENTATIVE, ResponseValue.DECLINED)


@LAW
@given(data=st.data(), history=histories(), is_baseline=st.booleans())
def test_a_and_b_the_fold_is_what_is_so_and_no_value_is_told_twice(
    data: st.DataObject, history: History, is_baseline: bool
) -> None:
    in_order = data.draw(st.booleans())
    stream = Stream()
    stream.commit_all(
        data.draw(commits(history.facts) if in_order else arrivals(history.facts, drops=True)),
        is_baseline=is_baseline,
    )
    assert_consecutive_values_differ(stream.told)


@LAW
@given(data=st.data(), where=WHERE)
def test_c_what_is_told_is_a_part_of_what_was_answered_and_the_last_is_in_it(
    data: st.DataObject, where: InstanceKey
) -> None:
    history = data.draw(calm_histories(where=where, beliefs=BELIEFS))
    stream = Stream()
    stream.commit_all(data.draw(arrivals(history.facts)))
    for who in PEOPLE:
        answers = [one.value for one in history.given if one.who == who]
        assert_is_told_subsequence(answers, published(stream.told, where, address(who)))


@LAW
@given(data=st.data(), where=WHERE)
def test_c_those_skipped_are_counted(data: st.DataObject, where: InstanceKey) -> None:
    history = data.draw(calm_histories(where=where, beliefs=BELIEFS))
    stream = Stream()
    stream.commit_all(data.draw(arrivals(history.facts)))
    for who in PEOPLE:
        answers = [one.value for one in history.given if one.who == who and is_read(one, history.facts)]
        journal = stream.journal(where, address(who))
        assert [entry.value for entry in journal.entries] == answers
        told = [entry.value for entry in journal.entries if entry.fate is Fate.PUBLISHED]
        assert told == published(stream.told, where, address(who))
        repeated = sum(entry.fate is Fate.REPEATED for entry in journal.entries)
        assert len(told) + repeated + journal.skipped == len(answers)


@LAW
@given(data=st.data(), where=WHERE)
def test_d_no_message_replaces_an_answer_given_later(data: st.DataObject, where: InstanceKey) -> None:
    history = data.draw(calm_histories(where=where, beliefs=BELIEFS))
    stream = Stream()
    stream.commit_all(data.draw(arrivals(history.facts)))
    assert_no_message_replaces_a_later_answer(stream.told, TOLERANCE_S)


@LAW
@given(data=st.data(), history=histories())
def test_e_the_same_facts_give_the_same_state_in_any_order(data: st.DataObject, history: History) -> None:
    once, again = Stream(), Stream()
    derived = once.commit(history.facts).derived
    again.commit_all(data.draw(arrivals(history.facts)))
    assert as_reference(again.commit(()).derived) == as_reference(derived)


@LAW
@given(data=st.data(), where=WHERE)
def test_c_holds_for_the_slot_to_which_a_meeting_moved(data: st.DataObject, where: InstanceKey) -> None:
    world, before = play_a_move(data, where)
    stream = Stream()
    stream.commit_all(data.draw(commits(world.facts[:before])))
    told_before = len(stream.told)
    stream.commit_all(data.draw(arrivals(world.facts[before:])))
    for who in PEOPLE:
        answers = [one.value for one in world.given if one.who == who and one.slot == world.given[-1].slot]
        told = published(stream.told[told_before:], where, address(who))
        rest = iter(answers)
        assert all(any(value == one for one in rest) for value in told), (told, answers)
        held = Fold(stream.told).people(where)[address(who)].value
        assert held == answers[-1], (told, answers)


def is_read(given_: Given, facts: Sequence[Fact]) -> bool:
    """Tell whether a message or a row told of an answer: one that was lost or overwritten leaves no trace."""
    who, at_ns = address(given_.who), second(given_.at_s).ns
    times = [
        (row.value, 0 if row.at is None else row.at.ns)
        for fact in facts
        if isinstance(fact, EventFact) and fact.instance == given_.where
        for row in fact.rows
        if row.address == who
    ]
    times += [
        (fact.value, fact.at.ns) for fact in facts if isinstance(fact, ResponseFact) and fact.attendee == who
    ]
    return any(value is given_.value and abs(at - at_ns) <= NS_PER_S for value, at in times)


def play_a_move(data: st.DataObject, where: InstanceKey) -> tuple[World, int]:
    """Play a story with a move in it, after which everyone answers; gives how many facts tell of the move."""
    world = World(
        tolerance_s=TOLERANCE_S,
        beliefs=data.draw(BELIEFS),
        slot=X if where == WHOLE else SERIES_X,
        people=PEOPLE,
    )
    moves = Moves(slot=Y if where == WHOLE else INSTANCE_SLOTS[1], where=where)
    answers = st.lists(calm_answers(where), max_size=5)
    first: list[Act] = [Reads(), Reads(where=where), *data.draw(answers), moves]
    for act in (*first, Reads(), Reads(where=where)):
        world.play(act, pause_s=10)
    world.settle()
    before = len(world.facts)
    last = [Answers(who=who, where=where, value=data.draw(st.sampled_from(VALUES))) for who in PEOPLE]
    for act in (*data.draw(answers), *last):
        world.play(act, pause_s=10)
    world.settle()
    return world, before


def calm_answers(where: InstanceKey) -> st.SearchStrategy[Answers]:
    return st.builds(
        Answers,
        who=st.sampled_from(PEOPLE),
        where=st.just(where),
        value=st.sampled_from(VALUES),
        message_after=st.sampled_from((0, 1, 3, None)),
        recorded_after=st.sampled_from((0, 1, 3)),
    )
