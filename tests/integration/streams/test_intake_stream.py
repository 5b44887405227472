"""The intake stream and its due list: read, claim, acknowledge, defer, dead-letter; on a real server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic

import pytest

from service.entries import parse_entry
from service.errors import StreamError
from service.ports import Delivered, TimerChange
from service.reconcile.model import WHOLE, Address, OwnerKey
from service.streams.connection import RedisLimits, RedisTarget, connect
from service.streams.dead_letters import DeadLetters
from service.streams.due_list import DueList
from service.streams.intake_stream import RedisIntakeStream
from service.streams.keys import GROUP
from service.streams.link import to_ms
from tests.integration.streams.conftest import (
    NEXT_MONTH,
    OWNER,
    Streams,
    build_commit,
    build_entry,
    drain,
    read_all,
)
from tests.integration.waiting import PATIENCE_S, wait_until

NOW = datetime(2026, 11, 24, 5, 16, 48, tzinfo=UTC)


async def test_entries_are_read_once_and_in_order(streams: Streams) -> None:
    entries = [build_entry(f"{number}") for number in range(50)]
    await streams.intake.append(entries[:20])
    await streams.intake.append(entries[20:])
    await streams.intake.append([])
    first = await streams.intake.read("a", count=30, block_s=0)
    second = await streams.intake.read("b", count=30, block_s=0)
    assert [parse_entry(entry.fields) for entry in (*first, *second)] == entries
    assert {entry.deliveries for entry in first} == {1}
    await streams.intake.acknowledge([entry.id for entry in (*first, *second)])
    assert await streams.link.call("XLEN", streams.keys.intake) == 0


async def test_the_last_id_is_that_of_the_entry_at_the_end_whoever_has_it(streams: Streams) -> None:
    assert await streams.intake.find_last_id() == "0-0"
    await streams.intake.append([build_entry("a"), build_entry("b")])
    entries = await streams.intake.read("a", count=2, block_s=0)
    assert await streams.intake.find_last_id() == entries[-1].id
    await streams.intake.acknowledge([entries[-1].id])
    assert await streams.intake.find_last_id() == entries[0].id
    await streams.intake.acknowledge([entries[0].id])


async def test_thousands_of_entries_are_appended_at_once(streams: Streams) -> None:
    await streams.intake.append([build_entry(str(number)) for number in range(5_000)])
    await streams.intake.acknowledge(
        [entry.id for entry in await streams.intake.read("c", count=5_000, block_s=0)]
    )
    assert await streams.link.call("XLEN", streams.keys.intake) == 0


async def test_read_waits_for_the_first_entry_and_no_longer(streams: Streams, redis_url: str) -> None:
    link = connect(RedisTarget(url=redis_url), RedisLimits(command_timeout_s=60))
    intake = RedisIntakeStream(
        link, streams.keys, due_list=streams.due_list, dead_letters=streams.dead_letters
    )
    reading = asyncio.create_task(intake.read("c", count=10, block_s=60))
    await wait_until(lambda: _is_blocked(streams))
    await streams.intake.append([build_entry("a")])
    [delivered] = await asyncio.wait_for(reading, PATIENCE_S)
    await streams.intake.acknowledge([delivered.id])
    await link.aclose()


async def test_read_of_an_empty_stream_ends_after_its_time(streams: Streams) -> None:
    started = monotonic()
    assert await asyncio.wait_for(streams.intake.read("c", count=10, block_s=0.1), PATIENCE_S) == ()
    assert monotonic() - started > 0.09


async def test_read_never_blocks_longer_than_a_command_may_take(streams: Streams, redis_url: str) -> None:
    for timeout_s in (2, 20):  # until the machine did not stand still while the answer was there
        link = connect(RedisTarget(url=redis_url), RedisLimits(command_timeout_s=timeout_s))
        intake = RedisIntakeStream(
            link, streams.keys, due_list=streams.due_list, dead_letters=streams.dead_letters
        )
        with suppress(StreamError):
            assert await intake.read("c", count=10, block_s=60) == ()
            break
        await link.aclose()
    else:
        pytest.fail("it was given up while it blocked")
    await link.aclose()


async def test_cancelled_read_loses_no_entry(streams: Streams) -> None:
    for number in range(20):
        reading = asyncio.create_task(streams.intake.read("c", count=10, block_s=2))
        appending = asyncio.create_task(streams.intake.append([build_entry(str(number))]))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, appending, return_exceptions=True)
    seen = [*await read_all(streams), *await streams.intake.claim("d", idle_s=0, count=100)]
    assert {entry.fields["item"] for entry in seen} == {str(number) for number in range(20)}
    await streams.intake.acknowledge([entry.id for entry in seen])


async def test_reader_ends_at_whatever_moment_it_is_cancelled(streams: Streams) -> None:
    async def work() -> None:
        while True:
            entries = await streams.intake.read("c", count=10, block_s=0.5)
            await streams.intake.acknowledge([entry.id for entry in entries])

    for pauses in range(60):
        working = asyncio.create_task(work())
        await streams.intake.append([build_entry("a")])
        for _ in range(pauses % 15):
            await asyncio.sleep(0)
        working.cancel()
        done, _ = await asyncio.wait([working], timeout=PATIENCE_S)
        assert done, "the cancellation was swallowed"
    left = [*await read_all(streams), *await streams.intake.claim("c", idle_s=0, count=1000)]
    await streams.intake.acknowledge([entry.id for entry in left])


async def test_entry_left_by_a_dead_consumer_is_claimed_with_its_deliveries(streams: Streams) -> None:
    await streams.intake.append([build_entry("a"), build_entry("b")])
    first = await read_all(streams, "dead")
    assert await streams.intake.claim("alive", idle_s=60, count=10) == ()
    claimed = await streams.intake.claim("alive", idle_s=0, count=10)
    assert [(entry.id, entry.fields, entry.deliveries) for entry in claimed] == [
        (entry.id, entry.fields, 2) for entry in first
    ]
    again = await streams.intake.claim("other", idle_s=0, count=10)
    assert [entry.deliveries for entry in again] == [3, 3]
    await streams.intake.acknowledge([entry.id for entry in again])


async def test_handing_out_that_is_given_back_does_not_count(streams: Streams) -> None:
    await streams.intake.append([build_entry("a"), build_entry("b")])
    given = await read_all(streams, "c")
    for _ in range(3):
        await streams.intake.give_back("c", given)
        assert await streams.intake.claim("c", idle_s=60, count=10) == ()
        given = await streams.intake.claim("c", idle_s=0, count=10)
        assert [entry.deliveries for entry in given] == [1, 1]
    await streams.intake.acknowledge([given[0].id])
    taken_over = await streams.intake.claim("other", idle_s=0, count=10)
    await streams.intake.give_back("c", given)
    assert [entry.deliveries for entry in taken_over] == [2]
    again = await streams.intake.claim("c", idle_s=0, count=10)
    assert [entry.deliveries for entry in again] == [3]
    await streams.intake.acknowledge([entry.id for entry in again])


async def test_claiming_walks_through_all_that_is_pending(streams: Streams) -> None:
    await streams.intake.append([build_entry(str(number)) for number in range(25)])
    await read_all(streams, "dead")
    claimed: list[str] = []
    for _ in range(3):
        claimed += [entry.id for entry in await streams.intake.claim("alive", idle_s=0, count=10)]
    assert len(set(claimed)) == 25
    await streams.intake.acknowledge(claimed)


async def test_pending_entry_that_was_deleted_is_passed_over(streams: Streams) -> None:
    await streams.intake.append([build_entry("a"), build_entry("b")])
    first, second = await read_all(streams, "dead")
    await streams.link.call("XDEL", streams.keys.intake, first.id)
    claimed = await streams.intake.claim("alive", idle_s=0, count=10)
    assert [entry.id for entry in claimed] == [second.id]
    await streams.intake.acknowledge([second.id])


async def test_acknowledging_twice_or_nothing_is_harmless(streams: Streams) -> None:
    await streams.intake.append([build_entry("a")])
    [delivered] = await read_all(streams)
    await streams.intake.acknowledge([])
    await streams.intake.acknowledge([delivered.id])
    await streams.intake.acknowledge([delivered.id, "0-1"])


async def test_making_the_group_again_changes_nothing(streams: Streams) -> None:
    await streams.intake.append([build_entry("a")])
    assert len(await read_all(streams)) == 1
    await streams.intake.ensure_group()
    assert await read_all(streams) == ()
    await streams.intake.acknowledge([(await streams.intake.claim("c", idle_s=0, count=1))[0].id])


async def test_group_that_was_lost_is_made_again_and_reads_what_came_before_it(streams: Streams) -> None:
    await streams.link.call("DEL", streams.keys.intake)
    await streams.intake.append([build_entry("a")])
    assert [entry.item for entry in await drain(streams)] == ["a"]
    await streams.link.call("DEL", streams.keys.intake)
    assert await streams.intake.claim("c", idle_s=0, count=10) == ()
    await streams.link.call("DEL", streams.keys.intake)
    assert await streams.intake.drop_silent_consumers(silent_s=0) == 0
    await streams.link.call("DEL", streams.keys.intake)
    assert (await streams.intake.measure()).entries == 0


async def test_stream_that_goes_away_under_a_blocked_read_comes_back(streams: Streams) -> None:
    reading = asyncio.create_task(streams.intake.read("c", count=10, block_s=2.5))
    await wait_until(lambda: _is_blocked(streams))
    await streams.link.call("DEL", streams.keys.intake)
    await streams.intake.append([build_entry("a")])
    delivered = await reading or await read_all(streams)
    assert [entry.fields["item"] for entry in delivered] == ["a"]
    await streams.intake.acknowledge([entry.id for entry in delivered])


async def test_entry_with_foreign_bytes_is_delivered_and_can_be_given_up(streams: Streams) -> None:
    for value in (b"\xff\xfe", b""):
        await streams.link.client.execute_command("XADD", streams.keys.intake, "*", b"kind\xff", value)
    for entry in await read_all(streams):
        with pytest.raises(ValueError, match="not an intake entry"):
            parse_entry(entry.fields)
        await streams.intake.dead_letter(entry, reason="malformed", detail="", at=NOW)
    assert await streams.dead_letters.count() == 2


async def test_text_that_is_no_unicode_is_stored_with_a_mark_in_its_place(streams: Streams) -> None:
    await streams.intake.append([build_entry("a\ud800b")])
    assert [entry.item for entry in await drain(streams)] == ["a?b"]


# --- Keeping house ---


async def test_depth_tells_how_much_work_waits(streams: Streams) -> None:
    empty = await streams.intake.measure()
    assert (empty.entries, empty.pending, empty.oldest_ms, empty.due, empty.dead) == (0, 0, None, 0, 0)
    assert empty.first_due_ms is None
    await streams.intake.append([build_entry("a"), build_entry("b"), build_entry("c")])
    [first, second] = await streams.intake.read("c", count=2, block_s=0)
    await streams.due_list.put_off("9-0", build_entry("d"), NEXT_MONTH)
    await streams.intake.dead_letter(second, reason="r", detail="", at=NOW)
    depth = await streams.intake.measure()
    assert (depth.entries, depth.pending, depth.due, depth.dead) == (2, 1, 1, 1)
    assert depth.oldest_ms == int(first.id.split("-")[0])
    assert depth.first_due_ms == to_ms(NEXT_MONTH)
    await streams.intake.acknowledge([first.id])


async def test_silent_consumers_are_dropped_but_never_with_what_they_hold(streams: Streams) -> None:
    await streams.intake.append([build_entry("a"), build_entry("b")])
    [held] = await streams.intake.read("holds one", count=1, block_s=0)
    [done] = await streams.intake.read("idle", count=1, block_s=0)
    await streams.intake.acknowledge([done.id])
    assert await streams.intake.drop_silent_consumers(silent_s=60) == 0
    await wait_until(lambda: _drops(streams))
    consumers = await streams.link.call("XINFO CONSUMERS", streams.keys.intake, GROUP)
    assert [consumer["name"] for consumer in consumers] == ["holds one"]
    await streams.intake.acknowledge([held.id])


async def test_forgetting_takes_every_dead_letter_of_the_owner_and_no_other(streams: Streams) -> None:
    for number in range(600):
        about = {"mailbox": OWNER} if number % 3 == 0 else {"owner": OWNER} if number % 3 == 1 else {}
        entry = build_entry(str(number), **about)
        await streams.dead_letters.add(
            Delivered(id=f"{number}-0", fields=entry.to_fields()), reason="r", detail="", at=NOW
        )
    assert await streams.intake.forget_dead_letters({OWNER}) == 400
    assert await streams.dead_letters.count() == 200


@pytest.mark.parametrize("partitions", [1, 3])
async def test_forgetting_an_owner_leaves_no_key_that_names_them(streams: Streams) -> None:
    other = OwnerKey("other")
    for owner in (OWNER, other, OwnerKey(f"{OWNER}2"), OwnerKey(f"x:{OWNER}"), OwnerKey("*")):
        for meeting in ("m1", "m2"):
            await streams.states.commit(
                build_commit(
                    owner=owner,
                    meeting=meeting,
                    event_ids={"e1": WHOLE, f"{meeting}{owner}": WHOLE},
                    timers=[TimerChange(instance=WHOLE, attendee=Address("a@b"), due_at=NOW, pair="p")],
                )
            )
        await streams.due_list.put_off(f"{owner}-0", build_entry("x", mailbox=owner), NOW)
    assert await streams.states.forget_owner(OwnerKey("*"), fence=1) == 2
    assert await streams.states.forget_owner(OWNER, fence=1) == 2
    assert await streams.states.forget_owner(OWNER, fence=1) == 0
    assert await streams.states.list_meetings(OWNER) == ()
    assert await streams.states.list_meetings(other) == ("m1", "m2")
    assert await streams.due_list.count() == 3 * 3
    while await streams.intake.release_due(NOW, count=100):
        pass
    left = await drain(streams)
    assert len(left) == 9
    assert OWNER not in {entry.owner or entry.mailbox for entry in left}


async def test_every_method_says_that_redis_is_away(prefix: str, streams: Streams) -> None:
    link = connect(RedisTarget(url="redis://127.0.0.1:1/0"), RedisLimits(retries_max=0))
    due_list, letters = DueList(link, streams.keys), DeadLetters(link, streams.keys)
    intake = RedisIntakeStream(link, streams.keys, due_list=due_list, dead_letters=letters)
    entry = Delivered(id="1-0", fields={})
    calls = [
        intake.append([build_entry("a")]),
        intake.read("c", count=1, block_s=1),
        intake.claim("c", idle_s=1, count=1),
        intake.acknowledge(["1-0"]),
        intake.dead_letter(entry, reason="r", detail="", at=NOW),
        intake.defer(entry, build_entry("a"), due_at=NOW),
        intake.release_due(NOW, count=1),
        intake.find_last_id(),
        intake.ensure_group(),
        intake.measure(),
    ]
    for call in calls:
        with pytest.raises(StreamError, match="Redis is away"):
            await call
    await link.aclose()


async def _is_blocked(streams: Streams) -> bool:
    clients = await streams.link.call("CLIENT LIST")
    return any(client["cmd"] == "xreadgroup" and "b" in client["flags"] for client in clients)


async def _drops(streams: Streams) -> bool:
    return await streams.intake.drop_silent_consumers(silent_s=0.005) == 1
