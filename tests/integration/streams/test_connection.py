"""Every way to reach Redis: socket file, port, TLS, sentinels, a cluster; and what `check` learns there."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from redis.asyncio.connection import AbstractConnection

from service.embedded import EmbeddedRedis, Listener, embedded_redis
from service.entries import IntakeEntry, Kind, Origin
from service.errors import ConfigError, StreamError
from service.ports import OutgoingUpdate, TimerChange
from service.reconcile.model import WHOLE, Address, EventId, OwnerKey
from service.streams.connection import RedisLimits, RedisTarget, connect, open_connection
from service.streams.keys import KeyNames
from service.streams.link import RedisLink
from service.streams.server_facts import fetch_server_facts, probe_writes
from service.streams.update_stream import BEGINNING
from tests.integration.conftest import chosen_server
from tests.integration.streams.conftest import (
    NEXT_MONTH,
    Streams,
    build_commit,
    check_what_is_left,
    list_names,
)
from tests.integration.waiting import wait_until
from tests.ports import choose_port

OWNERS = [OwnerKey(f"person{number}@contoso.com") for number in range(8)]


async def play_all_steps(streams: Streams) -> None:
    """Take every step once, for owners of several partitions."""
    assert await streams.generation.ensure()
    ends = await streams.updates.find_ends()
    for owner in OWNERS:
        committed = await streams.states.commit(
            build_commit(
                owner=owner,
                set_fields={"a": "1"},
                updates=[OutgoingUpdate(instance=WHOLE, fields={"type": owner})],
                timers=[TimerChange(instance=WHOLE, attendee=Address("a@b"), due_at=NEXT_MONTH, pair="p")],
                event_ids={EventId("e1"): WHOLE, EventId("e2"): WHOLE},
            )
        )
        await streams.states.commit(build_commit(committed.version, owner=owner, expires_at=None))
        assert (await streams.states.read(owner, build_commit().meeting)).fields == {"a": "1"}
        assert await streams.states.find_event(owner, EventId("e1")) is not None
    read = await streams.updates.read(ends, block_s=1)
    assert {update.fields["type"] for update in read} == set(OWNERS)
    tail = streams.updates.tail(dict.fromkeys(streams.updates.streams, BEGINNING))
    assert {(await anext(tail)).fields["type"] for _ in OWNERS} == set(OWNERS)
    await _play_intake(streams)
    await check_what_is_left(streams)
    assert [await streams.states.forget_owner(owner, fence=1) for owner in OWNERS] == [1] * len(OWNERS)
    assert not [name for name in await list_names(streams) if "person" in name]


async def _play_intake(streams: Streams) -> None:
    entry = IntakeEntry(kind=Kind.MESSAGE, origin=Origin.NOTIFICATION, mailbox=OWNERS[0], item="a")
    await streams.intake.append([entry, entry])
    first, second = await streams.intake.read("c", count=10, block_s=1)
    await streams.intake.defer(first, entry, due_at=NEXT_MONTH)
    await streams.intake.dead_letter(second, reason="r", detail="", at=NEXT_MONTH)
    assert (await streams.intake.measure()).due == 1 + len(OWNERS)
    assert await streams.intake.release_due(NEXT_MONTH, count=100) == 1 + len(OWNERS)
    await streams.intake.read("gone", count=100, block_s=1)
    left = await streams.intake.claim("c", idle_s=0, count=100)
    assert len(left) == 1 + len(OWNERS)
    await streams.intake.acknowledge([entry.id for entry in left])
    fence = await streams.lease.acquire("me", duration_s=10)
    assert fence is not None
    await streams.lease.release("me")
    assert await streams.intake.forget_dead_letters({OWNERS[0]}) == 1
    assert await probe_writes(streams.link, streams.keys) == ""
    assert (await fetch_server_facts(streams.link, streams.keys)).is_supported


async def write_directly(link: RedisLink, key: str) -> AbstractConnection:
    connection = await open_connection(link, key)
    await connection.send_command("XADD", key, "*", "a", "b")
    assert re.fullmatch(r"\d+-\d+", str(await connection.read_response()))
    await connection.disconnect()
    await link.call("DEL", key)
    return connection


@pytest.mark.parametrize("listener", Listener)
@pytest.mark.parametrize("partitions", [1, 3])
async def test_every_step_works_over_socket_file_and_port(
    listener: Listener, partitions: int, prefix: str
) -> None:
    async with embedded_redis(listener=listener, program=chosen_server()) as server:
        link = connect(RedisTarget(url=server.url))
        await write_directly(link, f"{prefix}:direct")
        await play_all_steps(Streams(link=link, keys=KeyNames(stream=prefix, partitions=partitions)))
        await link.aclose()


async def test_database_number_of_the_url_is_used(redis_url: str, prefix: str) -> None:
    other = connect(RedisTarget(url=re.sub("/0$", "/7", redis_url)))
    link = connect(RedisTarget(url=redis_url))
    await other.call("SET", prefix, "1", "PX", 60_000)
    assert await link.call("GET", prefix) is None
    assert await other.call("DEL", prefix) == 1
    await other.aclose()
    await link.aclose()


# --- TLS ---


@asynccontextmanager
async def tls_in_front_of(server: EmbeddedRedis, ca: trustme.CA) -> AsyncIterator[int]:
    """Listen with TLS on a free port and pass everything on to the server's socket file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    running: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(server.directory / "redis.sock")
        pumps = {
            asyncio.create_task(pump(reader, inner_writer)),
            asyncio.create_task(pump(inner_reader, writer)),
        }
        running.update(pumps)

    front = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield front.sockets[0].getsockname()[1]
    finally:
        front.close()
        await asyncio.gather(*running, return_exceptions=True)


