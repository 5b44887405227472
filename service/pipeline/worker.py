"""The loop: read, fetch ahead, process in order per lane, acknowledge; drains when told to stop.

Holds no business rule. An entry stays pending until it is committed, deferred or dead-lettered, so a crash at
any point repeats it and loses nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

import structlog

from service.clock import Clock, sleep_or_stop
from service.entries import IntakeEntry, parse_entry
from service.errors import StreamError
from service.pipeline.behind import Behind, Read
from service.pipeline.job import Job
from service.pipeline.lanes import lane_of, lanes_of
from service.pipeline.outcomes import Processed
from service.pipeline.process import Processor
from service.pipeline.retry import (
    GiveUp,
    Reason,
    RetryLimits,
    count_attempts,
    count_try,
    decide_retry,
    parse_tries,
)
from service.pipeline.story import describe_try, tell_story
from service.ports import Delivered, IntakeStream
from service.roster import WatchList
from service.tracing.spans import UNTRACED, SpanName, Tracing

_log = structlog.get_logger("worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """Bounds of the loop.

    Attributes:
        in_flight_max: entries taken and not yet done.
        read_count: entries asked for at once.
        block_s: how long a read waits for new entries.
        claim_idle_s: entries pending for so long with another consumer are taken over.
        claim_every_s: how often that is looked for.
        due_every_s: how often the due list is looked at.
        due_count: entries released from the due list at once.
        deliveries_max: an entry handed out more often than this kills workers: it is dead-lettered.
        outage_wait_s: pause after Redis failed.
        drain_s: how long a stopping worker waits for what it has taken.
        look_behind_s: how long an entry waits for the reads of those behind it, where they may explain it.
    """

    in_flight_max: int = 256
    read_count: int = 64
    block_s: float = 1
    claim_idle_s: float = 10
    claim_every_s: float = 2
    due_every_s: float = 0.5
    due_count: int = 200
    deliveries_max: int = 10
    outage_wait_s: float = 1
    drain_s: float = 20
    look_behind_s: float = 0.25


class WorkerMetrics(Protocol):
    """What the loop counts."""

    def entry_processed(self, entry: IntakeEntry, processed: Processed, *, duration_s: float) -> None: ...
    def entry_deferred(self, *, error: str) -> None: ...
    def entry_dead_lettered(self, *, reason: str) -> None: ...
    def in_flight(self, *, count: int) -> None: ...


class Watching(Protocol):
    """The watch list as it is now, refreshed from time to time."""

    def current(self) -> WatchList: ...
    async def refresh(self) -> None: ...


class Hearing(Protocol):
    """Notes which subscriptions bring notifications, so that silence can be noticed."""

    async def note(self, entry: IntakeEntry) -> None: ...
    async def flush(self, *, is_last: bool = False) -> None: ...


class Gate(Protocol):
    """Says which entries may be processed now, and puts the others off."""

    async def let_through(self, taken: Sequence[Delivered], watch: WatchList) -> Sequence[Delivered]: ...


class Worker:
    """Works off the intake stream; any number of workers may run."""

    def __init__(
        self,
        *,
        consumer: str,
        intake: IntakeStream,
        processor: Processor,
        watching: Watching,
        clock: Clock,
        metrics: WorkerMetrics,
        hearing: Hearing | None = None,
        gates: Sequence[Gate] = (),
        limits: WorkerLimits | None = None,
        retry_limits: RetryLimits | None = None,
        jitter: Callable[[], float] = random.random,
        tracing: Tracing = UNTRACED,
    ) -> None:
        self._consumer = consumer
        self._intake = intake
        self._processor = processor
        self._watching = watching
        self._clock = clock
        self._metrics = metrics
        self._hearing = hearing
        self._gates = tuple(gates)
        self._limits = limits or WorkerLimits()
        self._retry_limits = retry_limits or RetryLimits()
        self._jitter = jitter
        self._tracing = tracing
        self._taken: set[str] = set()
        self._lanes: dict[str, deque[Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Condition()
        self._is_stopping = False
        self._lane_map: tuple[WatchList, dict[str, str]] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then drain what was taken for at most `drain_s`."""
        steps = (
            self._repeat(stop, self._take_new, pause_s=0),
            self._end_wait_for_room(stop),
            self._repeat(stop, self._take_over, pause_s=self._limits.claim_every_s),
            self._repeat(stop, self._release_due, pause_s=self._limits.due_every_s),
            self._repeat(stop, self._flush_heard, pause_s=self._limits.claim_every_s),
        )
        try:
            async with asyncio.TaskGroup() as group:
                for step in steps:
                    group.create_task(step)
        finally:
            await self._drain()
            await self._flush_heard(is_last=True)

    async def _flush_heard(self, *, is_last: bool = False) -> None:
        if self._hearing is not None:
            await self._hearing.flush(is_last=is_last)

    async def _repeat(
        self, stop: asyncio.Event, step: Callable[[], Awaitable[None]], *, pause_s: float
    ) -> None:
        """Repeat a step; Redis being away only makes it wait."""
        while not stop.is_set():
            wait_s = pause_s
            try:
                await step()
            except StreamError as error:
                _log.warning("worker.outage_met", error=str(error), wait_s=self._limits.outage_wait_s)
                wait_s = self._limits.outage_wait_s
            if wait_s:
                await sleep_or_stop(self._clock, stop, wait_s)

    async def _take_new(self) -> None:
        await self._wait_for_room()
        if self._is_stopping:
            return
        count = min(self._limits.read_count, self._limits.in_flight_max - len(self._taken))
        taken = await self._intake.read(self._consumer, count=max(count, 1), block_s=self._limits.block_s)
        await self._take_all(taken)

    async def _take_over(self) -> None:
        free = self._limits.in_flight_max - len(self._taken)
        if free <= 0:
            return
        count = min(self._limits.read_count, free)
        taken = await self._intake.claim(self._consumer, idle_s=self._limits.claim_idle_s, count=count)
        await self._take_all([delivered for delivered in taken if delivered.id not in self._taken])

    async def _take_all(self, taken: Sequence[Delivered]) -> None:
        """Take entries, once the watch list is at least as new as they are; those that may be processed."""
        passed = taken
        try:
            if taken:
                await self._watching.refresh()
            for gate in self._gates:
                passed = await gate.let_through(passed, self._watching.current())
        except StreamError:
            await self._give_back(taken)
            raise
        for delivered in passed:
            self._take(delivered)

    async def _give_back(self, entries: Sequence[Delivered]) -> None:
        """Hold an outage against no entry, however long it lasts: only those that kill workers are buried."""
        with suppress(StreamError):  # then this once is held against it
            await self._intake.give_back(self._consumer, entries)

    async def _release_due(self) -> None:
        while await self._intake.release_due(self._clock.now(), count=self._limits.due_count):
            pass

    async def _wait_for_room(self) -> None:
        async with self._room:
            await self._room.wait_for(
                lambda: self._is_stopping or len(self._taken) < self._limits.in_flight_max
            )

    async def _end_wait_for_room(self, stop: asyncio.Event) -> None:
        """Let the drain begin at once where all hands are full."""
        await stop.wait()
        self._is_stopping = True
        async with self._room:
            self._room.notify_all()

    def _take(self, delivered: Delivered) -> None:
        """Start reading what the entry points to and queue it in its lane."""
        self._taken.add(delivered.id)
        self._metrics.in_flight(count=len(self._taken))
        job = Job(delivered=delivered)
        lane = ""
        with suppress(ValueError):
            job.entry = self._follow(job)
            job.fetched = asyncio.create_task(self._processor.fetch(job.entry))
            lane = lane_of(job.entry, self._current_lanes())
        queue = self._lanes.get(lane)
        if queue is None:
            queue = self._lanes[lane] = deque()
            task = asyncio.create_task(self._work_lane(lane, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        queue.append(job)

    def _follow(self, job: Job) -> IntakeEntry:
        """Read the entry, with the trace of this try in place of that of the step before.

        Raises:
            ValueError: it is none.
        """
        delivered = job.delivered
        span = self._tracing.begin(SpanName.PROCESS, parent=job.came_from)
        entry = parse_entry({**delivered.fields, "traceparent": span.traceparent})
        job.span = span
        if self._tracing.is_on:
            span.tell(describe_try(delivered, entry, attempts=count_attempts(entry)))
        return entry

    def _current_lanes(self) -> dict[str, str]:
        watch = self._watching.current()
        if self._lane_map is None or self._lane_map[0] is not watch:
            self._lane_map = (watch, lanes_of(watch))
        return self._lane_map[1]

    async def _work_lane(self, lane: str, queue: deque[Job]) -> None:
        """Process one lane in order until it is empty, or the worker may drain no longer."""
        behind = Behind(lambda: [one.fetched for one in queue if one.fetched], self._limits.look_behind_s)
        try:
            while queue:
                job = queue.popleft()
                try:
                    await self._work(job, behind)
                finally:
                    await self._give_room(job)
        finally:
            del self._lanes[lane]
            for job in queue:
                await self._give_room(job)

    async def _give_room(self, job: Job) -> None:
        job.end_read()
        self._taken.discard(job.delivered.id)
        self._metrics.in_flight(count=len(self._taken))
        async with self._room:
            self._room.notify_all()

    async def _work(self, job: Job, behind: Behind) -> None:
        """Process one entry and take it off the stream, whatever comes."""
        try:
            if job.entry is None or job.fetched is None:
                await self._bury(job, Reason.MALFORMED, "not an intake entry")
            elif job.delivered.deliveries > self._limits.deliveries_max:
                await self._bury(job, Reason.UNEXPECTED, "handed out too often")
            else:
                await self._process(job, job.entry, job.fetched, behind)
        except StreamError as error:  # stays pending: it is taken over later
            job.span.fail(error)
            _log.warning("worker.outage_met", entry_id=job.delivered.id, error=str(error))
            await self._give_back([job.delivered])
        except Exception as error:  # stays pending too: one entry must not stop its lane
            job.span.fail(error)
            _log.exception("worker.entry_failed", entry_id=job.delivered.id)
        finally:
            job.span.end()

    async def _process(
        self, job: Job, entry: IntakeEntry, fetched: asyncio.Task[Read], behind: Behind
    ) -> None:
        began = self._clock.monotonic()
        try:
            processed = await self._processor.process(entry, fetched, behind=behind)
        except StreamError:
            raise
        except Exception as error:
            await self._note_heard(entry)
            await self._retry(job, entry, error)
            return
        if not processed.forgery:  # what others send proves nothing about Graph's notifications
            await self._note_heard(entry)
        await self._intake.acknowledge([job.delivered.id])
        self._tell(job, entry, processed, self._clock.monotonic() - began)

    async def _note_heard(self, entry: IntakeEntry) -> None:
        if self._hearing is not None:
            await self._hearing.note(entry)

    async def _retry(self, job: Job, entry: IntakeEntry, error: Exception) -> None:
        tries = parse_tries(entry.tries)
        verdict = decide_retry(error, tries, limits=self._retry_limits, jitter=self._jitter)
        job.span.fail(error)
        if isinstance(verdict, GiveUp):
            await self._bury(job, verdict.reason, f"{type(error).__name__}: {error}")
            return
        self._metrics.entry_deferred(error=type(error).__name__)
        job.span.tell({"response_sync.outcome": "deferred"})
        due_at = self._clock.now() + timedelta(seconds=verdict.seconds)
        _log.info(
            "entry.deferred",
            **job.describe(),
            wait_s=round(verdict.seconds, 3),
            error=f"{type(error).__name__}: {error}",
        )
        retry = replace(count_try(entry, tries, verdict.counted), traceparent=job.came_from)
        await self._intake.defer(job.delivered, retry, due_at=due_at)

    async def _bury(self, job: Job, reason: Reason, detail: str) -> None:
        self._metrics.entry_dead_lettered(reason=str(reason))
        job.span.tell({"response_sync.outcome": "dead_lettered"})
        _log.error("entry.dead_lettered", **job.describe(), reason=str(reason), detail=detail[:300])
        await self._intake.dead_letter(
            job.without_content(), reason=str(reason), detail=detail[:300], at=self._clock.now()
        )

    def _tell(self, job: Job, entry: IntakeEntry, processed: Processed, duration_s: float) -> None:
        self._metrics.entry_processed(entry, processed, duration_s=duration_s)
        job.span.tell(
            {
                "response_sync.outcome": str(processed.ending),
                "response_sync.updates": len(processed.updates),
            }
        )
        _log.info(
            "notification.processed",
            **job.describe(),
            outcome=str(processed.ending),
            **tell_story(entry, processed),
            duration_ms=round(duration_s * 1000, 1),
        )

    async def _drain(self) -> None:
        """Let what was taken finish; what does not stays pending for another worker."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=self._limits.drain_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=self._limits.drain_s)
