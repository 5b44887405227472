"""Every metric of the service: name, unit, labels. One object, passed to whoever counts.

Labels hold words of closed lists only, never an address, an id or anything that came from outside, so the
number of series is bounded. Must never be a module-level singleton: each process and each test has its own.

Source: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_PREFIX: Final = "response_sync"
_FAST: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_CALL: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DELAY_BOUNDS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
"""Upper bounds of the buckets of the delay from a notification to its update, in seconds."""
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


class Measure:
    """A gauge that is measured when somebody scrapes: it shows its last measurement as a whole, or nothing.

    Nothing is shown before the first measurement and after one that failed, so an old number never passes
    for a present one.
    """

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._values: Mapping[tuple[str, ...], float] = {}

    def show(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Replace all numbers; each stands under its label values, in the order in which they were named."""
        assert all(len(key) == len(self._labels) for key in values), "one value per label"
        self._values = dict(values)

    def show_one(self, value: float | None) -> None:
        """Replace the number of a gauge without labels; None shows nothing."""
        self.show({} if value is None else {(): value})

    def hide(self) -> None:
        """Show nothing until the next measurement."""
        self._values = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the numbers to the registry."""
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the documentation says of a metric; `name` is the one that is scraped, without histogram parts."""

    name: str
    labels: tuple[str, ...]
    text: str