async def test_tls_with_an_authority_of_ones_own(tmp_path: Path, prefix: str) -> None:
    ca = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(ca_file)
    async with embedded_redis(program=chosen_server()) as server, tls_in_front_of(server, ca) as port:
        url = f"rediss://127.0.0.1:{port}/0"
        link = connect(RedisTarget(url=url, ca_file=ca_file))
        await write_directly(link, f"{prefix}:direct")
        await link.aclose()
        stranger = connect(RedisTarget(url=url), RedisLimits(retries_max=0))
        with pytest.raises(StreamError, match=r"(?i)certificate"):
            await stranger.call("PING")
        await stranger.aclose()


# --- Sentinels ---


@asynccontextmanager
async def sentinel_of(master: EmbeddedRedis, directory: Path) -> AsyncIterator[int]:
    """Run a sentinel that watches the server as `themaster`; gives its port."""
    port = choose_port()
    at = urlsplit(master.url)
    (directory / "sentinel.conf").write_text(
        f"port {port}\nbind 127.0.0.1\ndir {directory}\nlogfile {directory}/sentinel.log\nrequirepass guard\n"
        f"sentinel monitor themaster 127.0.0.1 {at.port} 1\nsentinel auth-pass themaster {at.password}\n"
    )
    process = await asyncio.create_subprocess_exec(
        master.program.path, directory / "sentinel.conf", "--sentinel"
    )
    link = connect(RedisTarget(url=f"redis://:guard@127.0.0.1:{port}"), RedisLimits(retries_max=0))
    try:
        await wait_until(lambda: _answers(link))
        yield port
    finally:
        await link.aclose()
        process.terminate()
        await process.wait()


async def _answers(link: RedisLink) -> bool:
    with suppress(StreamError):
        return bool(await link.call("PING"))
    return False


async def test_master_is_found_through_sentinels(prefix: str, tmp_path: Path) -> None:
    async with (
        embedded_redis(listener=Listener.LOOPBACK, program=chosen_server()) as master,
        sentinel_of(master, tmp_path) as port,
    ):
        password = urlsplit(master.url).password
        url = f"redis://:{password}@127.0.0.1:1,127.0.0.1:{port}/0?sentinel_password=guard"
        link = connect(RedisTarget(url=url, sentinel="themaster"))
        await write_directly(link, f"{prefix}:direct")
        await play_all_steps(Streams(link=link, keys=KeyNames(stream=prefix)))
        await link.aclose()
        unknown = connect(RedisTarget(url=url, sentinel="another"), RedisLimits(retries_max=0))
        with pytest.raises(StreamError, match="another"):
            await unknown.call("PING")
        await unknown.aclose()


# --- Cluster ---


@asynccontextmanager
async def cluster_of_two() -> AsyncIterator[list[str]]:
    """Run two servers that share the slots; gives their URLs."""
    buses = [choose_port() for _ in range(2)]
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(
                embedded_redis(
                    listener=Listener.LOOPBACK,
                    program=chosen_server(),
                    # Else it is the server's port and 10,000 more, which may be more than there are.
                    configuration={"cluster-enabled": "yes", "cluster-port": str(bus)},
                )
            )
            for bus in buses
        ]
        urls = [f"redis://:secret@127.0.0.1:{urlsplit(server.url).port}/0" for server in servers]
        links = [connect(RedisTarget(url=server.url)) for server in servers]
        for link, slots in zip(links, ((0, 8191), (8192, 16383)), strict=True):
            await link.call("CONFIG SET", "requirepass", "secret")
            await link.call("CLUSTER ADDSLOTSRANGE", *slots)
        await links[0].call("CLUSTER MEET", "127.0.0.1", urlsplit(urls[1]).port or 0, buses[1])
        for link in links:
            await wait_until(lambda link=link: _is_whole(link))  # type: ignore[misc]
        yield urls
        for link in links:
            await link.aclose()


async def _is_whole(link: RedisLink) -> bool:
    info = await link.call("CLUSTER INFO")
    return bool(info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "2")


