"""What waited for a worker: which events go behind the messages, for how long, and that no answer is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from service.entries import IntakeEntry
from service.pipeline.backlog import BacklogLimits, MessagesFirst
from service.pipeline.worker import Gate, Worker
from service.ports import Delivered
from service.roster import build_watch_list
from tests.integration.waiting import PATIENCE_S
from tests.unit.pipeline.fakes import MemoryIntake, NotedMetrics, StillClock, StillWatching
from tests.unit.pipeline.world import ALEX, World
from tests.unit.reconcile.build import event, response, row

LAG_S = 2.0
WAIT_S = 60.0


@dataclass
class Stream(MemoryIntake):
    """A stream whose due list comes back at its end, one second later each time."""

    end_ms: int = 0
    released: list[IntakeEntry] = field(default_factory=list)

    def put(self, at_ms: int, kind: str, item: str, **more: str) -> Delivered:
        self.end_ms = max(self.end_ms, at_ms)
        mailbox = "owner" if kind == "event" else "adele"
        fields = {"kind": kind, "mailbox": mailbox, "item": item, "origin": "notification", **more}
        made = Delivered(id=f"{at_ms}-{len(self.waiting)}", fields=fields)
        self.waiting.append(made)
        return made

    async def find_last_id(self) -> str:
        return f"{self.end_ms}-0"

    async def defer(self, entry: Delivered, retry: IntakeEntry, *, due_at: datetime) -> None:
        await super().defer(entry, retry, due_at=due_at)
        self.released.append(retry)

    async def release_due(self, now: datetime, *, count: int) -> int:
        released, self.released = self.released, []
        for entry in released:
            self.end_ms += 1000
            self.waiting.append(Delivered(id=f"{self.end_ms}-9", fields=entry.to_fields()))
        return len(released)


class Return:
    """A worker that comes back, before a stream."""

    def __init__(self, *, is_baselined: bool = True, wait_max_s: float = WAIT_S) -> None:
        self.watch = build_watch_list([replace(ALEX, is_baselined=is_baselined)])
        self.stream = Stream()
        self.clock = StillClock()
        self.gate = MessagesFirst(
            intake=self.stream, clock=self.clock, limits=BacklogLimits(lag_s=LAG_S, wait_max_s=wait_max_s)
        )

    async def give(self, *entries: Delivered) -> list[str]:
        """Take entries; gives the items of those that may go ahead."""
        passed: Sequence[Delivered] = await self.gate.let_through(entries, self.watch)
        return [one.fields.get("item", "") for one in passed]


async def work_off(gates: Sequence[Gate], stream: Stream, world: World, *, entries: int) -> None:
    worker = Worker(
        consumer="one",
        intake=stream,
        processor=world.processor,
        watching=StillWatching(world.watch),
        clock=StillClock(),
        metrics=NotedMetrics(),
        gates=gates,
    )
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE_S):
        running = asyncio.create_task(worker.run(stop))
        while len(stream.acknowledged) < entries + len(stream.deferred):  # noqa: ASYNC110 - the loop's own state
            await asyncio.sleep(0)
        stop.set()
        await running


@pytest.mark.parametrize(
    ("has_gate", "told"),
    [(True, ["accepted", "declined", "accepted"]), (False, ["accepted"])],
    ids=["as the service is built", "which is what keeps them"],
)
async def test_every_answer_that_waited_with_its_event_is_told(has_gate: bool, told: list[str]) -> None:
    world, stream = World(), Stream()
    world.put_event("e", event(1, row("ann")))
    stream.put(0, "event", "e")
    await work_off((), stream, world, entries=1)
    for number, value in enumerate(["accepted", "declined", "accepted"], start=1):
        world.put_message(f"m{number}", response("ann", value, 10 * number))
        stream.put(10_000 * number, "message", f"m{number}")
        stream.put(10_000 * number, "event", "e")
    world.put_event("e", event(2, row("ann", "accepted", 30)))
    gates = (MessagesFirst(intake=stream, clock=StillClock()),) if has_gate else ()
    await work_off(gates, stream, world, entries=7)
    said = [
        json.loads(fields["data"])
        for fields in world.states.published
        if "response.changed" in fields["type"]
    ]
    assert [data["response"]["value"] for data in said] == told


async def test_an_event_far_before_the_end_goes_behind_it_and_messages_keep_their_place() -> None:
    back = Return()
    first, message = back.stream.put(1000, "event", "e1"), back.stream.put(1000, "message", "m1")
    last = back.stream.put(1000 + 2000, "event", "e2")
    assert await back.give(first, message, last) == ["e1", "m1", "e2"]
    back.stream.put(3001, "message", "m2")
    assert await back.give(first, message, last) == ["m1", "e2"]
    assert [(entry.item, due_at) for entry, due_at in back.stream.deferred] == [("e1", back.clock.now())]


async def test_an_event_is_put_off_again_where_the_worker_is_still_behind_but_not_beyond_the_limit() -> None:
    back = Return()
    entry = back.stream.put(1000, "event", "e")
    back.stream.put(100_000, "message", "m")
    for _ in range(3):
        assert await back.give(entry) == []
        again, _ = back.stream.deferred[-1]
        entry = Delivered(id=entry.id, fields=again.to_fields())
        back.clock.moment += timedelta(seconds=WAIT_S / 3 - 0.001)
    back.clock.moment += timedelta(seconds=0.003)
    assert await back.give(entry) == ["e"]


async def test_what_a_dead_worker_had_taken_begins_to_wait_anew() -> None:
    back = Return()
    entry = back.stream.put(1000, "event", "e", held_since="2026-03-01T00:00:00Z")
    back.stream.put(100_000, "message", "m")
    assert await back.give(replace(entry, deliveries=2)) == []
    assert [again.held_since for again, _ in back.stream.deferred] == ["2026-03-02T00:00:00Z"]


async def test_a_clock_of_another_worker_that_goes_ahead_keeps_no_event_for_ever() -> None:
    back = Return()
    entry = back.stream.put(1000, "event", "e", held_since="2027-03-02T00:00:00Z")
    back.stream.put(100_000, "message", "m")
    assert await back.give(entry) == ["e"]


async def test_first_sights_strangers_and_nonsense_are_never_put_off() -> None:
    back = Return(is_baselined=False)
    entry = back.stream.put(1000, "event", "e")
    stranger = back.stream.put(1000, "event", "s", mailbox="stranger")
    nonsense = Delivered(id="1000-7", fields={"item": "n"})
    back.stream.put(100_000, "message", "m")
    assert await back.give(entry, stranger, nonsense) == ["e", "s", "n"]


async def test_a_limit_of_zero_puts_nothing_off() -> None:
    back = Return(wait_max_s=0)
    entry = back.stream.put(1000, "event", "e")
    back.stream.put(100_000, "message", "m")
    assert await back.give(entry) == ["e"]
