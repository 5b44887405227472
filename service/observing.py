"""Turns what the parts tell about themselves into metrics and log lines. Decides nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from service.clock import Clock, OtherClock
from service.entries import IntakeEntry, Kind, Origin
from service.metrics import Metrics
from service.pipeline.outcomes import Processed
from service.ports import Generation
from service.reconcile.instant import parse_instant
from service.rich.unread import Unread
from service.subscriptions.records import RequestKind

_LOG: Final = structlog.get_logger(__name__)
_LIFECYCLES: Final = (RequestKind.MISSED, RequestKind.REMOVED, RequestKind.REAUTHORIZE)


class GraphMetrics:
    """What calls to Graph and Entra ID tell."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._graph_clock = OtherClock(clock)
        self._is_graph_read = False

    def request_sent(self) -> None:
        """Note that one more request is under way."""
        self._metrics.graph_in_flight.inc()

    def request_answered(self, *, kind: str, status: int, duration_s: float) -> None:
        """Count an HTTP request that ended."""
        self._metrics.graph_in_flight.dec()
        self._metrics.graph_requests.labels(kind, status).inc()
        self._metrics.graph_seconds.labels(kind).observe(duration_s)
        _LOG.debug(
            "graph.request_answered", kind=kind, status=status, duration_ms=round(duration_s * 1000, 1)
        )

    def part_answered(self, *, kind: str, status: int) -> None:
        """Tell of a part of a `$batch`; the batch itself is what counts as a request."""
        _LOG.debug("graph.part_answered", kind=kind, status=status)

    def mailbox_accessed(self, *, mailbox: str, kind: str, status: int) -> None:
        """Leave the audit line: whose mailbox, what was asked, how it ended."""
        _LOG.info("mailbox.accessed", mailbox=mailbox, kind=kind, status=status)

    def request_throttled(self, *, kind: str, retry_after_s: float | None) -> None:
        """Count that Graph asked to wait."""
        self._metrics.graph_throttled.labels(kind).inc()
        self._metrics.graph_wait_seconds.inc(retry_after_s or 0)
        _LOG.warning("graph.request_throttled", kind=kind, wait_s=retry_after_s)

    def clock_read(self, *, ahead_s: float) -> None:
        """Show how far Graph's clock is ahead of ours, from now on, also after ours is set right."""
        self._graph_clock.note(self._clock.now() + timedelta(seconds=ahead_s))
        if not self._is_graph_read:
            self._is_graph_read = True
            self._metrics.clock_ahead.labels("graph").set_function(self._graph_clock.reckon_ahead_s)

    def request_held_back(self, *, kind: str, reason: str) -> None:
        """Count a request that was not sent."""
        self._metrics.graph_held_back.labels(reason).inc()
        _LOG.debug("graph.request_held_back", kind=kind, reason=reason)

    def token_acquired(self, *, duration_s: float, expires_at_s: float) -> None:
        """Count a token that was got, and show when it ends."""
        self._metrics.tokens.labels("got").inc()
        self._metrics.token_expires.set(expires_at_s)
        _LOG.info("token.acquired", duration_ms=round(duration_s * 1000))

    def token_refused(self, *, outcome: str, duration_s: float) -> None:
        """Count a token that was not to be had."""
        self._metrics.tokens.labels("away" if outcome == "unreachable" else "refused").inc()
        _LOG.error("token.refused", outcome=outcome, duration_ms=round(duration_s * 1000))

    def payload_noted(self, *, kind: str, notes: Sequence[str]) -> None:
        """Tell of members that could not be understood."""
        _LOG.warning("graph.payload_noted", kind=kind, notes=list(notes))


