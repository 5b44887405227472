"""Putting entries off and giving them up: the due list and the dead letters; on a real server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from service.entries import parse_entry
from service.errors import GenerationMissingError
from service.ports import Delivered, TimerChange
from service.reconcile.model import WHOLE, Address
from service.streams.dead_letters import DeadLetters
from tests.integration.streams.conftest import Streams, build_commit, build_entry, drain, read_all

NOW = datetime(2026, 11, 24, 5, 16, 48, tzinfo=UTC)

# --- Putting off ---


async def test_deferred_entry_comes_back_when_it_is_due_and_not_before(streams: Streams) -> None:
    await streams.intake.append([build_entry("a")])
    [delivered] = await read_all(streams)
    retry = build_entry("a", attempt="1", traceparent="00-1-2-01")
    await streams.intake.defer(delivered, retry, due_at=NOW + timedelta(seconds=30))
    assert await streams.link.call("XLEN", streams.keys.intake) == 0
    assert await streams.intake.release_due(NOW + timedelta(seconds=29.999), count=10) == 0
    assert await streams.intake.release_due(NOW + timedelta(seconds=30), count=10) == 1
    assert await streams.intake.release_due(NOW + timedelta(days=1), count=10) == 0
    assert await drain(streams) == [retry]


async def test_entry_deferred_by_two_workers_comes_back_once(streams: Streams) -> None:
    await streams.intake.append([build_entry("a")])
    [delivered] = await read_all(streams)
    for attempt in ("1", "2"):
        await streams.intake.defer(delivered, build_entry("a", attempt=attempt), due_at=NOW)
    assert await streams.intake.release_due(NOW, count=10) == 1
    assert [entry.attempt for entry in await drain(streams)] == ["2"]


async def test_release_gives_the_earliest_first_and_no_more_than_asked(streams: Streams) -> None:
    for number in (3, 1, 2):
        await streams.due_list.put_off(
            f"{number}-0", build_entry(str(number)), NOW + timedelta(seconds=number)
        )
    assert await streams.intake.release_due(NOW + timedelta(seconds=9), count=2) == 2
    assert [entry.item for entry in await drain(streams)] == ["1", "2"]
    assert await streams.due_list.count() == 1


@pytest.mark.parametrize("partitions", [5])
async def test_release_reaches_every_partition_in_turn(streams: Streams) -> None:
    owners = [f"person{number}" for number in range(40)]
    assert {streams.keys.partition_of(owner) for owner in owners} == set(range(5))
    for number, owner in enumerate(owners):
        await streams.due_list.put_off(f"{number}-0", build_entry("x", mailbox=owner), NOW)
    while await streams.intake.release_due(NOW, count=3):
        pass
    assert {entry.mailbox for entry in await drain(streams)} == set(owners)
    assert await streams.due_list.count() == 0


async def test_two_workers_that_release_at_once_do_not_double_what_is_due(streams: Streams) -> None:
    for number in range(60):
        await streams.due_list.put_off(f"{number}-0", build_entry(str(number)), NOW)
    counts = await asyncio.gather(*(streams.intake.release_due(NOW, count=10) for _ in range(8)))
    assert sum(counts) == 60
    assert sorted(entry.item for entry in await drain(streams)) == sorted(map(str, range(60)))


async def test_timer_set_anew_while_it_is_released_is_not_lost(streams: Streams) -> None:
    def timer(pair: str) -> TimerChange:
        return TimerChange(instance=WHOLE, attendee=Address("a@b"), due_at=NOW, pair=pair)

    committed = await streams.states.commit(build_commit(timers=[timer("old")]))

    async def append_and_be_overtaken(entries: object) -> None:
        await streams.states.commit(build_commit(committed.version, timers=[timer("new")]))

    assert await streams.due_list.release(NOW, count=10, append=append_and_be_overtaken) == 1
    assert await streams.intake.release_due(NOW, count=10) == 1
    assert [entry.pair for entry in await drain(streams)] == ["new"]


async def test_without_the_generation_an_entry_stays_pending_instead_of_being_deferred(
    streams: Streams,
) -> None:
    await streams.intake.append([build_entry("a")])
    [delivered] = await read_all(streams)
    await streams.link.call("DEL", streams.keys.generation(0))
    with pytest.raises(GenerationMissingError):
        await streams.intake.defer(delivered, build_entry("a"), due_at=NOW)
    with pytest.raises(GenerationMissingError):
        await streams.intake.release_due(NOW, count=10)
    assert [entry.id for entry in await streams.intake.claim("c", idle_s=0, count=10)] == [delivered.id]
    await streams.intake.acknowledge([delivered.id])


# --- Giving up ---


async def test_dead_letter_keeps_the_entry_and_says_why(streams: Streams) -> None:
    entry = build_entry("a")
    await streams.intake.append([entry])
    [delivered] = await read_all(streams)
    await streams.intake.dead_letter(delivered, reason="refused", detail="d" * 600, at=NOW)
    [letter] = await streams.dead_letters.read()
    assert letter.reason == "refused"
    assert letter.fields == {
        **entry.to_fields(),
        "dead_reason": "refused",
        "dead_detail": "d" * 500,
        "dead_at": "2026-11-24T05:16:48Z",
        "dead_entry": delivered.id,
        "dead_deliveries": "1",
    }
    assert parse_entry(letter.fields) == entry
    assert await streams.link.call("XLEN", streams.keys.intake) == 0


async def test_dead_letters_are_listed_in_pages_and_dropped(streams: Streams) -> None:
    for number in range(5):
        await streams.dead_letters.add(
            Delivered(id=f"{number}-0", fields={"n": str(number)}), reason="r", detail="", at=NOW
        )
    first = await streams.dead_letters.read(count=2)
    rest = await streams.dead_letters.read(after=first[-1].id, count=10)
    assert [letter.fields["n"] for letter in (*first, *rest)] == ["0", "1", "2", "3", "4"]
    assert await streams.dead_letters.drop([first[0].id, "0-1"]) == 1
    assert await streams.dead_letters.drop([]) == 0
    assert await streams.dead_letters.count() == 4


async def test_dead_letters_are_bounded_in_number(streams: Streams) -> None:
    letters = DeadLetters(streams.link, streams.keys, entries_max=100)
    for number in range(450):
        await letters.add(Delivered(id=f"{number}-0", fields={"a": "b"}), reason="r", detail="", at=NOW)
    assert 100 <= await letters.count() < 250


async def test_dead_letters_are_bounded_in_age(streams: Streams) -> None:
    entry = Delivered(id="1-0", fields={"a": "b"})
    await streams.link.call(
        "XADD", streams.keys.dead, f"{int(datetime.now(UTC).timestamp() - 3600) * 1000}-0", "old", "1"
    )
    await DeadLetters(streams.link, streams.keys, age_max_s=7200).add(entry, reason="r", detail="", at=NOW)
    assert await streams.dead_letters.count() == 2
    await DeadLetters(streams.link, streams.keys, age_max_s=1800).add(entry, reason="r", detail="", at=NOW)
    assert all("old" not in letter.fields for letter in await streams.dead_letters.read())
    assert await streams.dead_letters.count() == 2
