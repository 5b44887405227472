"""Takes what Redis holds into gauges, whenever somebody scrapes. Only reads; never asks Graph.

A gauge whose measurement fails or is broken off shows nothing: an old number never passes for a present one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Final, Protocol

from service.clock import Clock
from service.consuming.backlog import GroupBacklog
from service.errors import StreamError
from service.intake.client_state import ResourceKind
from service.metrics import Measure, Metrics
from service.ports import Generation
from service.pulse.reading import Vitals
from service.sign_ins.record import SignInState, SignInStatus
from service.streams.intake_stream import IntakeDepth
from service.streams.server_facts import ServerFacts
from service.subscriptions.status import KeeperStatus, ResourceStatus

_MS_PER_S: Final = 1_000


class MailboxState(StrEnum):
    """How a mailbox stands; where several of its resources differ, the last named counts."""

    WATCHED = "watched"
    WAITING = "waiting"
    SILENT = "silent"
    FAULTY = "faulty"


class SubscriptionState(StrEnum):
    """How the subscription of a resource stands."""

    ALIVE = "alive"
    MISSING = "missing"
    FAULTY = "faulty"


class Measurable(Protocol):
    """The intake stream, as far as it is measured."""

    async def measure(self) -> IntakeDepth:
        """Tell how much work waits; raises `StreamError`."""


class Standing(Protocol):
    """The keeper's books, as far as they are shown."""

    async def read(self) -> KeeperStatus:
        """Give the status; raises `StreamError`."""


class IntakeGauges:
    """How much work waits. Any process may show it; all show the same."""

    def __init__(self, intake: Measurable, metrics: Metrics, clock: Clock) -> None:
        self._intake = intake
        self._metrics = metrics
        self._clock = clock

    async def refresh(self) -> None:
        """Measure once.

        Raises:
            StreamError: Redis is away; nothing is shown.
        """
        metrics = self._metrics
        shown = (
            metrics.intake_entries,
            metrics.intake_oldest_seconds,
            metrics.dead_letters,
            metrics.due_entries,
            metrics.due_overdue_seconds,
        )
        with _hidden_on_failure(shown):
            depth = await self._intake.measure()
        waiting = max(depth.entries - depth.pending, 0)  # the two were not counted at one moment
        metrics.intake_entries.show({("waiting",): waiting, ("pending",): depth.pending})
        metrics.intake_oldest_seconds.show_one(self._since(depth.oldest_ms))
        metrics.dead_letters.show_one(depth.dead)
        metrics.due_entries.show_one(depth.due)
        metrics.due_overdue_seconds.show_one(self._since(depth.first_due_ms))

    def _since(self, moment_ms: int | None) -> float:
        """Give the seconds since then; 0 where it never was or lies ahead."""
        if moment_ms is None:
            return 0.0
        return max(self._clock.now().timestamp() - moment_ms / _MS_PER_S, 0.0)


class SystemGauges:
    """Which processes live, and how much of its memory Redis uses. Any process may show it."""

    def __init__(
        self,
        read_vitals: Callable[[], Awaitable[Vitals]],
        fetch_facts: Callable[[], Awaitable[ServerFacts]],
        metrics: Metrics,
    ) -> None:
        """Prepare.

        Args:
            read_vitals, fetch_facts: ask Redis; raise `StreamError`.
        """
        self._read_vitals = read_vitals
        self._fetch_facts = fetch_facts
        self._metrics = metrics

    async def refresh(self) -> None:
        """Measure once.

        Raises:
            StreamError: Redis is away; nothing is shown.
        """
        metrics = self._metrics
        with _hidden_on_failure((metrics.processes, metrics.redis_memory, metrics.redis_memory_limit)):
            alive = (await self._read_vitals()).count_alive()
            facts = await self._fetch_facts()
        metrics.processes.show({(role,): count for role, count in alive.items()})
        metrics.redis_memory.show_one(facts.used_bytes)
        metrics.redis_memory_limit.show_one(facts.limit_bytes or None)


