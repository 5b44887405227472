"""Redis away, full, read-only, slow or gone in mid-flight: 503, nothing half-stored, and then as before."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from yarl import URL

from service.embedded import EmbeddedRedis, Listener, embedded_redis
from service.errors import StreamError
from service.intake.appender import AppendFault, Durability
from tests.integration.conftest import chosen_server
from tests.integration.intake.conftest import Public, is_writable, run_public
from tests.integration.waiting import PATIENCE_S, wait_until
from tests.unit.intake.graph_items import build_body, build_item

TWO = build_body(build_item(item_id="one"), build_item(item_id="two"))


def loopback_server() -> AbstractAsyncContextManager[EmbeddedRedis]:
    return embedded_redis(listener=Listener.LOOPBACK, program=chosen_server())


@asynccontextmanager
async def own_server(directory: Path | None = None) -> AsyncIterator[EmbeddedRedis]:
    async with embedded_redis(listener=Listener.UNIX, program=chosen_server(), directory=directory) as server:
        yield server


async def set_config(public: Public, name: str, value: str) -> None:
    await public.link.call("CONFIG", "SET", name, value)


@pytest.fixture
async def alone() -> AsyncIterator[Public]:
    """A public side with a server of its own, which a test may spoil."""
    async with own_server() as server, run_public(server.url, "t") as public:
        yield public


async def fill_up(public: Public) -> Callable[[], Awaitable[None]]:
    await set_config(public, "maxmemory", "1")

    async def undo() -> None:
        await set_config(public, "maxmemory", "0")

    return undo


async def make_read_only(public: Public) -> Callable[[], Awaitable[None]]:
    await public.link.call("REPLICAOF", "127.0.0.1", "1")

    async def undo() -> None:
        await public.link.call("REPLICAOF", "NO", "ONE")

    return undo


async def demand_replicas(public: Public) -> Callable[[], Awaitable[None]]:
    await set_config(public, "min-replicas-to-write", "1")

    async def undo() -> None:
        await set_config(public, "min-replicas-to-write", "0")

    return undo


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [(fill_up, "full"), (make_read_only, "refused"), (demand_replicas, "refused")],
)
async def test_a_server_that_takes_no_writes_means_503_and_nothing_half_stored(
    alone: Public, spoil: Callable[[Public], Awaitable[Callable[[], Awaitable[None]]]], fault: str
) -> None:
    undo = await spoil(alone)
    for body in (TWO, build_body(build_item())):
        async with alone.session.post(
            alone.url(), data=body, headers={"Content-Type": "application/json"}
        ) as answer:
            assert (answer.status, answer.headers["Retry-After"], await answer.read()) == (503, "10", b"")
    assert alone.count("intake_append_failures_total", fault=fault) >= 1
    others = {each.value for each in AppendFault} - {fault, "away"}  # away: while it looks for the master
    assert not any(alone.count("intake_append_failures_total", fault=each) for each in others)
    assert await alone.appender.check() != ""
    await undo()
    await wait_until(lambda: is_writable(alone.appender))
    assert await alone.read_entries() == []
    assert await alone.post(TWO) == 202
    assert [entry.item for entry in await alone.read_entries()] == ["one", "two"]


async def test_the_check_of_readiness_writes_nothing(alone: Public) -> None:
    assert await alone.appender.check() == ""
    assert await alone.link.call("DBSIZE") == 0


async def test_a_key_of_another_type_is_refused_for_one_item_and_for_several(alone: Public) -> None:
    await alone.link.call("SET", alone.intake, "not a stream")
    assert await alone.post(build_body(build_item())) == 503
    assert await alone.post(TWO) == 503
    assert await alone.link.call("GET", alone.intake) == "not a stream"
    assert alone.count("intake_append_failures_total", fault="refused") == 2


async def test_redis_killed_in_mid_flight_fails_those_who_wait_and_later_all_is_well(tmp_path: Path) -> None:
    async with (
        own_server(tmp_path) as server,
        run_public(server.url, "t", append_timeout_s=2 * PATIENCE_S) as public,
    ):
        assert await public.post(build_body(build_item(item_id="before"))) == 202
        os.kill(server.pid, signal.SIGSTOP)  # what is sent now stays in flight
        waiting = [asyncio.create_task(public.post(TWO)) for _ in range(50)]
        await wait_until(lambda: _do_wait(public, 50))
        os.kill(server.pid, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S):
            assert set(await asyncio.gather(*waiting)) == {503}
        assert await public.post(TWO) == 503, "known to be away: answered at once"
        async with own_server(tmp_path):
            await wait_until(lambda: is_writable(public.appender))
            assert await public.post(TWO) == 202
            stored = [entry.item for entry in await public.read_entries()]
            assert (stored[0], stored[-2:]) == ("before", ["one", "two"])


async def _do_wait(public: Public, count: int) -> bool:
    return public.appender.waiting == count


async def test_a_server_that_hangs_is_given_up_after_the_time_limit() -> None:
    async with own_server() as server, run_public(server.url, "t", append_timeout_s=0.3) as public:
        os.kill(server.pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(PATIENCE_S):
                assert await public.post(TWO) == 503
                assert await public.post(TWO) == 503
        finally:
            os.kill(server.pid, signal.SIGCONT)
        await wait_until(lambda: _is_stored(public, TWO))


async def _is_stored(public: Public, body: bytes) -> bool:
    return await public.post(body) == 202


async def test_no_more_requests_wait_than_allowed() -> None:
    async with (
        own_server() as server,
        run_public(server.url, "t", waiting_max=10, append_timeout_s=2 * PATIENCE_S) as public,
    ):
        os.kill(server.pid, signal.SIGSTOP)
        waiting = [asyncio.create_task(public.post(TWO)) for _ in range(30)]
        await wait_until(lambda: _has_counted_crowded(public, 20))
        os.kill(server.pid, signal.SIGCONT)
        statuses = await asyncio.gather(*waiting)
        assert (statuses.count(202), statuses.count(503)) == (10, 20)
        assert len(await public.read_entries()) == 20


async def _has_counted_crowded(public: Public, count: int) -> bool:
    return public.count("intake_append_failures_total", fault="crowded") == count


async def test_a_waiter_that_is_cancelled_changes_nothing_for_the_others(alone: Public) -> None:
    appended = [
        asyncio.ensure_future(
            alone.appender.append([{"kind": "event", "origin": "sweep", "item": str(number)}])
        )
        for number in range(100)
    ]
    for one in appended[::3]:
        one.cancel()
    results = await asyncio.gather(*appended, return_exceptions=True)
    assert [one for number, one in enumerate(results) if number % 3] == [None] * 66
    assert [entry.item for entry in await alone.read_entries()] == [str(number) for number in range(100)]


async def test_a_connection_that_died_in_silence_is_replaced_before_it_is_needed(alone: Public) -> None:
    connected = alone.appender
    await alone.link.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await wait_until(lambda: is_writable(connected))
    assert await alone.post(TWO) == 202


async def test_stopping_tells_everyone_who_waits(redis_url: str, prefix: str) -> None:
    async with run_public(redis_url, prefix) as public:
        appender = public.appender
    with pytest.raises(StreamError, match="stopping"):
        await appender.append([{"kind": "event", "origin": "sweep"}])


# --- durability ---


async def test_fsync_asks_the_server_to_have_synced_where_that_is_not_its_rule() -> None:
    async with own_server() as server:
        async with run_public(server.url, "t") as public:
            if not await _knows_waitaof(public):
                await _assert_is_refused(server)
                return
        await _assert_is_synced(server)


async def _knows_waitaof(public: Public) -> bool:
    """Tell whether the server can be asked; Redis can from 7.2 on, Valkey always."""
    try:
        await public.link.call("WAITAOF", 0, 0, 1)
    except StreamError:
        return False
    return True


async def _assert_is_refused(server: EmbeddedRedis) -> None:
    async with run_public(server.url, "t", durability=Durability.FSYNC, is_ready=False) as public:
        await wait_until(lambda: _is_not_durable(public))
        assert await public.post(TWO) == 503


async def _assert_is_synced(server: EmbeddedRedis) -> None:
    async with run_public(server.url, "t", durability=Durability.FSYNC) as public:
        await public.link.call("CONFIG", "RESETSTAT")
        assert await public.post(TWO) == 202
        assert (await _command_stats(public))["cmdstat_waitaof"]["calls"] == 1
        assert [entry.item for entry in await public.read_entries()] == ["one", "two"]


async def test_fsync_asks_nothing_more_where_every_write_is_synced() -> None:
    async with own_server() as server:
        async with run_public(server.url, "t") as public:
            await set_config(public, "appendfsync", "always")
        async with run_public(server.url, "t", durability=Durability.FSYNC) as public:
            assert await public.post(TWO) == 202
            assert "cmdstat_waitaof" not in await _command_stats(public)


async def test_fsync_is_refused_without_an_append_only_file() -> None:
    async with own_server() as server:
        async with run_public(server.url, "t") as public:
            await set_config(public, "appendonly", "no")
        async with run_public(server.url, "t", durability=Durability.FSYNC, is_ready=False) as public:
            await wait_until(lambda: _is_not_durable(public))
            assert await public.post(TWO) == 503


async def test_replica_is_kept_with_a_replica_and_refused_without() -> None:
    chosen = Durability.REPLICA
    async with loopback_server() as master, loopback_server() as replica:
        async with run_public(replica.url, "t") as other:
            await set_config(other, "masterauth", str(URL(master.url).password))
            await other.link.call("REPLICAOF", "127.0.0.1", str(URL(master.url).port))
        async with run_public(
            master.url, "t", durability=chosen, append_timeout_s=2.5, is_ready=False
        ) as public:
            await set_config(public, "repl-diskless-sync-delay", "0")  # else it waits 5 s for other replicas
            await wait_until(lambda: is_writable(public.appender))
            assert await public.post(TWO) == 202
            os.kill(replica.pid, signal.SIGKILL)
            await wait_until(lambda: _is_not_durable(public))
            assert await public.post(TWO) == 503


async def _is_not_durable(public: Public) -> bool:
    return "DURABILITY=" in await public.appender.check()


async def _command_stats(public: Public) -> dict[str, dict[str, int]]:
    return dict(await public.link.call("INFO", "commandstats"))
