"""What a trial stands on: server, sandbox, crowd and consumer; how it waits until all is right, and judges.

Where a time is promised it is two sweep intervals and the largest back-off.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis.exceptions import RedisError

from tests.endtoend.processes import run_to_end
from tests.endtoend.stage import ROLES, Stage, open_stage
from tests.integration.waiting import wait_until
from tests.ports import choose_port
from tests.reference.consumer import Entry
from tests.trials import judge
from tests.trials.consumer import Consumer, open_consumer
from tests.trials.crowd import Crowd, Meeting
from tests.trials.history import History
from tests.trials.readings import Readings, read_everything
from tests.trials.redis_server import RedisServer, open_redis
from tests.trials.series import find_series_faults

SWEEP_S: Final = 5.0
BACKOFF_MAX_S: Final = 10.0
LIMIT_S: Final = 2 * SWEEP_S + BACKOFF_MAX_S
CATCH_UP_S: Final = 120.0
"""How long a backlog may take where no time is promised: it is told, but it is the machine's."""
PAUSE_S: Final = 1.0
"""Between two deeds of each who acts: some four a second, each of which makes up to a dozen notifications."""
READY_TIMEOUT_S: Final = 90.0
POLL_S: Final = 0.25
CONSUMED_TIMEOUT_S: Final = 20.0
WAITING_MAX: Final = 40
SNAPSHOT_TIMEOUT_S: Final = 120.0
SETTINGS: Final = {
    "RESPONSE_SYNC_SWEEP_INTERVAL_S": f"{SWEEP_S:g}",
    "RESPONSE_SYNC_PASSING_WAIT_MAX_S": f"{BACKOFF_MAX_S:g}",
    "RESPONSE_SYNC_RETRY_WAIT_MAX_S": f"{BACKOFF_MAX_S:g}",
    "RESPONSE_SYNC_LOG_LEVEL": "info",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is, and how long things go wrong.

    Attributes:
        size: guests of each meeting.
        seconds: how long; each trial says of what.
    """

    seed: int = 1
    owners: int = 20
    delegates: int = 3
    meetings: int = 200
    guests: int = 60
    size: int = 4
    seconds: float = 60.0


@dataclass(slots=True, kw_only=True)
class Ground:
    """Everything that runs, for one trial."""

    history: History
    size: Size
    stage: Stage
    redis: RedisServer
    crowd: Crowd
    consumer: Consumer

    async def start_service(self, *roles: str) -> None:
        """Start roles, all by default, and wait until each can do its work."""
        began = time.monotonic()
        for role in roles or ROLES:
            await self.stage.start(role)
        for role in roles or ROLES:
            await self.stage.wait_until_ready(role, timeout_s=READY_TIMEOUT_S)
        self.history.tell(f"{', '.join(roles or ROLES)} ready after {time.monotonic() - began:.1f} s")

    async def settle(self, *, of: str, limit_s: float = CATCH_UP_S) -> Readings:
        """Wait until the stream says what all that can be read says; nobody acts any more.

        Raises:
            BrokenPromiseError: it does not within the limit; says where.
        """
        began = time.monotonic()
        readings = await read_everything(self.stage.tenant, self.crowd)
        facts = sum(len(one) for one in readings.facts.values())
        self.history.note(f"{facts} facts read in {time.monotonic() - began:.1f} s")
        left = await self._find_wrong(self.crowd.meetings, readings)
        while (left or self._find_wrong_series(readings)) and time.monotonic() - began < limit_s:
            await asyncio.sleep(POLL_S)
            left = await self._find_wrong(left, readings)
        took_s = time.monotonic() - began
        self.history.demand(
            await self._list_differences(readings), of=f"{of}: not right after {took_s:.1f} s"
        )
        self.history.tell(f"{of}: fold, derivation and calendars agree after {took_s:.1f} s of {limit_s:g} s")
        return readings

    async def _find_wrong(self, meetings: Sequence[Meeting], readings: Readings) -> list[Meeting]:
        """Give the meetings of which the stream does not say what it must; the consumer reads meanwhile."""
        wrong = []
        for meeting in meetings:
            if judge.find_differences(self._told(meeting), readings, meeting):
                wrong.append(meeting)
            await asyncio.sleep(0)
        return wrong

    async def _list_differences(self, readings: Readings) -> list[str]:
        faults = []
        for meeting in self.crowd.meetings:
            faults += judge.find_differences(self._told(meeting), readings, meeting)
            await asyncio.sleep(0)
        return faults + self._find_wrong_series(readings)

    def _find_wrong_series(self, readings: Readings) -> list[str]:
        faults = []
        for one in self.crowd.series:
            name = (one.owner.id, one.key)
            told = self.consumer.told[name]
            faults += find_series_faults(told, one, readings.events[name], readings.days[name])
        return faults

    def _told(self, meeting: Meeting) -> Sequence[Entry]:
        return self.consumer.told[meeting.owner.person.id, meeting.key]

    def judge_answers(self, *, are_all_told: bool, of: str) -> None:
        """Hold what was told of each guest against what they answered.

        Args:
            are_all_told: every answer must have been told that differs from the one before; else some may
                have been skipped, but not the last.

        Raises:
            BrokenPromiseError: it does not fit.
        """
        find = judge.find_skipped if are_all_told else judge.find_invented
        told = [(self._told(meeting), meeting) for meeting in self.crowd.meetings]
        self.history.demand([fault for one in told for fault in find(*one)], of=f"{of}: answers")
        answers = [row for one in told for row in judge.list_answers(*one)]
        given = sum(len(values) for _, _, values in answers)
        skipped = given - sum(len(values) for _, values, _ in answers)
        self.history.tell(f"{of}: {given} answers that differ from the one before, {skipped} of them skipped")

    async def judge_all(self, readings: Readings) -> None:
        """Judge the whole stream, the subscriptions in Graph, and a snapshot against the calendars.

        Raises:
            BrokenPromiseError: something is not as it must be.
        """
        await asyncio.sleep(SWEEP_S)  # for what may still be told or deleted and should not
        faults = await self._list_differences(readings)
        faults += judge.find_stream_faults(self.consumer.entries, self.consumer.told)
        faults += await judge.find_subscription_faults(self.stage, self.crowd)
        if dead := await self.stage.count_dead():
            faults.append(f"{dead} entries were given up")
        self.history.demand(faults, of="the end")
        await self._judge_snapshot(readings)
        held = len(judge.list_wanted(self.crowd))
        self.history.tell(
            f"{len(self.consumer.entries)} updates of {len(self.crowd.meetings)} meetings and "
            f"{len(self.crowd.series)} series are sound, "
            f"{held} resources have one subscription each; deeds: {dict(self.crowd.deeds)}"
        )

    async def _judge_snapshot(self, readings: Readings) -> None:
        """Have everything told once more, and compare each witness with the calendar to the last digit."""
        before = {name: len(entries) for name, entries in self.consumer.told.items()}
        said = await run_to_end(
            ["snapshot", "--json"],
            settings=self.stage.settings,
            directory=self.stage.directory,
            timeout_s=SNAPSHOT_TIMEOUT_S,
        )
        self.history.demand([said.errors] if said.code else [], of="snapshot")
        faults: list[str] = []

        def is_told() -> bool:
            nonlocal faults
            faults = judge.find_snapshot_faults(self.consumer.told, before, readings)
            return not faults

        try:
            await wait_until(is_told, timeout_s=CONSUMED_TIMEOUT_S, poll_s=POLL_S)
        except TimeoutError:
            self.history.demand(faults, of="witnesses")


@asynccontextmanager
async def open_ground(
    history: History,
    size: Size,
    place: Path,
    *,
    is_append_only: bool = True,
    may_end: bool = True,
    more_processes: Sequence[str] = (),
    changes: Mapping[str, str] | None = None,
) -> AsyncIterator[Ground]:
    """Start server and sandbox, and let everybody join; nobody has met, and the service does not run yet.

    Args:
        changes: further settings of the service.
    """
    async with AsyncExitStack() as stack:
        port = choose_port()
        redis = await stack.enter_async_context(open_redis(place, port=port, is_append_only=is_append_only))
        stage = await stack.enter_async_context(
            open_stage(
                place,
                owners=[f"owner.{at}@contoso.com" for at in range(size.owners)],
                redis_url=redis.url,
                more_processes=more_processes,
                **{**SETTINGS, **(changes or {})},
            )
        )
        consumer = await stack.enter_async_context(open_consumer(redis.url))
        crowd = Crowd(stage.tenant, size.seed, may_end=may_end)
        await crowd.gather(owners=size.owners, delegates=size.delegates, guests=size.guests)
        history.tell(f"{size}, sweeps every {SWEEP_S:g} s, back-off at most {BACKOFF_MAX_S:g} s")
        try:
            yield Ground(history=history, size=size, stage=stage, redis=redis, crowd=crowd, consumer=consumer)
        finally:
            (place / "stream.json").write_text(json.dumps(consumer.entries, indent=1))


@asynccontextmanager
async def living(
    ground: Ground, *, pause_s: float = PAUSE_S, waiting_max: int = WAITING_MAX
) -> AsyncIterator[None]:
    """Let people act as long as the block lasts; at its end everybody has done what they were at.

    Args:
        waiting_max: people hold back while more entries than this wait for a worker: what is tried is whether
            the service comes right, not how much a busy machine can carry.
    """
    stop = asyncio.Event()

    async def may_act() -> bool:
        try:
            return await ground.stage.count_waiting() <= waiting_max
        except (RedisError, OSError):
            return True

    task = asyncio.create_task(ground.crowd.live(stop, pause_s=pause_s, may_act=may_act))
    try:
        yield
        stop.set()
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