class WorkerObserver:
    """What the worker's loop tells."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._in_flight = metrics.entries_in_flight

    def entry_processed(self, entry: IntakeEntry, processed: Processed, *, duration_s: float) -> None:
        """Count an entry that came to its end, and what it led to."""
        self._metrics.entries_processed.labels(entry.kind, processed.ending).inc()
        self._metrics.entry_seconds.labels(entry.kind).observe(duration_s)
        for one in processed.updates:
            self._metrics.updates_published.labels(one).inc()
        for reason in processed.skipped:
            self._metrics.answers_skipped.labels(reason).inc()
        if processed.forgery:
            self._metrics.notifications_forged.labels(processed.forgery).inc()
            _LOG.warning(
                "notification.forged",
                reason=processed.forgery,
                mailbox=entry.mailbox,
                subscription_id=entry.subscription,
            )
        if processed.updates and entry.origin is Origin.NOTIFICATION:
            self._observe_delay(entry.arrived_at)
        if processed.updates and entry.origin is Origin.SWEEP:
            self._metrics.missed_notifications.labels(entry.kind).inc()
        if entry.kind is Kind.LIFECYCLE and entry.origin is Origin.NOTIFICATION:
            is_known = entry.lifecycle in _LIFECYCLES
            self._metrics.lifecycle_events.labels(entry.lifecycle if is_known else "unknown").inc()

    def entry_deferred(self, *, error: str) -> None:
        """Count an entry that was put off."""
        self._metrics.entry_retries.labels(error).inc()

    def entry_dead_lettered(self, *, reason: str) -> None:
        """Count an entry that was given up."""
        self._metrics.entries_dead_lettered.labels(reason).inc()

    def race_lost(self) -> None:
        """Count a commit that has to be joined again."""
        self._metrics.commit_conflicts.inc()

    def _observe_delay(self, arrived_at: str) -> None:
        try:
            arrived = parse_instant(arrived_at).to_datetime()
        except ValueError:
            return
        delay_s = (self._clock.now() - arrived).total_seconds()
        self._metrics.update_delay_seconds.observe(max(delay_s, 0.0))  # clocks of two machines differ

    def in_flight(self, *, count: int) -> None:
        """Show how many entries are taken and not done."""
        self._in_flight.set(count)


class RichObserver:
    """What the reading of rich notifications tells."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def data_taken(self, *, kind: str) -> None:
        """Count an item that came along and was not fetched."""
        self._metrics.resource_data.labels(kind, "taken", "").inc()

    def data_unread(self, entry: IntakeEntry, *, reason: Unread) -> None:
        """Count an item that was to come along and is fetched."""
        self._metrics.resource_data.labels(entry.kind, "fetched", reason).inc()
        subject = {"kind": str(entry.kind), "mailbox": entry.mailbox, "subscription_id": entry.subscription}
        if reason.remedy:
            _LOG.warning("notification.unread", **subject, reason=str(reason), words=reason.remedy)
        else:
            _LOG.info("notification.unread", **subject, reason=str(reason))


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

    def round_ended(self, *, resource: str, is_full: bool, items: int) -> None:
        """Count a delta round that is complete, and what it brought."""
        self._metrics.delta_rounds.labels(resource, "full" if is_full else "changes").inc()
        self._metrics.delta_items.labels(resource).inc(items)


class CountedGeneration:
    """A generation that counts how often it was begun."""

    def __init__(self, generation: Generation, metrics: Metrics) -> None:
        self._generation = generation
        self._metrics = metrics

    @property
    def led_at(self) -> datetime | None:
        """When a keeper last led, by the state as it was last looked at."""
        return self._generation.led_at

    async def ensure(self, *, meanwhile: Callable[[], Awaitable[object]] | None = None) -> bool:
        """Write the mark where it is missing; tells, and counts, whether it was missing."""
        was_missing = await self._generation.ensure(meanwhile=meanwhile)
        self._metrics.generations.inc(was_missing)
        return was_missing

    async def exists(self, *, led_at: datetime | None = None) -> bool:
        """Tell whether every partition has its mark and is none older than what was seen."""
        return await self._generation.exists(led_at=led_at)

    async def disown(self) -> None:
        """Take the mark away."""
        await self._generation.disown()
