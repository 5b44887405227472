"""Reading the update stream with the library: in order, once, and what is missing is asked for."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from service.consumer import Gap, ReadingLimits, Roll, Seen, StreamError, Trimmed
from service.consuming.member import Member
from service.consuming.reading import Missed
from service.streams.keys import KeyNames
from service.streams.lease import RedisLease
from tests.integration.consuming.stage import Stage, build_fields, source_of
from tests.integration.waiting import wait_until

LIMITS = ReadingLimits(lease_s=4, idle_s=0.05, outage_wait_s=0.05)
DINNER, LUNCH = source_of("dinner"), source_of("lunch")


async def test_updates_come_in_order_and_are_acknowledged_when_the_next_is_asked_for(stage: Stage) -> None:
    await stage.publish(*(build_fields(DINNER, number) for number in (1, 2, 3)))
    handled: list[int] = []
    async with aclosing(stage.open(limits=LIMITS)) as reading:
        async for update in reading:
            assert await stage.count_pending() >= 1, "it was acknowledged before it was handled"
            handled.append(update.sequence)
            if len(handled) == 3:
                await stage.publish(build_fields(LUNCH, 1))
            if len(handled) == 4:
                break
    assert handled == [1, 2, 3, 1]
    assert await stage.count_pending() == 1, "the one that was being handled"


async def test_stop_ends_the_reading_after_what_is_being_handled(stage: Stage) -> None:
    await stage.publish(build_fields(DINNER, 1), build_fields(DINNER, 2))
    stop = asyncio.Event()
    handled = []
    async for update in stage.open(limits=LIMITS, stop=stop):
        handled.append(update.sequence)
        stop.set()
    assert handled == [1]
    assert [update.sequence for update in await stage.read(1, limits=LIMITS, consumer="two")] == [2]


async def test_all_partitions_are_read(stage: Stage) -> None:
    stage = replace(stage, keys=KeyNames(stream=stage.keys.stream, partitions=3))
    for partition in range(3):
        await stage.publish(build_fields(source_of(f"m{partition}"), 1), partition=partition)
    assert {update.meeting for update in await stage.read(3, limits=LIMITS)} == {"m0", "m1", "m2"}


async def test_what_a_handler_failed_at_comes_again_first(stage: Stage) -> None:
    await stage.publish(build_fields(DINNER, 1), build_fields(DINNER, 2))
    with pytest.raises(ZeroDivisionError):
        async with aclosing(stage.open(limits=LIMITS)) as reading:
            async for _ in reading:
                raise ZeroDivisionError
    assert [update.sequence for update in await stage.read(2, limits=LIMITS)] == [1, 2]


async def test_what_a_dead_consumer_left_comes_first_to_whoever_takes_over(stage: Stage) -> None:
    await stage.publish(*(build_fields(DINNER, number) for number in (1, 2)))
    dead = Member(
        stage.link,
        stage.keys,
        0,
        group="crm",
        consumer="dead",
        start="0-0",
        lease_s=1,
        page_entries=10,
    )
    assert await dead.hold()
    assert len(await dead.read(block_s=0)) == 2
    await stage.publish(build_fields(DINNER, 3))
    assert [update.sequence for update in await stage.read(3, limits=LIMITS, consumer="heir")] == [1, 2, 3]


async def test_a_partition_is_read_by_one_of_its_group_at_a_time_and_by_every_group(stage: Stage) -> None:
    await stage.publish(build_fields(DINNER, 1))
    other = RedisLease(stage.link, stage.keys, name="consumer-crm-0")
    assert await other.acquire("other", duration_s=60) is not None
    standing_by = asyncio.create_task(stage.read(1, limits=LIMITS))
    assert [update.sequence for update in await stage.read(1, limits=LIMITS, group="planner")] == [1]
    assert not standing_by.done()
    await other.release("other")
    assert [update.sequence for update in await standing_by] == [1]


async def test_repeats_and_what_a_higher_epoch_replaced_are_left_out(stage: Stage) -> None:
    await stage.publish(
        build_fields(DINNER, 1, epoch=5),
        build_fields(DINNER, 1, epoch=5),
        build_fields(DINNER, 1, epoch=9),
        build_fields(DINNER, 2, epoch=5),
        build_fields(DINNER, 2, epoch=9),
    )
    seen = [(update.epoch, update.sequence) for update in await stage.read(3, limits=LIMITS)]
    assert seen == [(5, 1), (9, 1), (9, 2)]


async def test_what_was_seen_in_an_earlier_life_is_left_out(stage: Stage) -> None:
    await stage.publish(build_fields(DINNER, 1), build_fields(DINNER, 2))
    seen = Seen()
    await stage.read(2, limits=LIMITS, seen=seen)
    again = Seen()
    again.remember(seen.positions())
    await stage.publish(build_fields(LUNCH, 1))
    [update] = await stage.read(1, limits=LIMITS, seen=again, group="rebuilt")
    assert update.source == DINNER
    assert update.sequence == 2, "the last of the earlier life was not acknowledged, hence not noted"


async def test_a_gap_is_told_and_a_snapshot_of_the_owner_asked_for_once(stage: Stage) -> None:
    missed: list[Missed] = []
    roll = Roll()

    async def note(what: Missed) -> None:
        missed.append(what)
        await roll.miss(what)

    await stage.publish(*(build_fields(DINNER, number) for number in (1, 4, 9)))
    await stage.read(3, limits=LIMITS, on_missed=note)
    assert missed == [
        Gap(source=DINNER, owner="alex", meeting="dinner", missing=2),
        Gap(source=DINNER, owner="alex", meeting="dinner", missing=4),
    ]
    assert [(wish["kind"], wish["owner"]) for wish in await stage.list_wishes()] == [("snapshot", "alex")]


@pytest.mark.parametrize("has_read", [False, True])
async def test_what_was_trimmed_before_it_was_read_is_told_and_everything_asked_for(
    stage: Stage, has_read: bool
) -> None:
    missed: list[Missed] = []

    async def note(what: Missed) -> None:
        missed.append(what)

    await stage.publish(build_fields(DINNER, 1))
    if has_read:
        stop = asyncio.Event()
        async for _ in stage.open(limits=LIMITS, stop=stop):
            stop.set()
    await stage.publish(*(build_fields(LUNCH, number) for number in range(1, 6)), maxlen=2)
    updates = await stage.read(2, limits=LIMITS, on_missed=note)
    assert [update.sequence for update in updates] == [4, 5]
    assert missed == [Trimmed(stream=stage.keys.updates(0), missing=3 if has_read else 4)]
    assert [(wish["kind"], wish.get("owner", "")) for wish in await stage.list_wishes()] == [("snapshot", "")]


async def test_trimming_what_was_read_is_nobodys_loss(stage: Stage) -> None:
    missed: list[Missed] = []

    async def note(what: Missed) -> None:
        missed.append(what)

    for number in range(1, 6):
        await stage.publish(build_fields(DINNER, number), maxlen=1)
        stop = asyncio.Event()
        async for _ in stage.open(limits=LIMITS, stop=stop, on_missed=note):
            stop.set()
    assert missed == []


async def test_a_foreign_entry_stops_nobody(stage: Stage) -> None:
    await stage.publish({"hello": "world"}, {**build_fields(DINNER, 1), "data": "{"}, build_fields(LUNCH, 1))
    assert [update.meeting for update in await stage.read(1, limits=LIMITS)] == ["lunch"]


async def test_reading_goes_on_after_the_stream_and_its_groups_were_lost(stage: Stage) -> None:
    await stage.publish(build_fields(DINNER, 1))
    stop = asyncio.Event()
    found: list[int] = []

    async def follow() -> None:
        async for update in stage.open(limits=LIMITS, stop=stop):
            found.append(update.epoch)

    following = asyncio.create_task(follow())
    await wait_until(lambda: found == [1])
    await stage.link.call("DEL", stage.keys.updates(0))
    await stage.publish(build_fields(DINNER, 1, epoch=7))
    await wait_until(lambda: found == [1, 7])
    stop.set()
    await following


async def test_redis_may_be_away_only_so_long(stage: Stage) -> None:
    nowhere = replace(stage, url="redis://127.0.0.1:1")
    with pytest.raises(StreamError):
        await nowhere.read(1, limits=replace(LIMITS, outage_s=0.0))
