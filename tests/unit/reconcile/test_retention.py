"""How long the state of a meeting is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from service.reconcile.decide import DecisionLimits, decide
from service.reconcile.instant import Instant, instant_of
from service.reconcile.model import EventFact, Fact
from service.reconcile.state import MeetingState
from tests.unit.reconcile.build import event, gone, response, row

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LIMITS = DecisionLimits(retention_days=30, waiting_hours=72)
DAY2 = "2026-03-03"


def ending(fact: EventFact, end: datetime | None) -> EventFact:
    ends_at: Instant | None = None if end is None else instant_of(end)
    return replace(fact, details=replace(fact.details, ends_at=ends_at))


def kept_until(*facts: Fact) -> datetime | None:
    return decide(MeetingState(), facts, now=NOW, limits=LIMITS).expires_at


def test_a_meeting_is_kept_for_the_set_days_after_its_end() -> None:
    end = NOW + timedelta(days=10)
    assert kept_until(ending(event(1, row("ann")), end)) == end + timedelta(days=30)


def test_a_meeting_long_past_is_kept_for_a_day() -> None:
    assert kept_until(ending(event(1), NOW - timedelta(days=400))) == NOW + timedelta(days=1)


def test_an_exception_after_the_last_occurrence_keeps_its_series() -> None:
    series = ending(event(1, is_series=True), NOW + timedelta(days=5))
    late = ending(event(1, instance=DAY2), NOW + timedelta(days=50))
    assert kept_until(series, late) == NOW + timedelta(days=80)


def test_an_endless_series_is_kept_until_it_is_deleted_or_cancelled() -> None:
    series = ending(event(1, is_series=True), None)
    past = ending(event(1, instance=DAY2), NOW - timedelta(days=100))
    assert kept_until(series, past) is None
    assert kept_until(series, past, gone(3600)) == NOW + timedelta(days=30, hours=1)
    off = ending(event(7200, is_series=True, is_cancelled=True), None)
    assert kept_until(series, past, off) == NOW + timedelta(days=30, hours=2)


def test_a_cancelled_meeting_is_kept_until_its_time_is_over() -> None:
    end = NOW + timedelta(days=100)
    assert kept_until(ending(event(1, is_cancelled=True), end)) == end + timedelta(days=30)


def test_what_ends_with_the_last_year_is_kept() -> None:
    assert kept_until(ending(event(1), datetime(9999, 12, 31, tzinfo=UTC))) is None


def test_answers_without_an_event_wait_for_the_set_hours() -> None:
    assert kept_until(response("ann", "accepted", 1)) == NOW + timedelta(hours=72)
