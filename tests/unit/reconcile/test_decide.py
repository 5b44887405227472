"""One step: which timers it changes, and what it says of who is new."""

from __future__ import annotations

from datetime import UTC, datetime

from service.reconcile.decide import DecisionLimits, decide
from service.reconcile.emit import UpdateType
from service.reconcile.model import Fact
from service.reconcile.state import MeetingState
from tests.unit.reconcile.build import event, response, row

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LIMITS = DecisionLimits()


def test_a_timer_that_runs_is_not_set_again() -> None:
    asked: list[Fact] = [event(1, row("ann")), response("ann", "accepted", 10)]
    first = decide(MeetingState(), asked, now=NOW, limits=LIMITS)
    assert [(timer.attendee, timer.pair is None) for timer in first.timers] == [("ann", False)]
    later = decide(first.state, [event(20, row("ann"), row("bob"))], now=NOW, limits=LIMITS)
    assert later.state.timers == first.state.timers
    assert later.timers == ()


def test_who_is_new_is_added_and_told_as_a_snapshot_in_a_baseline_only() -> None:
    facts = [event(1, row("ann"))]
    usual = decide(MeetingState(), facts, now=NOW, limits=LIMITS)
    baseline = decide(MeetingState(), facts, now=NOW, limits=LIMITS, is_baseline=True)
    assert [said.type for said in usual.said] == [UpdateType.ADDED]
    assert [said.type for said in baseline.said] == [UpdateType.SNAPSHOT]
