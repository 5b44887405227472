"""The loop: everything taken ends acknowledged, deferred, dead-lettered, or still pending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from service.errors import HeldBackError, PayloadError, StreamError, UnavailableError
from service.pipeline.retry import RetryLimits
from service.pipeline.worker import Watching, Worker, WorkerLimits
from service.ports import Delivered
from service.roster import WatchList
from tests.integration.waiting import PATIENCE_S
from tests.unit.pipeline.fakes import MemoryIntake, NotedMetrics, StillClock, StillWatching
from tests.unit.pipeline.world import World
from tests.unit.reconcile.build import event, response, row


class Loop:
    """A worker around a world; `run_until` runs it to a condition."""

    def __init__(self) -> None:
        self.world = World()
        self.intake: MemoryIntake = self.world.intake
        self.metrics = NotedMetrics()
        self.stop = asyncio.Event()
        self.drain_s = 20.0
        self.worker = self.build_worker(StillWatching(self.world.watch))

    def build_worker(self, watching: Watching) -> Worker:
        return Worker(
            consumer="one",
            intake=self.intake,
            processor=self.world.processor,
            watching=watching,
            clock=StillClock(),
            metrics=self.metrics,
            limits=WorkerLimits(in_flight_max=4, read_count=2, deliveries_max=3, drain_s=self.drain_s),
            retry_limits=RetryLimits(attempts_max=3),
            jitter=lambda: 0.5,
        )

    def give(self, number: int, **fields: str) -> None:
        self.intake.waiting.append(Delivered(id=f"{number}-0", fields={"origin": "notification", **fields}))

    async def run_until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            running = asyncio.create_task(self.worker.run(self.stop))
            while not done():  # noqa: ASYNC110 - the condition is the loop's own state
                await asyncio.sleep(0)
            self.stop.set()
            await running


async def test_entries_of_a_lane_are_committed_in_order_and_acknowledged() -> None:
    loop = Loop()
    loop.world.put_event("e1", event(1, row("ann")))
    for number, value in enumerate(["accepted", "declined", "tentativelyAccepted", "accepted"]):
        loop.world.put_message(f"m{number}", response("ann", value, 10 * (number + 1)))
        loop.give(number, kind="message", mailbox="adele", item=f"m{number}")
    await loop.run_until(lambda: len(loop.intake.acknowledged) == 4)
    assert loop.intake.acknowledged == ["0-0", "1-0", "2-0", "3-0"]
    assert loop.world.states.said() == ["attendee.added ann"] + ["response.changed ann"] * 4


async def test_an_entry_is_judged_by_a_watch_list_that_is_read_after_it_arrived() -> None:
    loop = Loop()
    loop.world.put_event("e1", event(1, row("ann")))
    known, loop.world.watch = loop.world.watch, WatchList()

    class LateWatching:
        """Learns of the owner in the moment in which it is asked again."""

        def current(self) -> WatchList:
            return loop.world.watch

        async def refresh(self) -> None:
            loop.world.watch = known

    loop.worker = loop.build_worker(LateWatching())
    loop.give(1, kind="event", mailbox="owner", item="e1")
    await loop.run_until(lambda: bool(loop.intake.acknowledged))
    assert loop.world.states.said() == ["attendee.added ann"]


async def test_more_entries_than_may_be_in_flight_are_all_processed() -> None:
    loop = Loop()
    for number in range(50):
        loop.give(number, kind="message", mailbox=f"stranger{number % 7}", item="m")
    await loop.run_until(lambda: len(loop.intake.acknowledged) == 50)
    assert loop.metrics.endings == ["not_watched"] * 50


async def test_an_error_that_waiting_helps_is_deferred_with_its_attempt_counted() -> None:
    loop = Loop()
    loop.world.reader.errors = [UnavailableError("away", status=503)]
    loop.give(1, kind="event", mailbox="owner", item="e1", attempt="1", tries="throttled:1")
    await loop.run_until(lambda: bool(loop.intake.deferred))
    retry, _ = loop.intake.deferred[0]
    assert (retry.item, retry.attempt, retry.tries) == ("e1", "2", "throttled:1 unavailable:1")
    assert loop.intake.acknowledged == ["1-0"]


async def test_a_request_that_was_never_sent_is_no_attempt() -> None:
    loop = Loop()
    loop.world.reader.errors = [HeldBackError("not sent", retry_after_s=30)]
    loop.give(1, kind="event", mailbox="owner", item="e1", attempt="2")
    await loop.run_until(lambda: bool(loop.intake.deferred))
    retry, _ = loop.intake.deferred[0]
    assert (retry.item, retry.attempt) == ("e1", "2")


async def test_an_answer_that_cannot_be_read_is_dead_lettered_in_the_end() -> None:
    loop = Loop()
    loop.world.reader.errors = [PayloadError("start.dateTime", "an instant")]
    loop.give(1, kind="event", mailbox="owner", item="e1", attempt="9", tries="unreadable:9")
    await loop.run_until(lambda: bool(loop.intake.dead))
    assert loop.intake.dead == [("1-0", "unreadable")]


async def test_a_poison_entry_never_blocks_its_neighbours() -> None:
    loop = Loop()
    loop.world.put_event("e1", event(1, row("ann")))
    loop.give(1, nonsense="yes")
    loop.intake.waiting[0] = replace(loop.intake.waiting[0], fields={"nonsense": "yes"})
    loop.give(2, kind="event", mailbox="owner", item="e1")
    await loop.run_until(lambda: len(loop.intake.acknowledged) == 2)
    assert loop.intake.dead == [("1-0", "malformed")]
    assert loop.world.states.said() == ["attendee.added ann"]


async def test_an_entry_that_was_handed_out_too_often_is_dead_lettered_unread() -> None:
    loop = Loop()
    loop.intake.claimable.append(
        Delivered(
            id="1-0",
            fields={"kind": "event", "origin": "notification", "mailbox": "owner", "item": "e1"},
            deliveries=4,
        )
    )
    await loop.run_until(lambda: bool(loop.intake.dead))
    assert loop.intake.dead == [("1-0", "unexpected")]


async def test_an_outage_of_redis_leaves_the_entry_pending_and_the_loop_goes_on() -> None:
    loop = Loop()
    loop.world.put_event("e1", event(1, row("ann")))
    loop.intake.errors = [StreamError("away"), StreamError("away")]
    loop.give(1, kind="event", mailbox="owner", item="e1")
    await loop.run_until(lambda: bool(loop.intake.acknowledged))
    assert loop.world.states.said() == ["attendee.added ann"]


async def test_no_outage_is_held_against_an_entry_however_long_it_lasts() -> None:
    loop = Loop()
    loop.world.put_event("e1", event(1, row("ann")))
    loop.world.states.outages = 9
    loop.give(1, kind="event", mailbox="owner", item="e1")
    await loop.run_until(lambda: bool(loop.intake.acknowledged))
    assert loop.intake.given_back == ["1-0"] * 9
    assert loop.intake.dead == []


async def test_what_a_gate_cannot_judge_in_an_outage_is_given_back() -> None:
    loop = Loop()
    loop.world.put_event("e1", event(1, row("ann")))

    class AwayWatching(StillWatching):
        """Cannot be asked again, at first."""

        errors = 3

        async def refresh(self) -> None:
            if self.errors:
                self.errors -= 1
                raise StreamError("away")

    loop.worker = loop.build_worker(AwayWatching(loop.world.watch))
    loop.give(1, kind="event", mailbox="owner", item="e1")
    await loop.run_until(lambda: bool(loop.intake.acknowledged))
    assert loop.intake.given_back == ["1-0"] * 3


async def test_a_bug_ends_in_the_dead_letters_not_in_the_loop() -> None:
    loop = Loop()
    loop.world.put_event("e1", event(1, row("ann")))
    loop.world.reader.errors = [ZeroDivisionError("a bug")]
    loop.give(1, kind="event", mailbox="owner", item="e1", attempt="7", tries="unexpected:7")
    loop.give(2, kind="event", mailbox="owner", item="e1")
    await loop.run_until(lambda: len(loop.intake.acknowledged) == 2)
    assert loop.intake.dead == [("1-0", "unexpected")]


async def test_a_failure_outside_of_the_processing_stops_no_lane() -> None:
    loop = Loop()
    loop.world.put_event("e1", event(1, row("ann")))
    loop.intake.acknowledge_errors = [OSError("no space left")]
    loop.give(1, kind="event", mailbox="owner", item="e1")
    loop.give(2, kind="event", mailbox="owner", item="e1")
    await loop.run_until(lambda: bool(loop.intake.acknowledged))
    assert loop.intake.acknowledged == ["2-0"]
    assert loop.intake.dead == []


async def test_a_worker_that_may_not_drain_leaves_no_read_running() -> None:
    loop = Loop()
    loop.drain_s = 0
    loop.worker = loop.build_worker(StillWatching(loop.world.watch))
    loop.world.reader.gate = asyncio.Event()
    loop.give(1, kind="event", mailbox="owner", item="e1")
    loop.give(2, kind="event", mailbox="owner", item="e1")
    await loop.run_until(lambda: len(loop.world.reader.calls) == 2)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert loop.intake.acknowledged == []


async def test_a_worker_with_its_hands_full_stops_without_taking_more() -> None:
    loop = Loop()
    loop.drain_s = 0
    loop.worker = loop.build_worker(StillWatching(loop.world.watch))
    loop.world.reader.gate = asyncio.Event()
    for number in range(6):
        loop.give(number, kind="event", mailbox="owner", item="e1")
    await loop.run_until(lambda: len(loop.world.reader.calls) == 4)
    assert [one.id for one in loop.intake.waiting] == ["4-0", "5-0"]


async def test_what_is_given_up_keeps_no_content_for_it_can_be_fetched() -> None:
    loop = Loop()
    loop.give(1, kind="message", mailbox="adele", item="m1", content="{}", tokens="a b", tenant="t")
    loop.intake.waiting[0] = replace(loop.intake.waiting[0], deliveries=4)
    await loop.run_until(lambda: len(loop.intake.dead) == 1)
    assert loop.intake.buried[0].fields == {
        "origin": "notification",
        "kind": "message",
        "mailbox": "adele",
        "item": "m1",
    }
