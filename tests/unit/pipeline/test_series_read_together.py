"""Histories in which the rules alone would surprise, and which do not arise from what is really read.

Each is told to the letter in `tests/reference/test_faults_of_the_text.py`; here the worker reads the parts
of the series together, as Graph gives them at that moment.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from service.entries import IntakeEntry, Kind, Origin
from tests.unit.pipeline.world import World
from tests.unit.reconcile.build import at, event, response, row

DAY2, DAY3 = "2026-03-03", "2026-03-04"


def sources(world: World) -> list[str]:
    """Give the occurrences of which anything was published."""
    found = [fields["source"].partition("/instances/")[2] for fields in world.states.published]
    return [source for source in found if source]


async def test_who_leaves_the_series_is_not_added_to_its_occurrences() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), row("bob"), is_series=True))
    world.put_event("day2", event(1, row("ann"), row("bob"), instance=DAY2, place=24, seen=2))
    await world.event("day2")
    world.put_event("series", event(10, row("bob"), is_series=True))
    world.put_event("day2", event(10, row("bob"), instance=DAY2, place=24, seen=11))
    await world.event("series")
    await world.event("day2")
    assert world.states.said()[2:] == ["attendee.removed ann"]
    assert sources(world) == []


async def test_an_answer_to_the_series_is_told_once_whichever_event_is_read_first() -> None:
    for order in (("day2", "series"), ("series", "day2")):
        world = World()
        world.put_event("series", event(1, row("ann"), is_series=True))
        await world.event("series")
        world.put_event("series", event(10, row("ann", "accepted", 9), is_series=True, seen=12))
        world.put_event("day2", event(10, row("ann", "accepted", 9), instance=DAY2, place=24, seen=12))
        for item in order:
            await world.event(item)
        world.put_event("series", event(20, row("ann", "declined", 19), is_series=True))
        await world.event("series")
        assert world.states.said()[1:] == ["response.changed ann"] * 2
        assert sources(world) == []


async def test_exceptions_from_before_a_move_there_and_back_do_not_revive() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    world.put_event("day2", event(5, row("ann"), instance=DAY2, place=30, seen=6))
    await world.event("day2")
    assert sources(world) == [DAY2]
    world.states.published.clear()
    for second, place in ((20, 1), (30, 0)):  # Exchange drops the exceptions of a series that moves
        world.put_event("series", event(second, row("ann"), is_series=True, place=place, seen=second + 1))
        world.put_event("day2", event(second, row("ann"), instance=DAY2, place=24 + place, seen=second + 1))
        await world.event("series")
    assert world.states.said() == ["event.rescheduled", "event.rescheduled"]
    assert sources(world) == []


async def test_an_exception_that_is_fetched_after_the_move_counts() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    await world.event("series")
    world.put_event("series", event(100, row("ann"), is_series=True, place=1, seen=105))
    await world.event("series")
    world.put_event("day2", event(101, row("ann", "declined", 101), instance=DAY2, place=25, seen=106))
    await world.event("day2")
    assert world.states.said()[-1] == "response.changed ann"
    assert sources(world) == [DAY2]


async def test_an_answer_to_an_occurrence_counts_for_whom_only_the_series_was_known_to_list() -> None:
    world = World()
    world.put_event("series", event(1, row("bob"), is_series=True))
    world.put_event("day2", event(1, row("bob"), instance=DAY2, place=24, seen=4))
    await world.event("day2")
    world.put_event("series", event(5, row("ann"), row("bob"), is_series=True, seen=6))
    world.put_event("day2", event(5, row("ann"), row("bob"), instance=DAY2, place=24, seen=6))
    world.put_message("m1", response("ann", "declined", 7, instance=DAY2, place=24))
    await world.message("m1")
    assert world.states.said()[-1] == "response.changed ann"
    assert sources(world)[-1] == DAY2


async def test_an_exception_that_was_fetched_just_before_the_moved_series_was_found_counts() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    await world.event("series")
    world.put_event("series", event(100, row("ann"), is_series=True, place=1, seen=105))
    declined = event(101, row("ann", "declined", 101), instance=DAY2, place=25, seen=104)
    world.put_event("day2", declined)
    entry = IntakeEntry(kind=Kind.EVENT, origin=Origin.NOTIFICATION, mailbox="owner", item="day2")
    fetched = asyncio.ensure_future(world.processor.fetch(entry))
    await asyncio.wait([fetched])
    world.put_event("day2", replace(declined, seen=at(106)))
    await world.processor.process(entry, fetched)
    assert world.states.said()[-1] == "response.changed ann"
    assert sources(world) == [DAY2]
