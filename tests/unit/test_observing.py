"""What the parts tell becomes numbers: once, under words of closed lists."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.entries import IntakeEntry, Kind, Origin
from service.metrics import Metrics
from service.observing import CountedGeneration, GraphMetrics, KeeperObserver, WorkerObserver
from service.pipeline.outcomes import Ending, Processed
from service.reconcile.instant import instant_of
from tests.unit.pipeline.fakes import StillClock


def build_entry(clock: StillClock, origin: Origin = Origin.NOTIFICATION, **more: Any) -> IntakeEntry:
    arrived_at = instant_of(clock.now() - timedelta(seconds=2)).text
    return IntakeEntry(**{"kind": Kind.MESSAGE, "origin": origin, "arrived_at": arrived_at} | more)


def read(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"response_sync_{name}", labels)


def told(*types: str) -> Processed:
    return Processed(ending=Ending.PUBLISHED if types else Ending.JOINED, updates=types)


def test_an_entry_counts_by_kind_and_ending_and_each_update_by_its_type() -> None:
    metrics, clock = Metrics(), StillClock()
    observer = WorkerObserver(metrics, clock)
    observer.entry_processed(build_entry(clock), told("response.changed", "response.changed"), duration_s=0.2)
    observer.entry_processed(build_entry(clock), told(), duration_s=0.2)
    assert read(metrics, "entries_processed_total", kind="message", outcome="published") == 1
    assert read(metrics, "entries_processed_total", kind="message", outcome="joined") == 1
    assert read(metrics, "updates_published_total", type="response.changed") == 2
    assert read(metrics, "entry_processing_seconds_count", kind="message") == 2


def test_answers_that_will_not_be_published_count_by_the_reason() -> None:
    metrics, clock = Metrics(), StillClock()
    processed = Processed(ending=Ending.JOINED, skipped=("superseded", "superseded", "same_moment"))
    WorkerObserver(metrics, clock).entry_processed(build_entry(clock), processed, duration_s=0.2)
    assert read(metrics, "answers_skipped_total", reason="superseded") == 2
    assert read(metrics, "answers_skipped_total", reason="same_moment") == 1


def test_the_delay_counts_from_the_arrival_of_the_notification_that_brought_an_update() -> None:
    metrics, clock = Metrics(), StillClock()
    observer = WorkerObserver(metrics, clock)
    observer.entry_processed(build_entry(clock), told("response.changed"), duration_s=0.2)
    observer.entry_processed(build_entry(clock), told(), duration_s=0.2)
    observer.entry_processed(build_entry(clock, Origin.SWEEP), told("event.deleted"), duration_s=0.2)
    observer.entry_processed(build_entry(clock, arrived_at="?"), told("event.deleted"), duration_s=0.2)
    assert read(metrics, "update_delay_seconds_count") == 1
    assert read(metrics, "update_delay_seconds_sum") == 2


def test_an_arrival_in_the_future_of_this_clock_is_no_negative_delay() -> None:
    metrics, clock = Metrics(), StillClock()
    ahead = instant_of(clock.now() + timedelta(seconds=3)).text
    WorkerObserver(metrics, clock).entry_processed(
        build_entry(clock, arrived_at=ahead), told("response.changed"), duration_s=0.1
    )
    assert read(metrics, "update_delay_seconds_sum") == 0


@pytest.mark.parametrize(
    ("origin", "types", "missed"),
    [
        (Origin.SWEEP, ("response.changed",), 1),
        (Origin.SWEEP, (), None),
        (Origin.CATCH_UP, ("response.changed",), None),
        (Origin.NOTIFICATION, ("response.changed",), None),
        (Origin.BASELINE, ("response.snapshot",), None),
    ],
)
def test_a_sweep_that_leads_to_an_update_tells_of_a_missed_notification(
    origin: Origin, types: tuple[str, ...], missed: float | None
) -> None:
    metrics, clock = Metrics(), StillClock()
    WorkerObserver(metrics, clock).entry_processed(build_entry(clock, origin), told(*types), duration_s=0.1)
    assert read(metrics, "missed_notifications_total", kind="message") == missed


def test_lifecycle_notifications_count_by_event_and_strange_words_make_no_series() -> None:
    metrics, clock = Metrics(), StillClock()
    observer = WorkerObserver(metrics, clock)
    for word in ("missed", "reauthorizationRequired", "<script>", "baselined"):
        entry = build_entry(clock, kind=Kind.LIFECYCLE, lifecycle=word)
        observer.entry_processed(entry, Processed(ending=Ending.LIFECYCLE), duration_s=0.1)
    own = build_entry(clock, Origin.BASELINE, kind=Kind.LIFECYCLE, lifecycle="baselined")
    observer.entry_processed(own, Processed(ending=Ending.LIFECYCLE), duration_s=0.1)
    events = {"missed": 1, "reauthorizationRequired": 1, "unknown": 2, "baselined": None}
    assert {event: read(metrics, "lifecycle_events_total", event=event) for event in events} == events


def test_requests_count_as_in_flight_until_they_end_even_without_an_answer() -> None:
    metrics = Metrics()
    observer = GraphMetrics(metrics, StillClock())
    observer.request_sent()
    observer.request_sent()
    observer.request_answered(kind="event", status=0, duration_s=30)
    assert read(metrics, "graph_requests_in_flight") == 1
    assert read(metrics, "graph_requests_total", request="event", status="0") == 1


class Machine:
    """A machine whose clock may be set, while time goes on."""

    def __init__(self) -> None:
        self.gone_s, self.set_s = 0.0, 0.0

    def now(self) -> datetime:
        return datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=self.gone_s + self.set_s)

    def monotonic(self) -> float:
        return self.gone_s

    async def sleep(self, seconds: float) -> None:
        self.gone_s += seconds


def test_how_far_graphs_clock_is_ahead_follows_ours_when_it_is_set_right_though_nothing_is_asked() -> None:
    metrics, machine = Metrics(), Machine()
    GraphMetrics(metrics, machine).clock_read(ahead_s=90)
    machine.gone_s = 600
    assert read(metrics, "clock_ahead_seconds", clock="graph") == 90
    machine.set_s = 89.5
    assert read(metrics, "clock_ahead_seconds", clock="graph") == 0.5
    machine.gone_s = 1_801
    assert math.isnan(read(metrics, "clock_ahead_seconds", clock="graph") or 0)


def test_the_time_that_graph_asked_to_wait_adds_up() -> None:
    metrics = Metrics()
    observer = GraphMetrics(metrics, StillClock())
    observer.request_throttled(kind="event", retry_after_s=2.5)
    observer.request_throttled(kind="event", retry_after_s=None)
    assert read(metrics, "graph_throttled_total", request="event") == 2
    assert read(metrics, "graph_wait_seconds_total") == 2.5


def test_a_token_shows_its_end_and_a_refusal_whether_anybody_answered() -> None:
    metrics = Metrics()
    observer = GraphMetrics(metrics, StillClock())
    ends_at = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
    observer.token_acquired(duration_s=0.1, expires_at_s=ends_at)
    observer.token_refused(outcome="unreachable", duration_s=15)
    observer.token_refused(outcome="invalid_client", duration_s=0.1)
    assert read(metrics, "token_expiry_timestamp_seconds") == ends_at
    outcomes = ("got", "away", "refused")
    assert [read(metrics, "tokens_acquired_total", outcome=one) for one in outcomes] == [1, 1, 1]


def test_rounds_and_their_items_count_by_resource() -> None:
    metrics = Metrics()
    observer = KeeperObserver(metrics)
    observer.round_ended(resource="inbox", is_full=True, items=40)
    observer.round_ended(resource="inbox", is_full=False, items=2)
    assert read(metrics, "delta_rounds_total", resource="inbox", scope="full") == 1
    assert read(metrics, "delta_rounds_total", resource="inbox", scope="changes") == 1
    assert read(metrics, "delta_items_total", resource="inbox") == 42


async def test_only_a_state_that_was_begun_counts_as_a_generation() -> None:
    class Marks:
        held = False
        led_at: datetime | None = None

        async def ensure(self, *, meanwhile: Callable[[], Awaitable[object]] | None = None) -> bool:
            was_missing, self.held = not self.held, True
            return was_missing

        async def exists(self, *, led_at: datetime | None = None) -> bool:
            return self.held

        async def disown(self) -> None:
            self.held = False

    metrics = Metrics()
    generation = CountedGeneration(Marks(), metrics)
    assert not await generation.exists()
    assert [await generation.ensure(), await generation.ensure()] == [True, False]
    assert await generation.exists()
    await generation.disown()
    assert (await generation.exists(), generation.led_at) == (False, None)
    assert read(metrics, "generations_total") == 1
