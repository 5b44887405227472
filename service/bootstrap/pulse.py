"""Builds what tells of a process, and what reads of all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Final

from service.bootstrap.identity import name_process
from service.bootstrap.redis_side import Streams
from service.clock import SystemClock
from service.consuming.backlog import GroupBacklog, list_backlogs
from service.gauges import ConsumerGauges, SystemGauges
from service.limits.pulse import take_pulse_limits
from service.metrics import Metrics
from service.pulse.beating import Beating, Chore
from service.pulse.consumers import ConsumerWatch
from service.pulse.reading import Vitals, read_vitals
from service.roles.running import Role
from service.settings import Settings
from service.streams.server_facts import fetch_server_facts

_DISTRIBUTION: Final = "graph-response-sync"
_PRIVATE: Final = frozenset({"keeper"})
"""The keeper's reasons name mailboxes."""


@asynccontextmanager
async def beating(
    settings: Settings, streams: Streams, roles: Sequence[Role], metrics: Metrics
) -> AsyncIterator[None]:
    """Tell of this process until the block ends."""
    beats = Beating(
        streams.pulse,
        name=name_process(),
        version=find_version(),
        probes={role.name: role.find_unready for role in roles},
        private=_PRIVATE,
        intake=streams.intake,
        metrics=metrics,
        clock=SystemClock(),
        chores=_list_chores(settings, streams, roles),
        limits=take_pulse_limits(settings),
    )
    task = asyncio.create_task(beats.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def build_vitals_reader(
    settings: Settings, streams: Streams, *, minutes: int
) -> Callable[[], Awaitable[Vitals]]:
    """Build what reads of all processes, and of the last so many minutes."""
    clock = SystemClock()

    async def read() -> Vitals:
        return await read_vitals(streams.pulse, clock.now(), minutes=min(minutes, settings.pulse_minutes))

    return read


def build_system_gauges(settings: Settings, streams: Streams, metrics: Metrics) -> SystemGauges:
    """Build what shows, at each scrape, which processes live and how full Redis is."""
    return SystemGauges(
        build_vitals_reader(settings, streams, minutes=1),
        lambda: fetch_server_facts(streams.link, streams.keys),
        metrics,
    )


def build_backlog_lister(
    settings: Settings, streams: Streams
) -> Callable[[], Awaitable[tuple[GroupBacklog, ...]]]:
    """Build what reads how far consumer groups are behind, of all partitions."""

    async def read() -> tuple[GroupBacklog, ...]:
        reader = streams.updates
        facts = await asyncio.gather(*(reader.describe(stream) for stream in reader.streams))
        return list_backlogs(
            facts, entries_max=settings.stream_maxlen, groups_max=settings.consumer_groups_max
        )

    return read


def build_consumer_gauges(settings: Settings, streams: Streams, metrics: Metrics) -> ConsumerGauges:
    """Build what shows, at each scrape, how far consumer groups are behind."""
    return ConsumerGauges(build_backlog_lister(settings, streams), metrics)


def find_version() -> str:
    """Give the version of the distribution; empty where it is not installed."""
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return ""


def _list_chores(settings: Settings, streams: Streams, roles: Sequence[Role]) -> tuple[Chore, ...]:
    """Say what this process keeps in order: a web leaves it to the others."""
    if all(role.name == "web" for role in roles):
        return ()
    silent_s = settings.pulse_forget_s
    consumers = ConsumerWatch(
        build_backlog_lister(settings, streams), headroom_min=settings.consumer_headroom_min_fraction
    )
    return (
        consumers.look,
        streams.dead_letters.drop_old,
        lambda: streams.intake.drop_silent_consumers(silent_s=silent_s),
    )
