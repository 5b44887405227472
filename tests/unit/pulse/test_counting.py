"""What is counted per minute: sums of the metrics, each told once, and delays read back from buckets."""

from __future__ import annotations

import pytest

from service.metrics import DELAY_BOUNDS_S, Metrics
from service.pulse.counting import DELAY_PREFIX, NAMES, MinuteCounts, find_quantile_s, read_totals


def test_every_name_is_counted_from_the_metric_that_it_stands_for() -> None:
    metrics = Metrics()
    metrics.notification_items.labels("stored", "").number += 7
    metrics.notification_items.labels("refused", "malformed item").number += 1
    metrics.notification_items.labels("refused", "wrong client state").number += 1
    metrics.notification_items.labels("not_stored", "").number += 3
    metrics.append_failures.labels("full").inc(3)
    metrics.append_failures.labels("away").inc(9)
    metrics.entries_processed.labels("event", "published").inc(4)
    metrics.entry_retries.labels("UnavailableError").inc(5)
    metrics.entries_dead_lettered.labels("refused").inc()
    metrics.updates_published.labels("response.changed").inc(6)
    metrics.missed_notifications.labels("event").inc(2)
    metrics.graph_requests.labels("event", "200").inc(10)
    metrics.graph_requests.labels("event", "503").inc(2)
    metrics.graph_requests.labels("event", "0").inc(1)
    metrics.graph_throttled.labels("event").inc(8)
    metrics.tokens.labels("got").inc()
    metrics.tokens.labels("refused").inc(2)
    totals = read_totals(metrics)
    assert {name: totals[name] for name in NAMES} == {
        "stored": 7,
        "refused": 2,
        "not_stored": 3,
        "redis_full": 3,
        "processed": 4,
        "retried": 5,
        "dead": 1,
        "published": 6,
        "missed": 2,
        "graph": 13,
        "graph_failed": 3,
        "throttled": 8,
        "token_refused": 2,
    }


def test_each_number_is_told_once_and_again_only_if_it_was_not_taken() -> None:
    metrics = Metrics()
    counts = MinuteCounts(metrics)
    metrics.updates_published.labels("response.changed").inc(2)
    told, totals = counts.look()
    assert told == {"published": 2}
    assert counts.look()[0] == {"published": 2}
    counts.take(totals)
    assert counts.look()[0] == {}
    metrics.updates_published.labels("response.reset").inc()
    assert counts.look()[0] == {"published": 1}


def test_what_was_counted_before_the_pulse_began_is_not_told() -> None:
    metrics = Metrics()
    metrics.updates_published.labels("response.changed").inc(2)
    assert MinuteCounts(metrics).look()[0] == {}


def test_delays_are_kept_by_bucket_and_read_back_between_its_bounds() -> None:
    metrics = Metrics()
    counts = MinuteCounts(metrics)
    for delay_s in (0.3, 0.3, 0.3, 2.0):
        metrics.update_delay_seconds.observe(delay_s)
    told, _ = counts.look()
    assert told == {f"{DELAY_PREFIX}3": 3, f"{DELAY_PREFIX}5": 1}
    assert find_quantile_s(told, 0.5) == pytest.approx(0.25 + 0.25 * 2 / 3)
    assert find_quantile_s(told, 0.75) == 0.5
    assert find_quantile_s(told, 0.95) == pytest.approx(1.0 + 1.5 * 0.8)


def test_a_delay_beyond_all_bounds_is_at_least_the_last_and_no_delay_is_none() -> None:
    assert find_quantile_s({f"{DELAY_PREFIX}{len(DELAY_BOUNDS_S)}": 1}, 0.5) == DELAY_BOUNDS_S[-1]
    assert find_quantile_s({"published": 3}, 0.5) is None