class ConsumerGauges:
    """How far consumer groups are behind. Any process may show it; all show the same."""

    def __init__(
        self, list_backlogs: Callable[[], Awaitable[Sequence[GroupBacklog]]], metrics: Metrics
    ) -> None:
        """Prepare.

        Args:
            list_backlogs: asks Redis, and gives a bounded number; raises `StreamError`.
        """
        self._list_backlogs = list_backlogs
        self._metrics = metrics

    async def refresh(self) -> None:
        """Measure once.

        Raises:
            StreamError: Redis is away; nothing is shown.
        """
        metrics = self._metrics
        shown = (metrics.consumer_lag, metrics.consumer_headroom, metrics.consumer_trimmed)
        with _hidden_on_failure(shown):
            backlogs = {(one.stream, one.group): one for one in await self._list_backlogs()}
        metrics.consumer_lag.show({place: one.unread for place, one in backlogs.items()})
        metrics.consumer_headroom.show({place: one.headroom for place, one in backlogs.items()})
        metrics.consumer_trimmed.show({place: one.trimmed for place, one in backlogs.items()})


class MailboxGauges:
    """How subscriptions and mailboxes stand, out of the keeper's books."""

    def __init__(self, status: Standing, generation: Generation, metrics: Metrics) -> None:
        self._status = status
        self._generation = generation
        self._metrics = metrics

    async def refresh(self) -> None:
        """Read the books once.

        Raises:
            StreamError: Redis is away; nothing is shown.
        """
        metrics = self._metrics
        shown = (
            metrics.subscriptions,
            metrics.subscription_next_expiry,
            metrics.mailboxes,
            metrics.staleness_seconds,
            metrics.generation_missing,
            metrics.sign_ins,
            metrics.sign_in_next_expiry,
        )
        with _hidden_on_failure(shown):
            has_generation = await self._generation.exists()
            status = await self._status.read()
        resources = status.resources
        metrics.generation_missing.show_one(not has_generation)
        metrics.subscriptions.show(count_subscriptions(resources))
        metrics.mailboxes.show(count_mailboxes(resources))
        ends = [one.expires_at.timestamp() for one in resources if one.expires_at and one.left_s > 0]
        metrics.subscription_next_expiry.show_one(min(ends, default=None))
        stale = [one.staleness_s for one in resources if one.is_watchable and one.staleness_s is not None]
        metrics.staleness_seconds.show_one(max(stale, default=None))
        metrics.sign_ins.show(count_sign_ins(status.sign_ins))
        good = [one.ends_at.timestamp() for one in status.sign_ins if one.left_s > 0]
        metrics.sign_in_next_expiry.show_one(min(good, default=None))


def count_subscriptions(resources: Iterable[ResourceStatus]) -> dict[tuple[str, ...], float]:
    """Count by kind of resource and state; every kind that is watched has all states, zeros too."""
    counts = Counter((_kind_of(one), _judge_subscription(one)) for one in resources)
    kinds = {kind for kind, _ in counts}
    return {(kind, state): counts[kind, state] for kind in sorted(kinds) for state in SubscriptionState}


def count_mailboxes(resources: Iterable[ResourceStatus]) -> dict[tuple[str, ...], float]:
    """Count mailboxes by state, zeros too; a mailbox is as bad as the worst of its resources."""
    states = list(MailboxState)
    worst: dict[str, MailboxState] = {}
    for one in resources:
        mailbox = one.name.partition("/")[2]
        found = (worst.get(mailbox, MailboxState.WATCHED), _judge_mailbox(one))
        worst[mailbox] = max(found, key=states.index)
    counts = Counter(worst.values())
    return {(state,): counts[state] for state in states}


def count_sign_ins(sign_ins: Iterable[SignInStatus]) -> dict[tuple[str, ...], float]:
    """Count by state, zeros too."""
    counts = Counter(one.state for one in sign_ins)
    return {(state,): counts[state] for state in SignInState}


def _kind_of(resource: ResourceStatus) -> ResourceKind:
    return ResourceKind(resource.name.partition("/")[0])


def _judge_subscription(resource: ResourceStatus) -> SubscriptionState:
    if resource.left_s > 0:
        return SubscriptionState.ALIVE
    return SubscriptionState.FAULTY if resource.faults else SubscriptionState.MISSING


def _judge_mailbox(resource: ResourceStatus) -> MailboxState:
    if resource.faults:
        return MailboxState.FAULTY
    if resource.is_silent:
        return MailboxState.SILENT
    return MailboxState.WAITING if resource.waits_for else MailboxState.WATCHED


@contextmanager
def _hidden_on_failure(gauges: Iterable[Measure]) -> Iterator[None]:
    try:
        yield
    except (StreamError, asyncio.CancelledError):
        for gauge in gauges:
            gauge.hide()
        raise
