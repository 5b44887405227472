"""Every metric of the service: name, unit, labels. One object, passed to whoever counts.

Labels hold words of closed lists only, never an address, an id or anything that came from outside, so the
number of series is bounded. Must never be a module-level singleton: each process and each test has its own.

Source: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_PREFIX: Final = "response_sync"
_FAST: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_CALL: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_DELAY: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
_SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)


class Count:
    """One number of a tally; whoever counts holds on to it and adds to `number`."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


class Tally:
    """A counter for what happens with every request: plain integers, which are read when somebody scrapes.

    The client library's counters take a lock and three calls each; two of them per notification cost as much
    as judging it. Must be used from the event loop only.
    """

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._counts: dict[tuple[str, ...], Count] = {}

    def labels(self, *values: str) -> Count:
        """Give the number for these values, in the order in which the labels were named."""
        assert len(values) == len(self._labels), "one value per label"
        return self._counts.setdefault(values, Count())

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Give the counts to the registry."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, count in self._counts.items():
            family.add_metric(values, count.number)
        yield family


class Metrics:
    """The metrics of one process.

    Attributes:
        registry: what `/metrics` shows; the process' own figures (memory, descriptors, CPU) among it.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._add_web()
        self._add_intake()
        self._add_pipeline()
        self._add_graph()
        self._add_subscriptions()

    def _add_web(self) -> None:
        """Add what the public listener counts."""
        self.web_requests = self._tally(
            "web_requests", "Requests at the public listener, by route and status.", "route", "status"
        )
        self.handshakes = self._counter(
            "handshakes", "Validation requests of Graph, by outcome: answered, refused.", "outcome"
        )
        self.notification_items = self._tally(
            "notification_items",
            "Items of notifications, by outcome (stored, refused, not_stored) and the reason of a refusal.",
            "outcome",
            "reason",
        )

    def _add_intake(self) -> None:
        """Add what is known about the way from a request into the intake stream, and about that stream."""
        self.append_seconds = self._histogram(
            "intake_append_seconds", "From a batch of requests to the replies of Redis.", _FAST
        )
        self.append_batch = self._histogram(
            "intake_append_batch_requests", "Requests that were stored in one write.", _SIZES
        )
        self.append_failures = self._counter(
            "intake_append_failures",
            "Requests that could not be stored, by fault: away, full, refused, not_durable.",
            "fault",
        )
        self.intake_entries = self._gauge(
            "intake_entries", "Entries of the intake stream, by state: waiting, pending.", "state"
        )
        self.intake_oldest_seconds = self._gauge(
            "intake_oldest_seconds", "Age of the oldest entry of the intake stream."
        )
        self.dead_letters = self._gauge("dead_letters", "Entries that were given up and are kept.")
        self.due_entries = self._gauge("due_entries", "Timers and retries in the due list.")
        self.due_overdue_seconds = self._gauge(
            "due_overdue_seconds", "How long ago the first of the due list should have been released."
        )

    def _add_pipeline(self) -> None:
        """Add what the worker counts."""
        self.entries_processed = self._counter(
            "entries_processed", "Entries brought to an end, by kind and outcome.", "kind", "outcome"
        )
        self.entries_in_flight = self._gauge(
            "entries_in_flight", "Entries that this worker has taken and not yet done."
        )
        self.entry_seconds = self._histogram(
            "entry_processing_seconds", "Work on one entry, by kind.", _CALL, "kind"
        )
        self.entry_retries = self._counter("entry_retries", "Entries put off, by the error's name.", "error")
        self.entries_dead_lettered = self._counter(
            "entries_dead_lettered", "Entries given up, by reason.", "reason"
        )
        self.commit_conflicts = self._counter(
            "commit_conflicts", "Commits that found another had come first, and joined again."
        )
        self.answers_skipped = self._counter(
            "answers_skipped", "Answers that were read and never published, by reason.", "reason"
        )
        self.updates_published = self._counter(
            "updates_published", "Entries of the update stream, by type.", "type"
        )
        self.update_delay_seconds = self._histogram(
            "update_delay_seconds", "From the arrival of a notification to the update that followed.", _DELAY
        )

    def _add_graph(self) -> None:
        """Add what is known about calls to Graph and Entra ID."""
        self.graph_requests = self._counter(
            "graph_requests",
            "HTTP requests to Graph, a batch counting one, by kind and status.",
            "request",
            "status",
        )
        self.graph_seconds = self._histogram(
            "graph_request_seconds", "Duration of a request to Graph, by kind.", _CALL, "request"
        )
        self.graph_in_flight = self._gauge(
            "graph_requests_in_flight", "Requests to Graph that wait for an answer."
        )
        self.graph_throttled = self._counter(
            "graph_throttled", "Answers of Graph that asked us to wait, by kind of request.", "request"
        )
        self.graph_retries = self._counter(
            "graph_retries", "Requests sent to Graph again, by kind.", "request"
        )
        self.graph_wait_seconds = self._counter(
            "graph_wait_seconds", "Time spent waiting because Graph asked for it."
        )
        self.tokens = self._counter(
            "tokens_acquired", "Access tokens asked for, by outcome: got, refused, away.", "outcome"
        )
        self.token_expires = self._gauge(
            "token_expiry_timestamp_seconds", "When the access token in use ends, Unix time."
        )

    def _add_subscriptions(self) -> None:
        """Add what the keeper knows."""
        self.subscriptions = self._gauge(
            "subscriptions", "Subscriptions of the roster, by resource and state.", "resource", "state"
        )
        self.subscription_calls = self._counter(
            "subscription_calls",
            "What the keeper did, by action (create, renew, recreate, delete, adopt) and outcome.",
            "action",
            "outcome",
        )
        self.subscription_next_expiry = self._gauge(
            "subscription_next_expiry_timestamp_seconds",
            "When the first of our subscriptions ends, Unix time.",
        )
        self.lifecycle_events = self._counter(
            "lifecycle_events", "Lifecycle notifications, by event.", "event"
        )
        self.missed_notifications = self._counter(
            "missed_notifications",
            "Changes found by a delta query that no notification announced, by resource.",
            "resource",
        )
        self.delta_rounds = self._counter(
            "delta_rounds",
            "Delta rounds, by cause (baseline, sweep, full, lifecycle) and outcome.",
            "cause",
            "outcome",
        )
        self.delta_items = self._counter(
            "delta_items", "Items seen in delta rounds, by resource.", "resource"
        )
        self.mailboxes = self._gauge(
            "mailboxes", "Mailboxes of the roster, by state: watched, silent, faulty.", "state"
        )
        self.staleness_seconds = self._gauge(
            "mailbox_staleness_max_seconds",
            "Time since the most stale mailbox was last known to be complete.",
        )
        self.keeper_duties = self._counter(
            "keeper_duties", "Duties that the keeper did, by kind and outcome.", "kind", "outcome"
        )
        self.keeper_duty_seconds = self._histogram(
            "keeper_duty_seconds", "Duration of a duty of the keeper, by kind.", _CALL, "kind"
        )
        self.is_leader = self._gauge("keeper_is_leader", "1 where this process holds the keeper's lease.")
        self.generations = self._counter("generations", "Times the state was found lost and begun anew.")

    # Names of counters get `_total` from the client library.

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", text, labels, registry=self.registry)

    def _tally(self, name: str, text: str, *labels: str) -> Tally:
        tally = Tally(f"{_PREFIX}_{name}", text, labels)
        self.registry.register(tally)
        return tally

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", text, labels, buckets=buckets, registry=self.registry)
