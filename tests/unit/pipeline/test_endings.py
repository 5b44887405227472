"""How meetings and occurrences end, with mailboxes and state in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from service.entries import Origin
from service.errors import LookedTooSoonError
from service.pipeline.calendar import CalendarLimits, CalendarReads
from service.pipeline.committer import CommitLimits
from service.pipeline.outcomes import Ending
from service.reconcile.model import EventId, GoneFact, OwnerKey
from tests.unit.pipeline.world import World
from tests.unit.reconcile.build import event, response, row

DAY2, DAY3 = "2026-03-03", "2026-03-04"


def endings(world: World) -> list[str]:
    """Give the endings told, each with its occurrence."""
    return [
        f"{fields['type'].removeprefix('responsesync.event.')} {fields['source'].partition('/instances/')[2]}"
        for fields in world.states.published
        if fields["type"].startswith("responsesync.event.")
    ]


async def test_an_occurrence_that_was_never_read_ends_when_its_series_says_so() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    await world.event("series")
    world.put_event("series", event(20, row("ann"), is_series=True), cancelled=[DAY2])
    assert await world.event("series") is Ending.PUBLISHED
    assert await world.event("series") is Ending.JOINED
    assert endings(world) == [f"deleted {DAY2}"]


async def test_an_occurrence_whose_own_event_says_that_it_is_cancelled_ends_once() -> None:
    world = World()
    world.put_event("series", event(20, row("ann"), is_series=True), cancelled=[DAY2])
    world.put_event("day2", event(20, row("ann"), instance=DAY2, place=24, is_cancelled=True))
    await world.event("day2")
    world.put_event("series", event(20, row("ann"), is_series=True, seen=21), cancelled=[DAY2])
    await world.event("series")
    assert endings(world) == [f"cancelled {DAY2}"]


async def test_a_new_epoch_of_an_old_state_tells_everything_anew_endings_and_moves_too() -> None:
    world = World()
    series = event(1, row("ann", "accepted", 1), is_series=True)
    world.put_event("series", series, cancelled=[DAY2])
    await world.event("series")
    world.put_event("day3", event(20, row("ann"), instance=DAY3, place=90))
    await world.event("day3")
    world.states.published.clear()
    for name, stored in world.states.meetings.items():
        world.states.meetings[name] = replace(stored, epoch=None)
    await world.event("series")
    assert endings(world) == [f"deleted {DAY2}", f"rescheduled {DAY3}"]
    people = [words for words in world.states.said() if "event." not in words]
    assert people == ["response.snapshot ann", "response.reset ann"]


async def test_a_read_occurrence_ends_even_if_nobody_can_read_it_any_more() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    world.put_event("day2", event(5, row("ann", "declined", 4), instance=DAY2, place=24))
    await world.event("day2")
    world.put_event("series", event(20, row("ann"), is_series=True), cancelled=[DAY2])
    await world.event("series")
    assert endings(world) == [f"deleted {DAY2}"]


async def test_cancelled_in_the_second_of_the_last_sight_is_looked_at_again() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True))
    world.put_event("day2", event(5, row("ann"), instance=DAY2, place=24, seen=20))
    await world.event("day2")
    world.put_event("series", event(20, row("ann"), is_series=True), cancelled=[DAY2])
    with pytest.raises(LookedTooSoonError):
        await world.event("series")
    world.put_event("series", event(20, row("ann"), is_series=True, seen=21), cancelled=[DAY2])
    await world.event("series")
    assert endings(world) == [f"deleted {DAY2}"]


async def test_after_a_move_of_the_series_an_occurrence_can_be_cancelled_again() -> None:
    world = World()
    world.put_event("series", event(1, row("ann"), is_series=True), cancelled=[DAY2])
    await world.event("series")
    world.put_event("series", event(30, row("ann"), is_series=True, place=1))
    await world.event("series")
    world.put_event("series", event(60, row("ann"), is_series=True, place=1), cancelled=[DAY2])
    await world.event("series")
    assert endings(world) == [f"deleted {DAY2}", "rescheduled ", f"deleted {DAY2}"]


async def test_of_many_cancelled_occurrences_the_nearest_are_told() -> None:
    world = World()
    series = event(1, row("ann"), is_series=True)
    world.put_event("series", series, cancelled=["2025-01-01", DAY3, DAY2])
    reads = CalendarReads(world.reader, world.states, CalendarLimits(occurrences_max=2))
    read = await world.reader.fetch_event(OwnerKey("owner"), EventId("series"))
    facts = await reads.read_around(world.watch.owners[OwnerKey("owner")], read)
    assert [fact.instance for fact in facts if isinstance(fact, GoneFact)] == [DAY2, DAY3]


async def test_a_meeting_made_an_appointment_has_no_attendees_and_takes_no_late_answer() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    await world.event("e1")
    world.put_event("e1", event(20))
    world.put_message("m1", response("ann", "accepted", 10))
    await world.event("e1")
    assert await world.message("m1") is Ending.JOINED
    assert world.states.said() == ["attendee.added ann", "attendee.removed ann"]


async def test_who_was_taken_off_and_is_invited_again_begins_anew_with_what_the_calendar_has() -> None:
    world = World()
    for number, rows in enumerate(((row("ann", "accepted", 5),), (), (row("ann"),))):
        world.put_event("e1", event(10 * (number + 1), *rows))
        await world.event("e1")
    assert world.states.said() == [
        "attendee.added ann",
        "response.changed ann",
        "attendee.removed ann",
        "attendee.added ann",
    ]


async def test_a_meeting_long_past_is_told_and_kept_for_a_day() -> None:
    world = World()
    world.clock.moment += timedelta(days=365)
    world.put_event("e1", event(1, row("ann", "accepted", 1)))
    await world.event("e1")
    assert world.states.said() == ["attendee.added ann", "response.changed ann"]
    assert world.states.commits[-1].expires_at == world.clock.now() + timedelta(days=1)


async def test_a_meeting_known_by_an_answer_alone_is_looked_at_again_and_its_end_told() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    world.put_message("m1", response("ann", "accepted", 10))
    await world.message("m1")
    assert [commit.looks for commit in world.states.commits] == [
        {"e1": world.clock.now() + timedelta(seconds=CommitLimits().look_again_s)}
    ]
    world.reader.events.clear()
    await world.event("e1", origin=Origin.TIMER)
    assert endings(world) == ["deleted "]


async def test_a_meeting_that_its_calendar_told_of_is_not_looked_at_again() -> None:
    world = World()
    world.put_event("e1", event(1, row("ann")))
    world.put_message("m1", response("ann", "accepted", 10))
    await world.event("e1")
    await world.message("m1")
    assert [commit.looks for commit in world.states.commits] == [{}, {}]
