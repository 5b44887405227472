"""Records, their counters, the lease and its fence, the generation and the layout; on a real server."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import FencedError, LayoutError
from service.ports import Book
from service.streams.generation import RedisGeneration
from service.streams.intake_stream import RedisIntakeStream
from service.streams.keys import KEEPER, KeyNames
from service.streams.lease import RedisLease
from service.streams.records import RedisRecords
from tests.integration.streams.conftest import Streams
from tests.integration.waiting import wait_until

# --- Records ---


async def test_records_are_written_read_and_dropped_by_book(streams: Streams) -> None:
    await streams.records.write(Book.ROSTER, {"a": "1", "b:{}": "é"})
    await streams.records.write(Book.OWNERS, {"a": "other"})
    await streams.records.write(Book.ROSTER, {"a": "2"})
    assert await streams.records.read_all(Book.ROSTER) == {"a": "2", "b:{}": "é"}
    assert await streams.records.read(Book.ROSTER, ["never there", "b:{}"]) == {"b:{}": "é"}
    assert await streams.records.read(Book.ROSTER, []) == {}
    await streams.records.drop(Book.ROSTER, ["a", "never there"])
    assert await streams.records.read_all(Book.ROSTER) == {"b:{}": "é"}
    assert await streams.records.read_all(Book.OWNERS) == {"a": "other"}
    assert await streams.records.read_all(Book.NOTIFIED) == {}


async def test_thousands_of_records_are_written_and_dropped_at_once(streams: Streams) -> None:
    records = {f"mailbox{number}": "x" for number in range(10_000)}
    await streams.records.write(Book.MAILBOXES, records)
    assert await streams.records.read_all(Book.MAILBOXES) == records
    await streams.records.drop(Book.MAILBOXES, list(records))
    assert await streams.records.read_all(Book.MAILBOXES) == {}


async def test_counter_tells_of_every_change_of_its_book_alone(streams: Streams) -> None:
    seen = [await streams.records.read_counter(Book.ROSTER)]
    for _ in range(5):
        await streams.records.write(Book.ROSTER, {"a": "1"})
        seen.append(await streams.records.read_counter(Book.ROSTER))
    await streams.records.drop(Book.ROSTER, ["a"])
    seen.append(await streams.records.read_counter(Book.ROSTER))
    assert seen == sorted(set(seen))
    await streams.records.write(Book.ROSTER, {})
    await streams.records.drop(Book.ROSTER, [])
    await streams.records.write(Book.OWNERS, {"a": "1"})
    assert await streams.records.read_counter(Book.ROSTER) == seen[-1]


async def test_counter_that_was_lost_does_not_come_back_to_an_old_value(streams: Streams) -> None:
    await streams.records.write(Book.ROSTER, {"a": "1"})
    before = await streams.records.read_counter(Book.ROSTER)
    await streams.link.call("DEL", streams.keys.counter(Book.ROSTER))
    await asyncio.sleep(0.002)  # the server's clock has milliseconds
    await streams.records.write(Book.ROSTER, {"a": "1"})
    assert await streams.records.read_counter(Book.ROSTER) > before


async def test_keeper_that_lost_its_lease_can_write_no_more(streams: Streams) -> None:
    fence = await streams.lease.acquire("first", duration_s=60)
    await streams.records.write(Book.OWNERS, {"a": "first"}, fence=fence)
    await streams.lease.release("first")
    await streams.records.write(Book.OWNERS, {"b": "still nobody else"}, fence=fence)
    second = await streams.lease.acquire("second", duration_s=60)
    counter = await streams.records.read_counter(Book.OWNERS)
    for refused in (
        streams.records.write(Book.OWNERS, {"a": "stale"}, fence=fence),
        streams.records.drop(Book.OWNERS, ["a"], fence=fence),
    ):
        with pytest.raises(FencedError):
            await refused
    assert await streams.records.read_counter(Book.OWNERS) == counter
    await streams.records.drop(Book.OWNERS, ["b"], fence=second)
    await streams.records.write(Book.OWNERS, {"c": "no lease needed"})
    assert await streams.records.read_all(Book.OWNERS) == {"a": "first", "c": "no lease needed"}


async def test_fence_is_that_of_the_lease_that_was_named(streams: Streams) -> None:
    records = RedisRecords(streams.link, streams.keys, lease_name="other")
    other = await RedisLease(streams.link, streams.keys, name="other").acquire("me", duration_s=60)
    await records.write(Book.OWNERS, {"a": "1"}, fence=other)
    with pytest.raises(FencedError):
        await streams.records.write(Book.OWNERS, {"a": "1"}, fence=other)


# --- Lease ---


async def test_of_many_who_want_the_lease_one_gets_it(streams: Streams) -> None:
    fences = await asyncio.gather(*(streams.lease.acquire(str(n), duration_s=60) for n in range(10)))
    assert sum(fence is not None for fence in fences) == 1


async def test_holder_extends_its_lease_under_the_same_number(streams: Streams) -> None:
    first = await streams.lease.acquire("me", duration_s=30)
    assert await streams.lease.acquire("me", duration_s=60) == first
    assert await streams.link.call("PTTL", streams.keys.lease(KEEPER)) > 50_000
    assert await streams.lease.acquire("you", duration_s=60) is None


async def test_lease_that_ran_out_goes_to_another_under_a_greater_number(streams: Streams) -> None:
    first = await streams.lease.acquire("me", duration_s=0.02)
    assert first is not None

    async def is_taken() -> bool:
        return await streams.lease.acquire("you", duration_s=60) is not None

    await wait_until(is_taken)
    second = await streams.lease.acquire("you", duration_s=60)
    assert second is not None
    assert second > first
    assert await streams.lease.acquire("me", duration_s=60) is None


async def test_only_the_holder_gives_the_lease_back(streams: Streams) -> None:
    await streams.lease.acquire("me", duration_s=60)
    await streams.lease.release("you")
    assert await streams.lease.acquire("you", duration_s=60) is None
    await streams.lease.release("me")
    assert await streams.lease.acquire("you", duration_s=60) is not None


async def test_fencing_numbers_rise_also_after_their_counter_was_lost(streams: Streams) -> None:
    first = await streams.lease.acquire("me", duration_s=60)
    assert first is not None
    await streams.link.call("DEL", streams.keys.fence(KEEPER))
    await asyncio.sleep(0.002)  # the server's clock has milliseconds
    again = await streams.lease.acquire("me", duration_s=60)
    assert again is not None
    assert again > first


# --- Generation and layout ---


@pytest.mark.parametrize("partitions", [1, 3])
async def test_generation_is_missing_once_and_then_there(streams: Streams, partitions: int) -> None:
    assert await streams.generation.exists()
    assert not await streams.generation.ensure()
    await streams.link.call("DEL", streams.keys.generation(partitions - 1))
    assert not await streams.generation.exists()
    assert await streams.generation.ensure()
    assert await streams.generation.exists()


async def test_of_two_keepers_one_is_told_that_the_generation_was_missing(streams: Streams) -> None:
    await streams.link.call("DEL", streams.keys.generation(0))
    told = await asyncio.gather(*(streams.generation.ensure() for _ in range(5)))
    assert sorted(told) == [False] * 4 + [True]


async def test_changed_number_of_partitions_is_refused_with_the_remedy(streams: Streams) -> None:
    keys = KeyNames(stream=streams.keys.stream, partitions=4)
    intake = RedisIntakeStream(
        streams.link, keys, due_list=streams.due_list, dead_letters=streams.dead_letters
    )
    with pytest.raises(LayoutError, match=r"PARTITIONS is 4, .* with 1: set it back"):
        await RedisGeneration(streams.link, keys, intake).ensure()
    assert await streams.link.call("EXISTS", keys.generation(0)) == 0
    await streams.generation.check_layout()


async def test_layout_of_another_release_is_refused_with_the_remedy(streams: Streams) -> None:
    await streams.link.call("HSET", streams.keys.layout, "version", "0")
    with pytest.raises(LayoutError, match=r"have layout 0, this release has 1: run the release"):
        await streams.generation.ensure()
