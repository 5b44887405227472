"""What a notification's etag says is known is not read again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.entries import IntakeEntry, Kind, Origin
from service.errors import GoneError
from service.pipeline.known import KnownLimits, KnownVersions
from service.pipeline.outcomes import Ending
from tests.unit.pipeline.world import ADELE, World
from tests.unit.reconcile.build import event, response, row

DAY2 = "2026-03-03"
EVENT = IntakeEntry(
    kind=Kind.EVENT,
    origin=Origin.NOTIFICATION,
    mailbox="owner",
    item="e1",
    change="updated",
    etag='W/"one"',
)
MESSAGE = IntakeEntry(
    kind=Kind.MESSAGE, origin=Origin.NOTIFICATION, mailbox=ADELE, item="m1", etag='W/"first"'
)


async def watch_meeting(*, is_series: bool = False) -> World:
    """Have a version of a meeting held."""
    world = World()
    world.put_event("e1", event(1, row("ann"), change_key="one", is_series=is_series))
    assert await world.take(EVENT) is Ending.PUBLISHED
    world.reader.calls.clear()
    return world


@pytest.mark.parametrize("is_series", [False, True])
async def test_a_version_of_an_event_that_is_held_is_not_read_again(*, is_series: bool) -> None:
    world = await watch_meeting(is_series=is_series)
    assert await world.take(EVENT) is Ending.ALREADY_KNOWN
    assert world.reader.calls == []


@pytest.mark.parametrize(
    "other",
    [
        replace(EVENT, etag='W/"two"'),
        replace(EVENT, etag=""),
        replace(EVENT, etag="one"),
        replace(EVENT, change="deleted"),
        replace(EVENT, origin=Origin.SWEEP),
        replace(EVENT, origin=Origin.BASELINE),
        replace(EVENT, origin=Origin.TIMER),
        replace(EVENT, origin=Origin.REPLAY),
    ],
    ids=[
        "another version",
        "no etag",
        "no etag of Graph's",
        "deleted",
        "sweep",
        "baseline",
        "timer",
        "replay",
    ],
)
async def test_any_other_event_is_read(other: IntakeEntry) -> None:
    world = await watch_meeting()
    assert await world.take(other) is not Ending.ALREADY_KNOWN
    assert world.reader.calls == ["event e1"]


async def test_what_was_found_to_be_gone_is_read_whatever_version_it_shows() -> None:
    world = await watch_meeting()
    held = world.reader.events.pop(("owner", "e1"))
    await world.take(replace(EVENT, change="deleted"))
    assert world.states.said()[-1] == "event.deleted"
    world.reader.events["owner", "e1"] = replace(held, seen=event(2000).seen)
    assert await world.take(EVENT) is Ending.PUBLISHED
    assert world.states.said()[-1] == "attendee.added ann"


async def test_an_occurrence_is_read_again_because_it_matters_when_it_was_seen() -> None:
    world = await watch_meeting(is_series=True)
    world.put_event("day2", event(5, row("ann"), instance=DAY2, place=30, seen=6, change_key="one"))
    entry = replace(EVENT, item="day2")
    await world.take(entry)
    world.reader.calls.clear()
    await world.take(entry)
    assert "event day2" in world.reader.calls


async def test_a_message_that_was_read_is_not_read_again() -> None:
    world = await watch_meeting()
    world.put_message("m1", response("ann", "accepted", 8))
    assert await world.take(MESSAGE) is Ending.PUBLISHED
    world.reader.messages[ADELE, "m2"] = None
    ordinary = replace(MESSAGE, item="m2")
    assert await world.take(ordinary) is Ending.NOT_A_RESPONSE
    world.reader.calls.clear()
    assert await world.take(MESSAGE) is Ending.ALREADY_KNOWN
    assert await world.take(ordinary) is Ending.ALREADY_KNOWN
    assert world.reader.calls == []
    assert await world.take(replace(MESSAGE, etag='W/"second"')) is Ending.JOINED


async def test_a_message_that_may_mean_something_later_is_read_again() -> None:
    world = World()
    world.put_message("m1", response("ann", "accepted", 8))
    assert await world.take(MESSAGE) is Ending.NOT_OURS
    world.put_event("e1", event(1, row("ann")))
    assert await world.take(MESSAGE) is Ending.PUBLISHED


async def test_a_message_whose_work_failed_is_read_again() -> None:
    world = await watch_meeting()
    world.put_message("m1", response("ann", "accepted", 8))
    world.reader.errors.append(GoneError("not yet", status=404))
    assert await world.take(MESSAGE) is Ending.MESSAGE_GONE
    assert await world.take(MESSAGE) is Ending.PUBLISHED


async def test_no_more_messages_are_remembered_than_told() -> None:
    known = KnownVersions(World().states, KnownLimits(messages_max=2))
    entries = [replace(MESSAGE, item=f"m{at}") for at in range(3)]
    for entry in entries:
        known.note_message(entry)
    assert [await known.has(entry) for entry in entries] == [False, True, True]
