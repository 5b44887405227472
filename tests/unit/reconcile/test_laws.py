"""Laws over generated histories: production says, word for word, what the slow reference says.

The reference keeps every fact ever read and the consumer's whole stream; production keeps maxima.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.reconcile.decide import Decision, DecisionLimits, decide
from service.reconcile.derive import DerivedMeeting
from service.reconcile.emit import Said
from service.reconcile.facts import join_all
from service.reconcile.model import Fact
from service.reconcile.state import MeetingState, decode_state, encode_state
from tests.reference.consumer import Said as ReferenceSaid
from tests.reference.derivation import derive as derive_by_reference
from tests.reference.derived import Derived
from tests.reference.emission import Emitter
from tests.reference.histories import TOLERANCE_S, History, arrivals, commits, histories

IS_HURRIED = "LAW_EXAMPLES" in os.environ
LAW = settings(
    deadline=None,
    max_examples=int(os.environ.get("LAW_EXAMPLES", "200")),
    derandomize=IS_HURRIED,  # mutants are judged by the same histories each time, and none is made shorter
    phases=(Phase.explicit, Phase.generate) if IS_HURRIED else tuple(Phase),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
LIMITS = DecisionLimits(tolerance_s=TOLERANCE_S)
NOW = datetime(2026, 3, 9, tzinfo=UTC)


def step(state: MeetingState, facts: Sequence[Fact], *, is_baseline: bool = False) -> Decision:
    """Commit once, through the stored form of the state."""
    flat = encode_state(state)
    stored = decode_state(flat)
    assert encode_state(stored) == flat
    return decide(stored, facts, now=NOW, limits=LIMITS, is_baseline=is_baseline)


def in_words(said: Said) -> tuple[Any, ...]:
    is_removal = said.type == "attendee.removed"
    return (
        said.instance,
        f"responsesync.{said.type}",
        said.attendee,
        None if said.attendee is None or is_removal else str(said.value),
        None if said.previous is None else str(said.previous),
        None if said.attendee is None or is_removal else str(said.standing),
    )


def in_reference_words(said: ReferenceSaid) -> tuple[Any, ...]:
    kind = said.type.value
    return (
        said.instance,
        kind if kind.startswith("responsesync.") else f"responsesync.{kind}",
        said.attendee,
        None if said.value is None else str(said.value),
        None if said.previous is None else str(said.previous),
        None if said.standing is None else said.standing.value,
    )


def what_is_so(derived: DerivedMeeting) -> dict[str, Any]:
    return {
        str(key): (
            instance.ending,
            {
                str(person): (
                    str(each.value),
                    None if each.at is None else each.at.ns,
                    str(each.standing),
                    each.is_overdue,
                    None if each.proposal is None else each.proposal.span,
                    each.is_own,
                )
                for person, each in instance.attendees.items()
            },
        )
        for key, instance in derived.instances.items()
    }


def what_is_so_by_reference(derived: Derived) -> dict[str, Any]:
    endings = {"gone": "deleted"}
    return {
        str(key): (
            "" if state.ending is None else endings.get(state.ending.value, state.ending.value),
            {
                str(person): (
                    str(each.value),
                    each.at_ns,
                    each.standing.value,
                    each.overdue,
                    each.proposal,
                    each.own,
                )
                for person, each in state.people.items()
            },
        )
        for key, state in derived.at.items()
    }


@LAW
@given(data=st.data(), history=histories(), is_baseline=st.booleans())
def test_production_derives_and_says_what_the_reference_does(
    data: st.DataObject, history: History, is_baseline: bool
) -> None:
    in_order = data.draw(st.booleans())
    batches = data.draw(commits(history.facts) if in_order else arrivals(history.facts, drops=True))
    state, emitter, read = MeetingState(), Emitter(), list[Fact]()
    for number, batch in enumerate(batches):
        read.extend(batch)
        decision = step(state, batch, is_baseline=is_baseline and number == 0)
        state = decision.state
        by_reference = derive_by_reference(read, tolerance_s=TOLERANCE_S)
        expected = what_is_so_by_reference(by_reference)
        ours = what_is_so(decision.derived)
        assert ours == {key: expected[key] for key in ours}
        told = emitter.emit(by_reference, baseline=is_baseline and number == 0)
        assert [in_words(said) for said in decision.said] == [in_reference_words(said) for said in told]


@LAW
@given(data=st.data(), history=histories())
def test_joining_is_the_same_in_any_order_and_with_any_repetition(
    data: st.DataObject, history: History
) -> None:
    arrived = [fact for batch in data.draw(arrivals(history.facts)) for fact in batch]
    assert join_all(MeetingState().facts, arrived) == join_all(MeetingState().facts, history.facts)


@LAW
@given(history=histories())
def test_a_commit_without_news_says_nothing(history: History) -> None:
    first = step(MeetingState(), history.facts)
    again = step(first.state, history.facts)
    assert again.said == ()
    assert encode_state(again.state) == encode_state(first.state)
