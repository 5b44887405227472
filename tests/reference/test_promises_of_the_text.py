"""The promises (a) to (e), asked of the reference: what fails here is a fault of the text, not of code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.reconcile.model import WHOLE, Fact, InstanceKey
from tests.reference.builders import DATES, address
from tests.reference.derivation import derive
from tests.reference.emission import Emitter
from tests.reference.histories import (
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
    assert_fold_is_derived,
    assert_is_told_subsequence,
    assert_no_message_replaces_a_later_answer,
    published,
)

LAW = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def commit_all(batches: Iterable[Sequence[Fact]], *, baseline: bool = False) -> Emitter:
    """Commit batch after batch, asserting (a) and that a commit without news says nothing."""
    emitter, read = Emitter(), list[Fact]()
    for batch in batches:
        read.extend(batch)
        derived = derive(read, tolerance_s=TOLERANCE_S)
        emitter.emit(derived, baseline=baseline and len(read) == len(batch))
        assert_fold_is_derived(emitter.fold, derived)
        assert emitter.emit(derived) == []
    return emitter


@LAW
@given(data=st.data(), history=histories(), baseline=st.booleans())
def test_a_and_b_hold_in_whatever_order_facts_arrive(
    data: st.DataObject, history: History, baseline: bool
) -> None:
    batches = data.draw(arrivals(history.facts, drops=True))
    emitter = commit_all(batches, baseline=baseline)
    assert_consecutive_values_differ(emitter.fold.told)


@LAW
@given(data=st.data(), history=histories())
def test_a_and_b_hold_in_reading_order(data: st.DataObject, history: History) -> None:
    emitter = commit_all(data.draw(commits(history.facts)))
    assert_consecutive_values_differ(emitter.fold.told)


@LAW
@given(data=st.data(), where=st.sampled_from((WHOLE, DATES[1])))
def test_c_of_calm_answers_a_subsequence_is_told_and_the_last(
    data: st.DataObject, where: InstanceKey
) -> None:
    history = data.draw(calm_histories(where=where))
    emitter = commit_all(data.draw(arrivals(history.facts)))
    for who in PEOPLE:
        answers = [one.value for one in history.given if one.who == who]
        assert_is_told_subsequence(answers, published(emitter.fold.told, where, address(who)))


@LAW
@given(data=st.data(), where=st.sampled_from((WHOLE, DATES[1])))
def test_d_no_message_replaces_an_answer_given_later(data: st.DataObject, where: InstanceKey) -> None:
    history = data.draw(calm_histories(where=where))
    emitter = commit_all(data.draw(arrivals(history.facts)))
    assert_no_message_replaces_a_later_answer(emitter.fold.told, TOLERANCE_S)


@LAW
@given(data=st.data(), history=histories())
def test_e_the_same_facts_derive_the_same_state(data: st.DataObject, history: History) -> None:
    order = [fact for batch in data.draw(arrivals(history.facts)) for fact in batch]
    assert derive(order, tolerance_s=TOLERANCE_S) == derive(history.facts, tolerance_s=TOLERANCE_S)
