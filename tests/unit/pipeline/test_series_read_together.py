"""Histories in which the rules alone would surprise, and which do not arise from what is really read.

Each is told to the letter in `tests/reference/test_faults_of_the_text.py`; here the worker reads the parts
of the series together, as Graph gives them at that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from service.entries import IntakeEntry, Kind, Origin
from service.reconcile.model import AttendeeRow, EventFact, EventType
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


async def test_who_left_an_occurrence_that_was_read_ahead_of_its_series_is_told_at_once() -> None:
    world = World()
    early = event(2, row("ann"), instance=DAY2, place=24, seen=104)
    world.put_event("day2", early)
    entry = IntakeEntry(kind=Kind.EVENT, origin=Origin.SWEEP, mailbox="owner", item="day2")
    fetched = asyncio.ensure_future(world.processor.fetch(entry))
    await asyncio.wait([fetched])
    world.put_event("series", event(1, row("ann"), row("bob"), is_series=True, seen=105))
    await world.event("series")
    world.put_event("day2", replace(early, seen=at(106)))
    await world.processor.process(entry, fetched)
    assert world.states.said() == ["attendee.added ann", "attendee.added bob", "attendee.removed bob"]
    assert sources(world)[-1] == DAY2


async def test_an_exception_that_was_read_before_its_moved_series_and_told_after_it_counts_at_once() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True, seen=100))
    await world.event("series")
    exception = event(3, row("ann"), instance=DAY2, place=30, seen=104)
    world.put_event("day2", exception)
    entry = IntakeEntry(kind=Kind.EVENT, origin=Origin.SWEEP, mailbox="owner", item="day2")
    fetched = asyncio.ensure_future(world.processor.fetch(entry))
    await asyncio.wait([fetched])
    world.put_event("series", event(2, row("ann"), is_series=True, place=1, seen=105))
    await world.event("series")
    world.put_event("day2", replace(exception, seen=at(106)))
    await world.processor.process(entry, fetched)
    assert world.states.said()[-1] == "event.rescheduled"
    assert sources(world) == [DAY2]


def occurrence(fact: EventFact) -> EventFact:
    """Give an event as a plain occurrence: what it shows it has from its series."""
    return replace(fact, details=replace(fact.details, type=EventType.OCCURRENCE))


async def watch_day2(world: World, *rows: AttendeeRow) -> None:
    """Have a series and an exception of it known."""
    world.put_event("series", event(1, row("ann"), is_series=True))
    await world.event("series")
    world.put_event("day2", event(2, *(rows or (row("ann"),)), instance=DAY2, place=24, seen=3))
    await world.event("day2")
    world.states.published.clear()


async def test_an_exception_that_the_series_dropped_when_it_moved_is_understood_together_with_it() -> None:
    world = World()
    await watch_day2(world)
    del world.reader.events["owner", "day2"]
    world.put_event("series", event(100, row("ann"), is_series=True, place=1, seen=105))
    world.put_event("new2", occurrence(event(100, row("ann"), instance=DAY2, place=25, seen=105)))
    await world.event("day2")
    assert world.states.said() == ["event.rescheduled"]
    assert sources(world) == []


async def test_an_occurrence_that_forgot_its_answers_is_understood_together_with_its_series() -> None:
    """It lies where it lay: the series has another pattern, and only the missing answer gives it away."""
    world = World()
    world.put_event("series", event(1, row("ann", "accepted", 1), is_series=True))
    await world.event("series")
    world.put_event("day2", event(5, row("ann", "declined", 4), instance=DAY2, place=24, seen=6))
    await world.event("day2")
    world.states.published.clear()
    del world.reader.events["owner", "day2"]
    longer = event(100, row("ann"), is_series=True, sequence=1, recurrence="daily, longer", seen=105)
    world.put_event("series", longer)
    world.put_event("new2", occurrence(event(100, row("ann"), instance=DAY2, place=24, seen=105)))
    await world.event("day2")
    assert world.states.said() == ["event.rescheduled", "response.reset ann"]
    assert sources(world) == []


@pytest.mark.parametrize("first", ["series", "day2"])
async def test_a_series_that_becomes_a_single_meeting_takes_its_occurrences_along(first: str) -> None:
    world = World()
    await watch_day2(world, row("ann", "declined", 2))
    del world.reader.events["owner", "day2"]
    world.put_event("series", event(100, row("ann"), sequence=1, seen=105))
    for item in (first, "series", "day2"):
        await world.event(item)
    assert world.states.said() == ["event.rescheduled"]
    assert sources(world) == []


async def test_an_answer_that_an_occurrence_shows_first_is_told_on_the_series() -> None:
    world = World()
    await watch_day2(world)
    del world.reader.events["owner", "day2"]
    world.put_event("series", event(10, row("ann", "accepted", 9), is_series=True, seen=12))
    world.put_event(
        "new2", occurrence(event(10, row("ann", "accepted", 9), instance=DAY2, place=24, seen=12))
    )
    await world.event("day2")
    assert world.states.said() == ["response.changed ann"]
    assert sources(world) == []


async def test_a_cancelled_occurrence_takes_place_again_when_its_series_moves() -> None:
    world = World()
    await watch_day2(world)
    cancelled = event(50, row("ann"), instance=DAY2, place=24, is_cancelled=True, seen=51)
    world.put_event("day2", cancelled)
    await world.event("day2")
    assert world.states.said() == ["event.cancelled"]
    world.put_event("series", event(100, row("ann"), is_series=True, place=1, seen=105))
    world.put_event("day2", replace(cancelled, seen=at(106)))  # in Deleted Items, and still read by its id
    world.put_event("new2", occurrence(event(100, row("ann"), instance=DAY2, place=25, seen=106)))
    await world.event("series")
    assert world.states.said()[1:] == ["event.rescheduled"]


async def test_a_deleted_occurrence_takes_place_again_when_its_series_moves_there_and_back() -> None:
    world = World()
    await watch_day2(world)
    del world.reader.events["owner", "day2"]
    world.reader.at = at(50)
    await world.event("day2")
    assert world.states.said() == ["event.deleted"]
    for second, place in ((100, 1), (200, 0)):
        world.put_event("series", event(second, row("ann"), is_series=True, place=place, seen=second + 5))
        back = event(second, row("ann"), instance=DAY2, place=24 + place, seen=second + 6)
        world.put_event("new2", occurrence(back))
        await world.event("series")
    assert world.states.said()[1:] == ["event.rescheduled", "event.rescheduled"]


@pytest.mark.parametrize("cancelled", [(), (DAY3,)])
async def test_a_cancelled_occurrence_takes_place_again_when_its_series_moved_there_and_back_unseen(
    cancelled: Sequence[str],
) -> None:
    world = World()
    await watch_day2(world)
    gone = event(50, row("ann"), instance=DAY2, place=24, is_cancelled=True, seen=51)
    world.put_event("day2", gone)
    await world.event("day2")
    back = event(200, row("ann"), is_series=True, sequence=2, seen=205)
    world.put_event("series", back, cancelled=cancelled)
    world.put_event("day2", replace(gone, seen=at(206)))  # in Deleted Items, and still read by its id
    world.put_event("new2", occurrence(event(200, row("ann"), instance=DAY2, place=24, seen=206)))
    await world.event("series")
    assert "attendee.added ann" in world.states.said()
    assert sources(world)[:2] == [DAY2, DAY2]


async def test_a_change_of_the_agenda_reads_no_cancelled_occurrence_again() -> None:
    world = World()
    await watch_day2(world)
    world.put_event("series", event(50, row("ann"), is_series=True, seen=51), cancelled=[DAY2])
    await world.event("series")
    asked = len(world.reader.calls)
    world.put_event("series", event(60, row("ann"), is_series=True, sequence=1, seen=61), cancelled=[DAY2])
    await world.event("series")
    assert world.states.said() == ["event.deleted"]
    assert len(world.reader.calls) == asked + 1


async def test_an_occurrence_that_was_answered_is_read_again_when_the_series_is_answered() -> None:
    world = World()
    await watch_day2(world, row("ann", "declined", 2))
    world.put_message("m1", response("ann", "declined", 2, instance=DAY2, place=24))
    await world.message("m1")
    world.put_event("series", event(10, row("ann", "accepted", 9), is_series=True, seen=12))
    world.put_event(
        "day2", occurrence(event(10, row("ann", "accepted", 9), instance=DAY2, place=24, seen=12))
    )
    await world.event("series")
    last = [fields for fields in world.states.published if fields["source"].endswith(DAY2)][-1]
    assert '"value":"accepted"' in last["data"]


async def test_a_series_that_is_changed_while_its_occurrences_are_read_is_read_again() -> None:
    world = World()
    await watch_day2(world)
    before = event(100, row("ann"), is_series=True, place=1, seen=105)
    world.put_event("series", before)
    entry = IntakeEntry(kind=Kind.EVENT, origin=Origin.NOTIFICATION, mailbox="owner", item="series")
    fetched = asyncio.ensure_future(world.processor.fetch(entry))
    await asyncio.wait([fetched])
    world.put_event("series", event(110, row("ann", "accepted", 109), is_series=True, place=1, seen=111))
    answered = event(110, row("ann", "accepted", 109), instance=DAY2, place=25, seen=111)
    world.put_event("day2", occurrence(answered))
    await world.processor.process(entry, fetched)
    assert world.states.said() == ["event.rescheduled", "response.changed ann"]
    assert sources(world) == []


async def test_people_whom_a_series_lists_by_the_time_it_is_read_again_are_sought_in_its_occurrences() -> (
    None
):
    world = World()
    await watch_day2(world, row("ann", "declined", 2))
    world.put_message("m1", response("ann", "declined", 2, instance=DAY2, place=24))
    await world.message("m1")
    day3 = event(3, row("ann"), instance=DAY3, place=50, seen=4)
    world.put_event("day3", day3)
    await world.event("day3")
    world.states.published.clear()
    answered = row("ann", "accepted", 9)
    world.put_event("series", event(10, answered, is_series=True, seen=10))
    entry = IntakeEntry(kind=Kind.EVENT, origin=Origin.NOTIFICATION, mailbox="owner", item="series")
    fetched = asyncio.ensure_future(world.processor.fetch(entry))
    await asyncio.wait([fetched])
    world.put_event("series", event(11, answered, row("bob"), is_series=True, seen=12, change_key="2"))
    world.put_event("day2", event(11, row("ann", "declined", 2), instance=DAY2, place=24, seen=12))
    world.put_event("day3", replace(day3, seen=at(12)))
    await world.processor.process(entry, fetched)
    assert "attendee.added bob" in world.states.said()
    assert sorted(sources(world)) == [DAY2, DAY3, DAY3]


async def test_who_left_the_series_before_an_occurrence_was_read_is_told_on_the_series() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), row("bob"), is_series=True))
    await world.event("series")
    world.states.published.clear()
    world.put_event("series", event(10, row("ann"), is_series=True, seen=12))
    world.put_event("day2", occurrence(event(10, row("ann"), instance=DAY2, place=24, seen=12)))
    world.put_message("m1", response("bob", "accepted", 5, instance=DAY2, place=24))
    await world.message("m1")
    assert world.states.said() == ["attendee.removed bob"]
    assert sources(world) == []
