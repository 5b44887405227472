"""A real server that is put back to an older backup: whoever saw more notices, and nothing is built on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service.errors import GenerationMissingError
from service.ports import OutgoingUpdate
from service.reconcile.model import WHOLE, EventId, OwnerKey
from service.streams.connection import RedisTarget, connect
from service.streams.keys import KeyNames
from tests.integration.restoring import RestorableRedis, restorable_redis
from tests.integration.streams.conftest import MEETING, OWNER, Streams, build_commit

NOW = datetime(2026, 11, 24, 5, 16, 48, tzinfo=UTC)
UPDATE = OutgoingUpdate(instance=WHOLE, fields={"type": "x"})
FIRST: dict[str, Any] = {"updates": [UPDATE], "event_ids": {EventId("e"): WHOLE}, "set_fields": {"a": "1"}}


@asynccontextmanager
async def process(redis: RestorableRedis, *, partitions: int = 1) -> AsyncIterator[Streams]:
    """Open what one process of the service holds open."""
    link = connect(RedisTarget(url=redis.url))
    try:
        yield Streams(link=link, keys=KeyNames(stream="responses", partitions=partitions))
    finally:
        await link.aclose()


@pytest.mark.parametrize("is_append_only", [True, False], ids=["aof", "rdb"])
async def test_an_older_backup_is_noticed_and_everything_is_born_again(
    tmp_path: Path, is_append_only: bool
) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    async with (
        restorable_redis(directory, is_append_only=is_append_only) as redis,
        process(redis) as keeper,
        process(redis) as worker,
    ):
        await keeper.generation.ensure()
        first = await worker.states.commit(build_commit(**FIRST))
        assert await keeper.generation.exists(led_at=NOW)
        await redis.back_up(tmp_path / "backup")
        later = await worker.states.commit(build_commit(first.version, updates=[UPDATE]))
        assert await keeper.generation.exists(led_at=NOW + timedelta(seconds=1))
        assert await worker.generation.exists()

        await redis.restore(tmp_path / "backup")
        assert [one["sequence"] for one in await worker.published()] == [f"{1:020}"]
        with pytest.raises(GenerationMissingError, match="older"):
            await worker.states.commit(build_commit(first.version, updates=[UPDATE]))
        assert not await worker.generation.exists(), "it saw more"
        assert not await keeper.generation.exists()
        with pytest.raises(GenerationMissingError):
            await worker.states.commit(build_commit(first.version, updates=[UPDATE]))

        assert await keeper.generation.ensure()
        assert await keeper.generation.exists(led_at=NOW)
        assert await worker.generation.exists()
        held = await worker.states.read(OWNER, MEETING)
        assert (held.fields, held.version, held.epoch) == ({"a": "1"}, first.version, None)
        assert await worker.states.find_event(OWNER, EventId("e")) == (MEETING, WHOLE)
        again = await worker.states.commit(build_commit(held.version, updates=[UPDATE]))
        assert again.epoch > later.epoch
        assert again.version > later.version
        assert (await worker.published())[-1]["id"] == f"{again.epoch}-1"


async def test_a_backup_as_new_as_all_that_was_seen_is_taken_for_the_state_that_it_is(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    async with restorable_redis(directory, is_append_only=False) as redis, process(redis) as keeper:
        await keeper.generation.ensure()
        committed = await keeper.states.commit(build_commit(updates=[UPDATE]))
        assert await keeper.generation.exists(led_at=NOW)
        await redis.back_up(tmp_path / "backup")
        await redis.restore(tmp_path / "backup")
        assert await keeper.generation.exists(led_at=NOW + timedelta(seconds=1))
        assert (await keeper.states.read(OWNER, MEETING)).version == committed.version


async def test_only_epochs_of_the_partition_that_went_back_end(tmp_path: Path) -> None:
    async with restorable_redis(tmp_path, is_append_only=False) as redis, process(redis, partitions=2) as two:
        await two.generation.ensure()
        keys = two.keys
        owners = {keys.partition_of(f"owner-{number}"): OwnerKey(f"owner-{number}") for number in range(20)}
        assert set(owners) == {0, 1}
        for owner in owners.values():
            await two.states.commit(build_commit(owner=owner, **FIRST))
        assert await two.generation.exists(led_at=NOW)
        await two.link.call("SET", keys.watermark(1), "1")
        assert not await two.generation.exists()
        assert await two.generation.ensure()
        held = [await two.states.read(owners[partition], MEETING) for partition in (0, 1)]
        assert [one.epoch is None for one in held] == [False, True]


async def test_the_watermark_rises_whatever_the_clock_of_the_leader_says(streams: Streams) -> None:
    await streams.generation.ensure()
    for led_at in (NOW, NOW - timedelta(days=1), NOW):
        assert await streams.generation.exists(led_at=led_at)
    assert await streams.generation.exists()
    assert streams.generation.led_at == NOW + timedelta(milliseconds=2)


async def test_a_state_that_is_disowned_is_refused_by_every_script(streams: Streams) -> None:
    await streams.generation.ensure()
    committed = await streams.states.commit(build_commit(updates=[UPDATE]))
    await streams.generation.disown()
    assert not await streams.generation.exists()
    with pytest.raises(GenerationMissingError):
        await streams.states.commit(build_commit(committed.version, updates=[UPDATE]))
    pages = 0

    async def count() -> None:
        nonlocal pages
        pages += 1

    assert await streams.generation.ensure(meanwhile=count)
    assert pages >= 1, "a keeper has to renew its lease meanwhile"


async def test_a_state_that_was_lost_is_begun_once_by_a_keeper_that_remembers_it(streams: Streams) -> None:
    await streams.generation.ensure()
    assert await streams.generation.exists(led_at=NOW)
    await streams.link.call("DEL", streams.keys.generation(0), streams.keys.watermark(0))
    assert not await streams.generation.exists()
    assert await streams.generation.ensure()
    assert await streams.generation.exists(led_at=NOW), "its own memory is no reason to begin again"
    assert (await streams.states.commit(build_commit(updates=[UPDATE]))).stream_ids
