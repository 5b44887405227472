"""An answer and its event are announced together: what waits behind saves reading about what comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from service.entries import IntakeEntry, Kind, Origin
from service.pipeline.behind import Behind, Read
from service.ports import Told
from service.reconcile.model import ResponseFact
from tests.unit.pipeline.world import ADELE, World
from tests.unit.reconcile.build import event, response, row

DAY2, DAY3 = "2026-03-03", "2026-03-04"
EVENT = IntakeEntry(kind=Kind.EVENT, origin=Origin.NOTIFICATION, mailbox="owner", item="day2")
MESSAGE = IntakeEntry(kind=Kind.MESSAGE, origin=Origin.NOTIFICATION, mailbox=ADELE, item="m1")


async def watch_series(world: World) -> None:
    """Have a series known, then let Ann decline one occurrence; nothing is read of that yet."""
    world.put_event("series", event(1, row("ann"), row("bob"), is_series=True))
    await world.event("series")
    declined = event(9, row("ann", "declined", 8), row("bob"), instance=DAY2, place=24, seen=10)
    world.put_event("day2", declined)
    world.put_message("m1", response("ann", "declined", 8, instance=DAY2, place=24))
    world.states.published.clear()
    world.reader.calls.clear()


@asynccontextmanager
async def reading(world: World, *entries: IntakeEntry) -> AsyncIterator[list[asyncio.Task[Read]]]:
    """Begin to read what some entries point to, as the worker does when it takes them."""
    reads = [asyncio.ensure_future(world.processor.fetch(entry)) for entry in entries]
    try:
        yield reads
    finally:
        await asyncio.gather(*reads, return_exceptions=True)


async def work(world: World, *entries: IntakeEntry) -> None:
    """Process entries in order, each with those behind it."""
    async with reading(world, *entries) as reads:
        for at, entry in enumerate(entries):
            rest: Sequence[asyncio.Task[Read]] = reads[at + 1 :]
            behind = Behind(lambda rest=rest: rest, 60)  # type: ignore[misc]
            await world.processor.process(entry, reads[at], behind=behind)


async def test_an_occurrence_that_shows_an_answer_is_explained_by_the_message() -> None:
    world = World()
    await watch_series(world)
    await work(world, EVENT, MESSAGE)
    assert world.states.said() == ["response.changed ann", "response.confirmed ann"]
    assert {fields["source"].rpartition("/")[2] for fields in world.states.published} == {DAY2}
    assert sorted(world.reader.calls) == ["event day2", "message m1"]


async def test_of_an_answered_occurrence_nothing_is_read_whose_event_comes_along() -> None:
    world = World()
    await watch_series(world)
    carried: asyncio.Future[Read] = asyncio.get_running_loop().create_future()
    carried.set_result(Told(item=world.reader.events["owner", "day2"]))
    async with reading(world, MESSAGE) as (first,):
        carried_read = asyncio.ensure_future(give(carried))
        await world.processor.process(MESSAGE, first, behind=Behind(lambda: [carried_read], 60))
        await world.processor.process(EVENT, carried_read)
    assert world.states.said() == ["response.changed ann", "response.confirmed ann"]
    assert world.reader.calls == ["message m1"]


async def test_an_event_that_was_fetched_before_its_series_moved_is_no_reason_not_to_look() -> None:
    world = World()
    await watch_series(world)
    async with reading(world, MESSAGE, EVENT) as (message, event_of_day2):
        await asyncio.wait([message, event_of_day2])
        world.put_event("series", event(20, row("ann"), row("bob"), is_series=True, place=1, seen=25))
        declined = event(21, row("ann", "declined", 21), row("bob"), instance=DAY2, place=25, seen=26)
        world.put_event("day2", declined)
        await world.event("series")
        await world.processor.process(MESSAGE, message, behind=Behind(lambda: [event_of_day2], 60))
        await world.processor.process(EVENT, event_of_day2)
    assert "instance 2026-03-03" in world.reader.calls
    assert world.states.said()[-1] == "response.changed ann"


async def give(read: asyncio.Future[Read]) -> Read:
    return await read


@pytest.mark.parametrize(
    "other",
    [
        response("bob", "declined", 8, instance=DAY2, place=24),
        response("ann", "declined", 8, instance=DAY3, place=48),
        response("ann", "declined", 8, instance=DAY2, place=30),
        response("ann", "declined", 5, instance=DAY2, place=24),
    ],
    ids=["somebody else", "another occurrence", "another slot", "another moment"],
)
async def test_an_answer_that_explains_nothing_saves_no_read(other: ResponseFact) -> None:
    world = World()
    await watch_series(world)
    world.put_message("m1", other)
    async with reading(world, EVENT, MESSAGE) as (first, second):
        await world.processor.process(EVENT, first, behind=Behind(lambda: [second], 60))
    assert "meeting meeting" in world.reader.calls


async def test_who_else_shows_an_answer_must_be_explained_too() -> None:
    world = World()
    await watch_series(world)
    both = event(9, row("ann", "declined", 8), row("bob", "accepted", 7), instance=DAY2, place=24, seen=10)
    world.put_event("day2", both)
    world.put_event("series", event(8, row("ann"), row("bob", "accepted", 7), is_series=True, seen=10))
    await work(world, EVENT, MESSAGE)
    told = [(one["source"].rpartition("/")[2], one["subject"]) for one in world.states.published]
    assert told == [("meeting", "bob"), (DAY2, "ann"), (DAY2, "ann")]


async def test_what_cannot_be_read_behind_explains_nothing_and_breaks_nothing() -> None:
    world = World()
    await watch_series(world)
    del world.reader.messages[ADELE, "m1"]
    await work(world, EVENT, MESSAGE)
    assert world.states.said() == ["response.changed ann"]
    assert "meeting meeting" in world.reader.calls


async def test_an_entry_waits_no_longer_than_told_for_what_is_behind_it() -> None:
    world = World()
    await watch_series(world)
    never: asyncio.Future[Read] = asyncio.get_running_loop().create_future()

    stuck = asyncio.ensure_future(give(never))
    async with reading(world, EVENT) as (first,):
        await world.processor.process(EVENT, first, behind=Behind(lambda: [stuck], 0.01))
    never.set_result(None)
    await stuck
    assert world.states.said() == ["response.changed ann"]
