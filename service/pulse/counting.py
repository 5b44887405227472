"""What is counted per minute, read off the metrics of a process. Sums only: all processes add to the same.

The names are a closed list; those of delays hold the place of their bucket among `DELAY_BOUNDS_S`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from prometheus_client import Histogram
from prometheus_client.samples import Sample

from service.metrics import DELAY_BOUNDS_S, Metrics

DELAY_PREFIX: Final = "delay_"
NAMES: Final = (
    "stored",
    "refused",
    "not_stored",
    "redis_full",
    "processed",
    "retried",
    "dead",
    "published",
    "missed",
    "graph",
    "graph_failed",
    "throttled",
    "token_refused",
)
_MS: Final = 1_000


class MinuteCounts:
    """Tells what was counted since it was last taken."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._before = read_totals(metrics)

    def look(self) -> tuple[dict[str, int], dict[str, int]]:
        """Give what was counted since the last `take`, zeros left out, and the totals to take it with."""
        totals = read_totals(self._metrics)
        new = {name: total - self._before.get(name, 0) for name, total in totals.items()}
        return {name: number for name, number in new.items() if number > 0}, totals

    def take(self, totals: Mapping[str, int]) -> None:
        """Count from these totals on: what came before has been told."""
        self._before = dict(totals)


def read_totals(metrics: Metrics) -> dict[str, int]:
    """Give all sums of the process since its start."""
    totals = dict.fromkeys(NAMES, 0)
    for name, value in _read(metrics):
        totals[name] += round(value)
    return {**totals, **_read_delays(metrics.update_delay_seconds)}


def _read(metrics: Metrics) -> Iterator[tuple[str, float]]:
    for labels, value in _list_samples(metrics.notification_items):
        yield labels["outcome"], value
    for labels, value in _list_samples(metrics.append_failures):
        if labels["fault"] == "full":
            yield "redis_full", value
    for labels, value in _list_samples(metrics.graph_requests):
        yield "graph", value
        if labels["status"] == "0" or labels["status"].startswith("5"):
            yield "graph_failed", value
    for labels, value in _list_samples(metrics.tokens):
        if labels["outcome"] != "got":
            yield "token_refused", value
    plain: tuple[tuple[str, Any], ...] = (
        ("processed", metrics.entries_processed),
        ("retried", metrics.entry_retries),
        ("dead", metrics.entries_dead_lettered),
        ("published", metrics.updates_published),
        ("missed", metrics.missed_notifications),
        ("throttled", metrics.graph_throttled),
    )
    for name, counter in plain:
        for _, value in _list_samples(counter):
            yield name, value


def _list_samples(counter: Any) -> Iterator[tuple[Mapping[str, str], float]]:
    is_total: Callable[[Sample], bool] = lambda sample: sample.name.endswith("_total")  # noqa: E731
    for family in counter.collect():
        yield from ((sample.labels, sample.value) for sample in filter(is_total, family.samples))


def _read_delays(histogram: Histogram) -> dict[str, int]:
    """Give how many delays fell into each bucket; the client library gives sums from the least on."""
    (family,) = histogram.collect()
    sums = [round(sample.value) for sample in family.samples if sample.name.endswith("_bucket")]
    counts = [number - before for number, before in zip(sums, [0, *sums], strict=False)]
    return {f"{DELAY_PREFIX}{at}": number for at, number in enumerate(counts)}


def find_quantile_s(minute: Mapping[str, int], part: float) -> float | None:
    """Give the delay below which so many of a minute's updates were; None where there was none.

    Read between the bounds of the bucket, as Prometheus' `histogram_quantile` does; in the last bucket, which
    has no end, its beginning.

    Args:
        part: from 0 to 1.
    """
    counts = [minute.get(f"{DELAY_PREFIX}{at}", 0) for at in range(len(DELAY_BOUNDS_S) + 1)]
    wanted, sofar = part * sum(counts), 0
    if not sum(counts):
        return None
    for at, count in enumerate(counts[:-1]):
        if count and sofar + count >= wanted:
            low = DELAY_BOUNDS_S[at - 1] if at else 0.0
            return low + (DELAY_BOUNDS_S[at] - low) * (wanted - sofar) / count
        sofar += count
    return DELAY_BOUNDS_S[-1]


def to_ms(seconds: float) -> int:
    """Give whole milliseconds: Redis keeps integers."""
    return round(seconds * _MS)
