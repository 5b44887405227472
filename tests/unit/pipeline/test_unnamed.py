"""Under which key a meeting goes whose events do not show its iCalUId, or not all of them."""

from __future__ import annotations

from dataclasses import replace

from service.pipeline.outcomes import Ending
from service.reconcile.model import EventFact, EventId, MeetingKey
from tests.unit.pipeline.world import World
from tests.unit.reconcile.build import MEETING, event, response, row

DAY2 = "2026-03-03"
BY_ID = MeetingKey("id:e1")


def put(world: World, item: str, fact: EventFact, *, series: str = "", has_uid: bool = False) -> None:
    """Put an event into the calendar whose answers name `MEETING`, whether it shows that or not."""
    master = EventId(series) if series else None
    world.put_event(item, replace(fact, details=replace(fact.details, series_master_id=master)))
    held = world.reader.events["owner", item]
    key = MEETING if has_uid else MeetingKey(f"id:{series or item}")
    world.reader.events["owner", item] = replace(held, meeting=key, global_id=None if has_uid else MEETING)


def keys(world: World) -> set[str]:
    """Give the meetings of which anything was published."""
    return {fields["source"].split("/")[4] for fields in world.states.published}


async def test_an_answer_finds_a_meeting_that_was_read_wherever_it_lies_now() -> None:
    world = World()
    put(world, "e1", event(1, row("ann")))
    await world.event("e1")
    put(world, "e1", event(5, row("ann"), place=7))
    world.put_message("m1", response("ann", "accepted", 10, place=7))
    await world.event("e1")
    world.reader.calls.clear()
    assert await world.message("m1") is Ending.PUBLISHED
    assert world.states.said()[-1] == "response.changed ann"
    assert keys(world) == {"id%3Ae1"}
    assert not [call for call in world.reader.calls if call.startswith("unnamed")]


async def test_an_answer_that_comes_first_looks_for_its_meeting_where_it_takes_place() -> None:
    world = World()
    put(world, "e1", event(1, row("ann")))
    world.put_message("m1", response("ann", "accepted", 10))
    await world.message("m1")
    assert world.states.said() == ["attendee.added ann", "response.changed ann"]
    assert keys(world) == {"id%3Ae1"}


async def test_an_answer_that_waited_counts_once_its_meeting_is_found() -> None:
    world = World()
    world.put_message("m1", response("ann", "accepted", 10, place=3), represented="alex@x")
    put(world, "e1", event(1, row("ann"), place=7))
    assert await world.message("m1") is Ending.JOINED
    put(world, "e1", event(20, row("ann"), place=3))
    await world.event("e1")
    assert world.states.said() == ["attendee.added ann", "response.changed ann"]
    assert keys(world) == {"id%3Ae1"}


async def test_no_calendar_is_looked_into_for_an_answer_that_is_for_somebody_else() -> None:
    world = World()
    world.put_message("m1", response("ann", "accepted", 10), represented="other.boss@x")
    assert await world.message("m1") is Ending.NOT_OURS
    assert not [call for call in world.reader.calls if call.startswith("unnamed")]
    assert world.states.meetings == {}


async def test_a_series_is_one_meeting_whichever_of_its_events_show_an_ical_uid() -> None:
    for first_is_series in (True, False):
        for series_has, day_has in ((True, False), (False, True), (False, False)):
            world = World()
            put(world, "e1", event(1, row("ann"), is_series=True), has_uid=series_has)
            day = event(2, row("ann", "declined", 2), instance=DAY2, place=24)
            put(world, "day2", day, series="e1", has_uid=day_has)
            for item in ("e1", "day2") if first_is_series else ("day2", "e1"):
                await world.event(item)
            world.put_message("m1", response("ann", "accepted", 10, is_series=True))
            await world.message("m1")
            assert len(keys(world)) == 1, (first_is_series, series_has, day_has)
            assert keys(world) == {"meeting" if series_has else "id%3Ae1"}
            assert world.states.said()[-1] == "response.changed ann"


async def test_a_meeting_keeps_the_key_under_which_it_was_first_read() -> None:
    for had_uid in (True, False):
        world = World()
        put(world, "e1", event(1, row("ann")), has_uid=had_uid)
        await world.event("e1")
        put(world, "e1", event(10, row("ann", "accepted", 9)), has_uid=not had_uid)
        await world.event("e1")
        assert world.states.said() == ["attendee.added ann", "response.changed ann"]
        world.put_message("m1", response("ann", "declined", 20))
        await world.message("m1")
        assert world.states.said()[2:] == ["response.changed ann"]
        assert keys(world) == {"meeting" if had_uid else "id%3Ae1"}
