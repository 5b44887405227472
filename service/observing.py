"""Turns what the parts tell about themselves into metrics and log lines. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from service.metrics import Metrics

_LOG = structlog.get_logger(__name__)


class GraphMetrics:
    """What calls to Graph and Entra ID tell."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def request_answered(self, *, kind: str, status: int, duration_s: float) -> None:
        """Count an HTTP request."""
        self._metrics.graph_requests.labels(kind, status).inc()
        self._metrics.graph_seconds.labels(kind).observe(duration_s)
        _LOG.debug(
            "graph.request_answered", kind=kind, status=status, duration_ms=round(duration_s * 1000, 1)
        )

    def part_answered(self, *, kind: str, status: int) -> None:
        """Tell of a part of a `$batch`; the batch itself is what counts as a request."""
        _LOG.debug("graph.part_answered", kind=kind, status=status)

    def request_throttled(self, *, kind: str, retry_after_s: float | None) -> None:
        """Count that Graph asked to wait."""
        self._metrics.graph_throttled.labels(kind).inc()
        _LOG.warning("graph.request_throttled", kind=kind, wait_s=retry_after_s)

    def token_acquired(self, *, outcome: str, duration_s: float) -> None:
        """Count a token asked for."""
        duration_ms = round(duration_s * 1000)
        if outcome == "ok":
            self._metrics.tokens.labels("got").inc()
            _LOG.info("token.acquired", duration_ms=duration_ms)
        else:
            self._metrics.tokens.labels("refused").inc()
            _LOG.error("token.refused", outcome=outcome, duration_ms=duration_ms)

    def payload_noted(self, *, kind: str, notes: Sequence[str]) -> None:
        """Tell of members that could not be understood."""
        _LOG.warning("graph.payload_noted", kind=kind, notes=list(notes))


class WorkerObserver:
    """What the worker's loop tells."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._in_flight = metrics.entries_in_flight

    def entry_processed(self, *, kind: str, ending: str, duration_s: float) -> None:
        """Count an entry that came to its end."""
        self._metrics.entries_processed.labels(kind, ending).inc()
        self._metrics.entry_seconds.labels(kind).observe(duration_s)

    def entry_failed(self, *, kind: str, reason: str, is_final: bool) -> None:
        """Count an entry that was put off, or given up."""
        if is_final:
            self._metrics.entries_dead_lettered.labels(reason).inc()
        else:
            self._metrics.entry_retries.labels(reason).inc()

    def updates_published(self, *, types: tuple[str, ...]) -> None:
        """Count what was published."""
        for one in types:
            self._metrics.updates_published.labels(one).inc()

    def in_flight(self, *, count: int) -> None:
        """Show how many entries are taken and not done."""
        self._in_flight.set(count)


class KeeperObserver:
    """What the keeper's loop tells."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def duty_done(self, *, kind: str, outcome: str, duration_s: float) -> None:
        """Count a duty that was carried out, or failed."""
        self._metrics.keeper_duties.labels(kind, outcome).inc()
        self._metrics.keeper_duty_seconds.labels(kind).observe(duration_s)

    def leading(self, *, is_leading: bool) -> None:
        """Show whether this process holds the lease."""
        self._metrics.is_leader.set(is_leading)
