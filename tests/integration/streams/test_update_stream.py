"""Reading the update stream: from a position, from now on, over all partitions; on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.consuming.backlog import GroupBacklog, list_backlogs
from service.ports import OutgoingUpdate
from service.reconcile.model import WHOLE, OwnerKey
from service.streams.update_stream import BEGINNING, PublishedUpdate, UpdateStreamReader
from tests.integration.streams.conftest import Streams, build_commit
from tests.integration.waiting import PATIENCE_S

PEOPLE = [OwnerKey(f"person{number}") for number in range(12)]


async def publish(streams: Streams, owner: OwnerKey, *texts: str) -> None:
    version = (await streams.states.read(owner, build_commit().meeting)).version
    updates = [OutgoingUpdate(instance=WHOLE, fields={"type": text}) for text in texts]
    await streams.states.commit(build_commit(version, owner=owner, updates=updates))


async def take(updates: AsyncIterator[PublishedUpdate], count: int) -> list[str]:
    async with asyncio.timeout(PATIENCE_S):
        return [(await anext(updates)).fields["type"] for _ in range(count)]


@pytest.mark.parametrize("partitions", [1, 3])
async def test_tail_gives_what_comes_from_now_on_once_and_in_order(streams: Streams) -> None:
    await publish(streams, PEOPLE[0], "before")
    tail = streams.updates.tail(await streams.updates.find_ends())
    taking = asyncio.create_task(take(tail, 12))
    for person in PEOPLE:
        await publish(streams, person, person)
    assert sorted(await taking) == sorted(PEOPLE)
    for text in ("a", "b", "c"):
        await publish(streams, PEOPLE[0], text)
    assert await take(tail, 3) == ["a", "b", "c"]


async def test_tail_can_begin_anywhere(streams: Streams) -> None:
    await publish(streams, PEOPLE[0], *map(str, range(250)))
    stream = streams.keys.updates(0)
    assert await take(streams.updates.tail({stream: BEGINNING}), 250) == list(map(str, range(250)))
    fifth = (await streams.updates.list_oldest(stream, count=5))[-1].id
    assert await take(streams.updates.tail({stream: fifth}), 2) == ["5", "6"]


async def test_read_is_bounded_and_ends_when_there_is_nothing(streams: Streams) -> None:
    stream = streams.keys.updates(0)
    reader = UpdateStreamReader(streams.link, streams.keys, page_entries=10)
    assert await reader.read({stream: BEGINNING}, block_s=0) == ()
    assert await reader.read({stream: BEGINNING}, block_s=0.05) == ()
    await publish(streams, PEOPLE[0], *map(str, range(25)))
    assert len(await reader.read({stream: BEGINNING}, block_s=1)) == 10


async def test_oldest_and_newest_come_from_their_own_end(streams: Streams) -> None:
    await publish(streams, PEOPLE[0], "a", "b", "c")
    stream = streams.keys.updates(0)
    oldest = await streams.updates.list_oldest(stream, count=2)
    newest = await streams.updates.list_newest(stream, count=2)
    assert [update.fields["type"] for update in oldest] == ["a", "b"]
    assert [update.fields["type"] for update in newest] == ["c", "b"]
    before = await streams.updates.list_newest(stream, count=2, before=newest[-1].id)
    assert [update.fields["type"] for update in before] == ["a"]


async def test_stream_is_described_with_its_groups(streams: Streams) -> None:
    stream = streams.keys.updates(0)
    nothing = await streams.updates.describe(stream)
    assert (nothing.length, nothing.last_id, nothing.groups) == (0, "", ())
    assert await streams.updates.find_ends() == {stream: BEGINNING}
    await publish(streams, PEOPLE[0], "a", "b")
    await streams.link.call("XGROUP CREATE", stream, "crm", "0")
    described = await streams.updates.describe(stream)
    ids = [update.id for update in await streams.updates.list_oldest(stream, count=10)]
    assert (described.length, described.added) == (2, 2)
    assert [described.first_id, described.last_id] == ids
    [group] = described.groups
    assert (group["name"], group["lag"]) == ("crm", 2)


async def test_what_a_group_has_not_read_is_counted_also_where_it_was_trimmed(streams: Streams) -> None:
    await publish(streams, PEOPLE[0], *map(str, range(10)))
    stream = streams.keys.updates(0)

    async def judge(group: str) -> GroupBacklog:
        facts = [await streams.updates.describe(stream)]
        found = list_backlogs(facts, entries_max=10, groups_max=9)
        return next(one for one in found if one.group == group)

    await streams.link.call("XGROUP CREATE", stream, "crm", "0-0")
    await streams.link.call("XGROUP CREATE", stream, "new", "$")
    await streams.link.call("XREADGROUP", "GROUP", "crm", "c", "COUNT", 4, "STREAMS", stream, ">")
    assert await judge("crm") == GroupBacklog(stream=stream, group="crm", unread=6, trimmed=0, headroom=0.4)
    assert (await judge("new")).unread == 0
    await streams.link.call("XTRIM", stream, "MAXLEN", 3)
    lost = await judge("crm")
    assert (lost.unread, lost.trimmed) == (6, 3)
    assert (await judge("new")).trimmed == 0
    await streams.link.call("XREADGROUP", "GROUP", "crm", "c", "COUNT", 1, "STREAMS", stream, ">")
    read_on = await judge("crm")
    assert read_on.trimmed == 0
    assert 2 <= read_on.unread <= 3  # Valkey and Redis 7.0 go on counting what was lost
