"""What each process tells of itself in Redis: sums of all, who lives, and nothing that stays for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from service.clock import SystemClock
from service.errors import StreamError
from service.metrics import Metrics
from service.pulse.beating import Beating, PulseLimits
from service.pulse.reading import Vitals, read_vitals
from service.streams.connection import RedisTarget, connect
from service.streams.dead_letters import DeadLetters
from service.streams.due_list import DueList
from service.streams.intake_stream import RedisIntakeStream
from service.streams.keys import KeyNames
from service.streams.link import RedisLink
from service.streams.pulse import RedisPulse
from tests.integration.waiting import wait_until


class Place:
    """One deployment's pulse."""

    def __init__(self, link: RedisLink, prefix: str, **limits: float) -> None:
        self.link = link
        self.keys = KeyNames(stream=prefix)
        self.pulse = RedisPulse(link, self.keys, **limits)  # type: ignore[arg-type]
        letters = DeadLetters(link, self.keys)
        self.intake = RedisIntakeStream(
            link, self.keys, due_list=DueList(link, self.keys), dead_letters=letters
        )

    def build(
        self, name: str, metrics: Metrics, role: str = "worker", reason: str = "", interval_s: float = 600
    ) -> Beating:
        async def probe() -> str:
            if reason == "raise":
                raise StreamError("Redis is full")
            return reason

        return Beating(
            self.pulse,
            name=name,
            version="1",
            probes={role: probe},
            private=frozenset({"keeper"}),
            intake=self.intake,
            metrics=metrics,
            clock=SystemClock(),
            limits=PulseLimits(interval_s=interval_s),
        )

    async def read(self, minutes: int = 3) -> Vitals:
        return await read_vitals(self.pulse, datetime.now(UTC), minutes=minutes)


@asynccontextmanager
async def open_place(redis_url: str, prefix: str, **limits: float) -> AsyncIterator[Place]:
    link = connect(RedisTarget(url=redis_url))
    try:
        yield Place(link, prefix, **limits)
    finally:
        await link.aclose()


async def test_the_sums_of_all_processes_stand_in_the_minute(redis_url: str, prefix: str) -> None:
    async with open_place(redis_url, prefix) as place:
        one, other = Metrics(), Metrics()
        beats = [place.build("one", one), place.build("other", other, "web")]
        one.updates_published.labels("response.changed").inc(2)
        other.notification_items.labels("stored", "").number += 5
        for each in (*beats, *beats):
            await each.beat()
        vitals = await place.read()
        assert (vitals.sum_up("published", minutes=3), vitals.sum_up("stored", minutes=3)) == (2, 5)
        assert vitals.count_alive() == {"web": 1, "worker": 1, "keeper": 0}
        assert [process.name for process in vitals.processes] == ["one", "other"]
        ahead_s = one.registry.get_sample_value("response_sync_clock_ahead_seconds", {"clock": "redis"})
        assert ahead_s == pytest.approx(0, abs=5)


async def test_the_greatest_lag_of_the_minute_is_kept(redis_url: str, prefix: str) -> None:
    async with open_place(redis_url, prefix) as place:
        for lag_ms in (5, 900, 40):
            await place.pulse.beat("a", "{}", minute=7, sums={}, maxima={"lag_ms": lag_ms})
        assert (await place.pulse.read([7])).minutes[0] == {"lag_ms": 900}


async def test_a_process_that_ends_is_gone_and_one_that_falls_silent_is_forgotten(
    redis_url: str, prefix: str
) -> None:
    async with open_place(redis_url, prefix, forget_s=0.2) as place:
        running = asyncio.create_task(place.build("one", Metrics(), interval_s=0.05).run())
        await place.build("killed", Metrics()).beat()

        async def is_alone() -> bool:
            return [process.name for process in (await place.read()).processes] == ["one"]

        await wait_until(is_alone)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await place.read()).processes == ()


async def test_a_silent_process_is_shown_as_not_alive_before_it_is_forgotten(
    redis_url: str, prefix: str
) -> None:
    async with open_place(redis_url, prefix) as place:
        await place.build("killed", Metrics(), interval_s=0.05).beat()

        async def is_silent() -> bool:
            (process,) = (await place.read()).processes
            return not process.is_alive

        await wait_until(is_silent)
        assert (await place.read()).count_alive()["worker"] == 0


async def test_reasons_are_told_but_not_those_that_name_people(redis_url: str, prefix: str) -> None:
    async with open_place(redis_url, prefix) as place:
        await place.build("a", Metrics(), "web", "raise").beat()
        await place.build("b", Metrics(), "keeper", "inbox/adele: no subscription").beat()
        await place.build("c", Metrics()).beat()
        told = [process.record.unready for process in (await place.read()).processes]
        assert told == [{"web": "Redis is full"}, {"keeper": "not every mailbox is watched yet"}, {}]


async def test_more_processes_than_are_shown_are_counted_all_the_same(redis_url: str, prefix: str) -> None:
    async with open_place(redis_url, prefix, processes_max=2) as place:
        for number in range(4):
            metrics = Metrics()
            beats = place.build(f"p{number}", metrics)
            metrics.updates_published.labels("response.changed").inc()
            await beats.beat()
        vitals = await place.read()
        assert len(vitals.processes) == 2
        assert vitals.sum_up("published", minutes=3) == 4


async def test_everything_goes_away_by_itself(redis_url: str, prefix: str) -> None:
    async with open_place(redis_url, prefix) as place:
        metrics = Metrics()
        beats = place.build("a", metrics)
        metrics.updates_published.labels("response.changed").inc()
        await beats.beat()
        minute = int(datetime.now(UTC).timestamp()) // 60
        keys = [place.keys.processes, *(place.keys.minute(minute - back) for back in (0, 1))]
        lifetimes = [await place.link.call("PTTL", key) for key in keys]
        assert 0 < lifetimes[0] <= 600_000
        assert 0 < max(lifetimes[1:]) <= 62 * 60_000


async def test_what_could_not_be_told_is_told_when_redis_is_back(redis_url: str, prefix: str) -> None:
    async with open_place(redis_url, prefix) as place:
        metrics = Metrics()
        beats = place.build("a", metrics)
        metrics.updates_published.labels("response.changed").inc(3)
        await place.link.call("SET", place.keys.processes, "in the way")
        await beats.beat()
        await place.link.call("DEL", place.keys.processes)
        await beats.beat()
        assert (await place.read()).sum_up("published", minutes=3) == 3
