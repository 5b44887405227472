"""A server that is flushed, full, read-only, killed or silent; each test has a server of its own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from service.embedded import EmbeddedRedis, Listener, embedded_redis
from service.entries import IntakeEntry, Kind, Origin
from service.errors import ConflictingVersionError, GenerationMissingError, StreamError
from service.ports import Book, Delivered, OutgoingUpdate, TimerChange
from service.reconcile.model import WHOLE, Address, EventId
from service.streams.connection import RedisLimits, RedisTarget, connect
from service.streams.keys import KeyNames
from service.streams.server_facts import probe_writes
from tests.integration.conftest import chosen_server
from tests.integration.streams.conftest import MEETING, OWNER, Streams, build_commit
from tests.integration.waiting import PATIENCE_S

NOW = datetime(2026, 11, 24, 5, 16, 48, tzinfo=UTC)
ENTRY = IntakeEntry(kind=Kind.MESSAGE, origin=Origin.NOTIFICATION, mailbox="adele", item="a")
UPDATE = OutgoingUpdate(instance=WHOLE, fields={"type": "x"})


@pytest_asyncio.fixture
async def own_server() -> AsyncIterator[EmbeddedRedis]:
    async with embedded_redis(program=chosen_server()) as server:
        yield server


@pytest_asyncio.fixture
async def own(own_server: EmbeddedRedis) -> AsyncIterator[Streams]:
    link = connect(RedisTarget(url=own_server.url))
    streams = Streams(link=link, keys=KeyNames(stream="responses"))
    await streams.generation.ensure()
    yield streams
    await link.aclose()


# --- FLUSHALL ---


async def test_everything_comes_back_after_flushall_under_higher_epochs(own: Streams) -> None:
    first = await own.states.commit(build_commit(updates=[UPDATE]))
    await own.link.call("FLUSHALL")
    with pytest.raises(GenerationMissingError):
        await own.states.commit(build_commit(first.version, updates=[UPDATE]))
    with pytest.raises(GenerationMissingError):
        await own.states.commit(build_commit(updates=[UPDATE]))
    assert not await own.generation.exists()
    assert await own.generation.ensure()
    again = await own.states.commit(build_commit(updates=[UPDATE]))
    assert again.epoch > first.epoch
    assert [update["id"] for update in await own.published()] == [f"{again.epoch}-1"]


async def test_worker_that_reads_during_flushall_reads_on(own: Streams) -> None:
    seen: list[str] = []

    async def work() -> None:
        while True:
            for entry in await own.intake.read("c", count=10, block_s=0.2):
                seen.append(entry.fields["item"])
                await own.intake.acknowledge([entry.id])

    working = asyncio.create_task(work())
    try:
        for number in range(30):
            if number % 5 == 0:
                await own.link.call("FLUSHALL")
            item = str(number)
            await own.intake.append([IntakeEntry(kind=Kind.EVENT, origin=Origin.SWEEP, item=item)])
            async with asyncio.timeout(PATIENCE_S):
                while item not in seen:
                    assert not working.done(), "reading must go on"
                    await asyncio.sleep(0.005)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert len(seen) == len(set(seen)) == 30


async def test_script_that_the_server_forgot_is_sent_again(own: Streams) -> None:
    committed = await own.states.commit(build_commit())
    await own.link.call("SCRIPT FLUSH")
    await own.states.commit(build_commit(committed.version))


# --- Full, read-only ---


async def fill(own: Streams) -> None:
    """Set the limit below what is used: every command that may need memory is refused."""
    await own.link.call("CONFIG SET", "maxmemory", "1mb")


async def make_replica(own: Streams) -> None:
    await own.link.call("REPLICAOF", "127.0.0.1", "1")


@pytest.mark.parametrize(("break_it", "said"), [(fill, "Redis is full"), (make_replica, "read only")])
async def test_server_that_takes_no_writes_refuses_every_step_whole(
    own: Streams, break_it: Callable[[Streams], object], said: str
) -> None:
    committed = await own.states.commit(build_commit(event_ids={EventId("e"): WHOLE}))
    await own.intake.append([ENTRY, ENTRY])
    [entry] = await own.intake.read("c", count=1, block_s=0)
    before = await _dump(own)
    await break_it(own)  # type: ignore[misc]
    timers = [TimerChange(instance=WHOLE, attendee=Address("a@b"), due_at=NOW, pair="p")]
    commit = build_commit(
        committed.version, expires_at=None, set_fields={"a": "1"}, updates=[UPDATE], timers=timers
    )
    for refused in (
        own.states.commit(commit),
        own.intake.append([ENTRY]),
        own.intake.defer(entry, ENTRY, due_at=NOW),
        own.intake.dead_letter(entry, reason="r", detail="", at=NOW),
        own.records.write(Book.ROSTER, {"a": "1"}),
        own.lease.acquire("me", duration_s=10),
    ):
        with pytest.raises(StreamError, match=said):
            await refused
    assert said in await probe_writes(own.link, own.keys)
    await own.link.call("REPLICAOF", "NO", "ONE")
    await own.link.call("CONFIG SET", "maxmemory", "0")
    assert await _dump(own) == before
    assert await probe_writes(own.link, own.keys) == ""
    assert (await own.states.commit(commit)).epoch == committed.epoch


async def test_full_server_still_lets_go_of_what_is_done(own: Streams) -> None:
    await own.states.commit(build_commit())
    await own.intake.append([ENTRY])
    [entry] = await own.intake.read("c", count=1, block_s=0)
    await own.lease.acquire("me", duration_s=60)
    await fill(own)
    await own.intake.give_back("c", [entry])
    await own.intake.acknowledge([entry.id])
    await own.lease.release("me")
    assert await own.states.list_meetings(OWNER) == (MEETING,)
    assert await own.states.forget_owner(OWNER, fence=1) == 1
    assert await own.link.call("XLEN", own.keys.intake) == 0


# --- Killed, stopped ---


async def test_link_finds_the_server_again_after_it_was_killed(tmp_path: Path) -> None:
    await _play_kill(tmp_path)


def test_link_finds_the_server_again_also_on_uvloop(tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_play_kill(tmp_path))


async def _play_kill(directory: Path) -> None:
    async with embedded_redis(directory=directory, program=chosen_server()) as server:
        link = connect(RedisTarget(url=server.url), RedisLimits(command_timeout_s=PATIENCE_S))
        own = Streams(link=link, keys=KeyNames(stream="responses"))
        await own.generation.ensure()
        await link.call("CONFIG SET", "appendfsync", "always")
        committed = await own.states.commit(build_commit(set_fields={"a": "1"}, updates=[UPDATE]))
        await own.intake.append([ENTRY])
        reading = asyncio.create_task(own.intake.read("c", count=1, block_s=1))
        [entry] = await reading
        blocked = asyncio.create_task(own.intake.read("c", count=1, block_s=PATIENCE_S))
        await asyncio.sleep(0.05)
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(StreamError, match="Redis is away"):
            await blocked
        for call in (own.states.read(OWNER, MEETING), own.intake.append([ENTRY])):
            with pytest.raises(StreamError, match="Redis is away"):
                await call
    async with embedded_redis(directory=directory, program=chosen_server()):
        assert (await own.states.read(OWNER, MEETING)).fields == {"a": "1"}
        assert (await own.states.read(OWNER, MEETING)).version == committed.version
        assert [again.id for again in await own.intake.claim("c", idle_s=0, count=5)] == [entry.id]
        assert not await own.generation.ensure()
        await link.aclose()


async def test_commit_whose_reply_came_too_late_is_told_by_the_next_read(own_server: EmbeddedRedis) -> None:
    link = connect(RedisTarget(url=own_server.url), RedisLimits(command_timeout_s=2))
    own = Streams(link=link, keys=KeyNames(stream="responses"))
    await own.generation.ensure()
    await own.states.commit(build_commit(meeting="another"))
    commit = build_commit(set_fields={"a": "1"}, updates=[UPDATE])
    os.kill(own_server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StreamError, match="Redis is away"):
            await own.states.commit(commit)
    finally:
        os.kill(own_server.pid, signal.SIGCONT)
    stored = await own.states.read(OWNER, MEETING)
    assert stored.fields == {"a": "1"}, "it was on its way before we gave up"
    with pytest.raises(ConflictingVersionError):
        await own.states.commit(commit)
    assert len(await own.published()) == 1
    await link.aclose()


async def test_server_that_is_silent_is_given_up_in_bounded_time(own_server: EmbeddedRedis) -> None:
    link = connect(RedisTarget(url=own_server.url), RedisLimits(command_timeout_s=2))
    own = Streams(link=link, keys=KeyNames(stream="responses"))
    os.kill(own_server.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(StreamError, match="Redis is away"):
                await own.intake.acknowledge([Delivered(id="1-0", fields={}).id])
    finally:
        os.kill(own_server.pid, signal.SIGCONT)
    await link.aclose()


async def test_who_needs_one_connection_too_many_waits_for_it(own_server: EmbeddedRedis) -> None:
    link = connect(RedisTarget(url=own_server.url), RedisLimits(connections_max=2))
    own = Streams(link=link, keys=KeyNames(stream="responses"))
    await own.generation.ensure()
    await asyncio.gather(*(own.intake.append([ENTRY]) for _ in range(50)))
    assert await link.call("XLEN", own.keys.intake) == 50
    await link.aclose()


async def test_address_on_which_nobody_listens_is_an_error_of_ours() -> None:
    async with embedded_redis(listener=Listener.LOOPBACK, program=chosen_server()) as server:
        url = server.url
        link = connect(
            RedisTarget(url=url.replace("redis://:", "redis://:wrong")), RedisLimits(retries_max=0)
        )
        with pytest.raises(StreamError, match="Redis refused"):
            await link.call("PING")
        await link.aclose()
    link = connect(RedisTarget(url=url), RedisLimits(retries_max=0))
    with pytest.raises(StreamError, match="Redis is away"):
        await link.call("PING")
    await link.aclose()


async def _dump(own: Streams) -> dict[str, tuple[str, int]]:
    """Give every key's serialized value, and whether it expires."""
    names = await own.link.call("KEYS", "*")
    return {
        name: (
            str(await own.link.call("EVAL", "return redis.sha1hex(redis.call('DUMP', KEYS[1]))", 1, name)),
            await own.link.call("PEXPIRETIME", name),
        )
        for name in names
    }
