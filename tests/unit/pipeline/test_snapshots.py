"""A consumer's wish for a snapshot: spread into one for each meeting, which is then said once more."""

from __future__ import annotations

from dataclasses import replace

from service.entries import IntakeEntry, Kind, Origin
from service.pipeline.outcomes import Ending
from service.reconcile.model import OwnerKey
from tests.unit.pipeline.world import ALEX, World
from tests.unit.reconcile.build import event, row

WISH = IntakeEntry(kind=Kind.SNAPSHOT, origin=Origin.CONSUMER)


async def test_a_wish_for_everybody_becomes_one_for_each_owner() -> None:
    world = World(ALEX, replace(ALEX, key=OwnerKey("bob")))
    assert await world.take(WISH) is Ending.SPREAD
    assert world.intake.appended == [replace(WISH, owner="owner"), replace(WISH, owner="bob")]


async def test_a_wish_for_an_owner_becomes_one_for_each_meeting_which_is_said_once_more() -> None:
    world = World()
    world.put_event("e1", event(5, row("ann", "accepted", 4)))
    await world.event("e1")
    known = world.states.said()
    assert await world.take(replace(WISH, owner="owner")) is Ending.SPREAD
    assert world.intake.appended == [replace(WISH, owner="owner", meeting="meeting")]
    assert await world.take(world.intake.appended[0]) is Ending.PUBLISHED
    assert world.states.said()[len(known) :] == ["response.snapshot ann"]


async def test_a_meeting_that_is_not_held_and_an_owner_that_is_not_watched_say_nothing() -> None:
    world = World()
    assert await world.take(replace(WISH, owner="owner", meeting="unknown")) is Ending.JOINED
    assert await world.take(replace(WISH, owner="stranger")) is Ending.NOT_WATCHED
    assert (world.states.said(), world.intake.appended) == ([], [])