class Metrics:
    """The metrics of one process.

    Attributes:
        registry: what `/metrics` shows; the process' own figures (memory, descriptors, CPU) among it.
        descriptions: of all metrics of ours, in the order of this file.
    """

    def __init__(self) -> None:
        self.descriptions: list[Description] = []
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._add_web()
        self._add_intake()
        self._add_pipeline()
        self._add_rich()
        self._add_graph()
        self._add_subscriptions()
        self._add_consumers()
        self._add_sign_ins()
        self._add_system()

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
            "Requests that could not be stored, by fault: away, crowded, full, refused, not_durable.",
            "fault",
        )
        self.intake_entries = self._measure(
            "intake_entries", "Entries of the intake stream, by state: waiting, pending.", "state"
        )
        self.intake_oldest_seconds = self._measure(
            "intake_oldest_seconds", "Age of the oldest entry of the intake stream; 0 while it is empty."
        )
        self.dead_letters = self._measure("dead_letters", "Entries that were given up and are kept.")
        self.due_entries = self._measure("due_entries", "Timers and retries in the due lists.")
        self.due_overdue_seconds = self._measure(
            "due_overdue_seconds", "How long ago the first of the due lists should have been released."
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
            "answers_skipped",
            "Answers that were read and will not be published, by reason: superseded, same_moment.",
            "reason",
        )
        self.updates_published = self._counter(
            "updates_published", "Entries of the update stream, by type.", "type"
        )
        self.update_delay_seconds = self._histogram(
            "update_delay_seconds",
            "From the arrival of a notification to the update that followed.",
            DELAY_BOUNDS_S,
        )
        self.missed_notifications = self._counter(
            "missed_notifications",
            "Entries of delta queries that led to updates of which a notification should have told, by kind.",
            "kind",
        )
        self.lifecycle_events = self._counter(
            "lifecycle_events", "Lifecycle notifications that were worked off, by event.", "event"
        )

    def _add_rich(self) -> None:
        """Add what is known about rich notifications."""
        self.resource_data = self._counter(
            "resource_data",
            "Items of rich notifications, by kind, outcome (taken, fetched) and why they were fetched.",
            "kind",
            "outcome",
            "reason",
        )
        self.notifications_forged = self._counter(
            "notifications_forged", "Entries for which no validation token vouches, by reason.", "reason"
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
        self.graph_wait_seconds = self._counter(
            "graph_wait_seconds", "Time that Graph asked us to wait, over all its answers."
        )
        self.graph_held_back = self._counter(
            "graph_held_back",
            "Requests that were not sent, by reason: mailboxThrottled, mailboxBudget, applicationBudget.",
            "reason",
        )
        self.tokens = self._counter(
            "tokens_acquired", "Access tokens asked for, by outcome: got, refused, away.", "outcome"
        )
        self.token_expires = self._gauge(
            "token_expiry_timestamp_seconds", "When the access token in use ends, Unix time."
        )

    def _add_subscriptions(self) -> None:
        """Add what the keeper does, and what its books say."""
        self.subscriptions = self._measure(
            "subscriptions",
            "Watched resources, by kind and the state of their subscription: alive, missing, faulty.",
            "resource",
            "state",
        )
        self.subscription_next_expiry = self._measure(
            "subscription_next_expiry_timestamp_seconds",
            "When the first of our living subscriptions ends, Unix time.",
        )
        self.mailboxes = self._measure(
            "mailboxes", "Mailboxes that are read, by state: watched, waiting, silent, faulty.", "state"
        )
        self.staleness_seconds = self._measure(
            "mailbox_staleness_max_seconds",
            "Time since the most stale mailbox that can be watched was known to be complete.",
        )
        self.generation_missing = self._measure(
            "generation_missing", "1 while Redis holds no state of ours that a keeper has begun, else 0."
        )
        self.generations = self._counter(
            "generations", "Times this process began the state: at the very first start, and after a loss."
        )
        self.delta_rounds = self._counter(
            "delta_rounds",
            "Delta rounds completed, by resource and scope: full, changes.",
            "resource",
            "scope",
        )
        self.delta_items = self._counter(
            "delta_items", "Items seen in completed delta rounds, by resource.", "resource"
        )
        self.keeper_duties = self._counter(
            "keeper_duties",
            "Duties of the keeper, by kind and outcome: done, failed, fenced.",
            "kind",
            "outcome",
        )
        self.keeper_duty_seconds = self._histogram(
            "keeper_duty_seconds", "Duration of a duty of the keeper, by kind.", _CALL, "kind"
        )
        self.is_leader = self._gauge("keeper_is_leader", "1 where this process holds the keeper's lease.")

    def _add_consumers(self) -> None:
        """Add how far those are who read the update stream; groups are named by their owners, and bounded."""
        self.consumer_lag = self._measure(
            "consumer_lag_entries",
            "Updates that a consumer group has not been handed yet.",
            "stream",
            "group",
        )
        self.consumer_headroom = self._measure(
            "consumer_headroom_ratio",
            "Part of STREAM_MAXLEN, 0 to 1, that may still be published before the group loses an update.",
            "stream",
            "group",
        )
        self.consumer_trimmed = self._measure(
            "consumer_trimmed_entries",
            "Updates that were trimmed before the group read them; 0 again once it has read on.",
            "stream",
            "group",
        )

    def _add_sign_ins(self) -> None:
        """Add what is known about people who signed in."""
        self.sign_ins = self._measure(
            "sign_ins", "People who signed in, by state of their sign-in: good, ending, ended.", "state"
        )
        self.sign_in_next_expiry = self._measure(
            "sign_in_next_expiry_timestamp_seconds",
            "When the first sign-in that is good ends unless it is used, Unix time.",
        )

    def _add_system(self) -> None:
        """Add what is known about the processes together, their clocks and their Redis."""
        self.processes = self._measure(
            "processes", "Processes that were heard of lately, by role: web, worker, keeper.", "role"
        )
        self.clock_ahead = self._gauge(
            "clock_ahead_seconds", "How far another clock is ahead of ours, by whose: graph, redis.", "clock"
        )
        self.redis_memory = self._measure("redis_memory_bytes", "Memory that Redis uses.")
        self.redis_memory_limit = self._measure(
            "redis_memory_limit_bytes", "Memory that Redis may use; not shown where there is no limit."
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        name = self._describe(f"{name}_total", text, labels)
        return Counter(name, text, labels, registry=self.registry)

    def _tally(self, name: str, text: str, *labels: str) -> Tally:
        tally = Tally(self._describe(f"{name}_total", text, labels), text, labels)
        self.registry.register(tally)
        return tally

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(self._describe(name, text, labels), text, labels, registry=self.registry)

    def _measure(self, name: str, text: str, *labels: str) -> Measure:
        measure = Measure(self._describe(name, text, labels), text, labels)
        self.registry.register(measure)
        return measure

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        name = self._describe(name, text, labels)
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def _describe(self, name: str, text: str, labels: tuple[str, ...]) -> str:
        """Note a metric for the documentation; gives its full name."""
        name = f"{_PREFIX}_{name}"
        self.descriptions.append(Description(name=name, labels=labels, text=text))
        return name