async def test_every_step_works_in_a_cluster(prefix: str) -> None:
    async with cluster_of_two() as urls:
        hosts = ",".join(f"127.0.0.1:{urlsplit(url).port}" for url in urls)
        target = RedisTarget(url=f"redis://:secret@{hosts}/0", is_cluster=True)
        for partitions in (1, 6):
            link = connect(target)
            streams = Streams(link=link, keys=KeyNames(stream=f"{prefix}{partitions}", partitions=partitions))
            await write_directly(link, f"{prefix}:direct")
            await play_all_steps_in_cluster(streams)
            await link.aclose()


async def play_all_steps_in_cluster(streams: Streams) -> None:
    """Leave out what looks at the whole server at once: a cluster has no such place."""
    assert await streams.generation.ensure()
    for owner in OWNERS:
        committed = await streams.states.commit(
            build_commit(
                owner=owner,
                set_fields={"a": "1"},
                updates=[OutgoingUpdate(instance=WHOLE, fields={"type": owner})],
                timers=[TimerChange(instance=WHOLE, attendee=Address("a@b"), due_at=NEXT_MONTH, pair="p")],
                event_ids={EventId("e1"): WHOLE, EventId("e2"): WHOLE},
            )
        )
        await streams.states.commit(build_commit(committed.version, owner=owner, expires_at=None))
        assert await streams.states.find_event(owner, EventId("e1")) is not None
    tail = streams.updates.tail(dict.fromkeys(streams.updates.streams, BEGINNING))
    assert {(await anext(tail)).fields["type"] for _ in OWNERS} == set(OWNERS)
    await _play_intake(streams)
    assert [await streams.states.forget_owner(owner, fence=1) for owner in OWNERS] == [1] * len(OWNERS)
    assert [await streams.states.list_meetings(owner) for owner in OWNERS] == [()] * len(OWNERS)
    assert await streams.states.forget_owner(OWNERS[0], fence=1) == 0


# --- What cannot be used ---


@pytest.mark.parametrize(
    "target",
    [
        RedisTarget(url="http://localhost"),
        RedisTarget(url=""),
        RedisTarget(url="redis://localhost:port"),
        RedisTarget(url="redis://localhost?unheard_of=1"),
        RedisTarget(url="unix:///tmp/redis.sock", sentinel="m"),
        RedisTarget(url="redis://a,,b", sentinel="m"),
        RedisTarget(url="redis://a:99999", is_cluster=True),
        RedisTarget(url="redis://a:6379/3", is_cluster=True),
    ],
)
async def test_address_that_cannot_be_used_is_a_fault_of_the_settings(target: RedisTarget) -> None:
    with pytest.raises(ConfigError, match="REDIS_URL cannot be used"):
        connect(target)


async def test_password_is_not_in_the_error(prefix: str) -> None:
    link = connect(RedisTarget(url="redis://:hunter2@127.0.0.1:1/0"), RedisLimits(retries_max=0))
    with pytest.raises(StreamError) as failed:
        await link.call("PING")
    assert "hunter2" not in str(failed.value)
    await link.aclose()


# --- What check learns ---


async def test_facts_of_the_server_are_those_it_was_started_with(prefix: str) -> None:
    keys = KeyNames(stream=prefix)
    async with embedded_redis(program=chosen_server(), is_append_only=False) as server:
        link = connect(RedisTarget(url=server.url))
        facts = await fetch_server_facts(link, keys)
        assert facts.version == server.program.version
        assert facts.is_supported
        assert (facts.eviction, facts.is_append_only, facts.fsync) == ("noeviction", False, "everysec")
        assert (facts.has_snapshots, facts.replicas, facts.limit_bytes) == (False, 0, 0)
        await link.call("CONFIG SET", "maxmemory-policy", "allkeys-lru")
        await link.call("CONFIG SET", "maxmemory", "100mb")
        await link.call("CONFIG SET", "save", "60 1")
        changed = await fetch_server_facts(link, keys)
        assert (changed.eviction, changed.limit_bytes) == ("allkeys-lru", 104_857_600)
        assert changed.has_snapshots
        assert await link.call("DBSIZE") == 0, "looking changes nothing"
        await probe_writes(link, keys)
        assert await link.call("DBSIZE") == 0, "probing changes nothing"
        await link.aclose()


async def test_server_that_hides_its_settings_still_tells_what_it_can(prefix: str) -> None:
    async with embedded_redis(program=chosen_server()) as server:
        link = connect(RedisTarget(url=server.url))
        await link.call("ACL SETUSER", "hosted", "on", ">pw", "~*", "+@all", "-config")
        hosted = connect(RedisTarget(url=server.url + "?username=hosted&password=pw"))
        facts = await fetch_server_facts(hosted, KeyNames(stream=prefix))
        assert (facts.eviction, facts.is_append_only) == ("noeviction", True)
        assert (facts.fsync, facts.has_snapshots) == (None, None)
        await hosted.aclose()
        await link.aclose()
