"""Hostile bytes on raw sockets: a mute 4xx or a closed connection, and honest requests go on."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import socket

import pytest

from service.intake.listener import ListenerLimits
from service.intake.webhook import WebhookLimits
from tests.integration.intake.conftest import Public, run_public
from tests.integration.waiting import PATIENCE_S, wait_until
from tests.unit.intake.graph_items import build_body, build_item

GOOD = build_body(build_item())
POST = b"POST /graph/notifications HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Content-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
MARK = b"<script>mark-of-the-attacker</script>"


def build_request(
    body: bytes = GOOD, *, line: str = "POST /graph/notifications HTTP/1.1", headers: str = ""
) -> bytes:
    head = (
        f"{line}\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body


async def exchange(public: Public, *pieces: bytes, within_s: float = PATIENCE_S) -> bytes:
    """Send pieces and read until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", public.port)
    try:
        async with asyncio.timeout(within_s):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def status_of(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    return int(found[1]) if found else 0


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET " + MARK + b" HTTP/9.9\r\n\r\n",
        MARK + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + MARK,
        b"POST /graph/notifications?" + MARK * 1000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        POST + b"X: " + MARK * 1000 + b"\r\n\r\n",
        POST + b"X-A: " + MARK + b"\r\n" + b"B: 1\r\n" * 500 + b"\r\n",
        POST + b"Bad Header: " + MARK + b"\r\n\r\n",
        POST + b"Content-Length: -5\r\n\r\n" + MARK,
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + MARK,
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + MARK,
    ],
    ids=lambda raw: repr(raw[:50]),
)
async def test_a_request_that_cannot_be_read_gets_a_4xx_that_echoes_nothing(
    public: Public, request_bytes: bytes, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = await exchange(public, request_bytes)
    assert 400 <= status_of(answer) < 500
    assert b"mark-of-the-attacker" not in answer
    assert answer.partition(b"\r\n\r\n")[2] == b""
    assert b"aiohttp" not in answer.lower()
    assert "mark-of-the-attacker" not in caplog.text + capsys.readouterr().out
    assert await public.post(GOOD) == 202


@pytest.mark.parametrize(
    "chunks",
    [b"zz\r\n" + MARK + b"\r\n0\r\n\r\n", b"5\r\nabcdefgh\r\n0\r\n\r\n", b"-1\r\n\r\n", b"f" * 40 + b"\r\n"],
    ids=repr,
)
async def test_broken_chunks_are_refused(public: Public, chunks: bytes) -> None:
    answer = await exchange(public, CHUNKED, chunks)
    assert status_of(answer) == 400
    assert b"mark-of-the-attacker" not in answer
    assert await public.read_entries() == []


async def test_a_body_in_many_small_chunks_is_read(public: Public) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in GOOD)
    assert status_of(await exchange(public, CHUNKED, chunks + b"0\r\n\r\n")) == 202
    assert len(await public.read_entries()) == 1


async def test_a_compressed_bomb_is_not_inflated(public: Public) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    answer = await exchange(
        public, build_request(bomb, headers="Content-Encoding: gzip\r\nConnection: close\r\n")
    )
    assert status_of(answer) == 415


async def test_a_body_that_does_not_come_in_time_is_given_up(redis_url: str, prefix: str) -> None:
    limits = WebhookLimits(body_timeout_s=0.3)
    async with run_public(redis_url, prefix, webhook_limits=limits) as public:
        answer = await exchange(public, build_request()[:-10])
        assert status_of(answer) == 408
        assert await public.read_entries() == []


async def test_a_body_that_breaks_off_stores_nothing(public: Public) -> None:
    _reader, writer = await asyncio.open_connection("127.0.0.1", public.port)
    writer.write(build_request()[:-10])
    await writer.drain()
    writer.transport.abort()
    assert await public.post(build_body(build_item(item_id="next"))) == 202
    assert [entry.item for entry in await public.read_entries()] == ["next"]

    async def is_over() -> bool:
        return public.count("web_requests_total", route="notifications", status="400") == 1

    await wait_until(is_over)
    assert public.count("web_requests_total", route="failed", status="500") == 0


@pytest.mark.parametrize("start", [b"", POST + b"X-Slow: "])
async def test_a_head_that_does_not_come_in_time_is_closed(redis_url: str, prefix: str, start: bytes) -> None:
    limits = ListenerLimits(keepalive_timeout_s=0.3)
    async with run_public(redis_url, prefix, listener_limits=limits) as public:
        assert await exchange(public, start, within_s=ListenerLimits().keepalive_timeout_s / 2) == b""


async def test_idle_connections_make_room_for_honest_ones(redis_url: str, prefix: str) -> None:
    limits = ListenerLimits(connections_max=20)
    async with run_public(redis_url, prefix, listener_limits=limits) as public:
        idle = [await asyncio.open_connection("127.0.0.1", public.port) for _ in range(100)]
        try:
            assert await public.post(GOOD) == 202
            await wait_until(lambda: _are_closed(idle, 80))
        finally:
            for _, writer in idle:
                writer.close()
        await public.link.call("DEL", public.intake)


async def _are_closed(
    connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]], at_least: int
) -> bool:
    return sum(reader.at_eof() or reader.exception() is not None for reader, _ in connections) >= at_least


async def test_requests_sent_back_to_back_are_answered_one_by_one_in_order(public: Public) -> None:
    bodies = [build_body(build_item(item_id=str(number))) for number in range(20)]
    requests = b"".join(build_request(body) for body in bodies)
    last = build_request(b"{}", headers="Connection: close\r\n")
    answer = await exchange(public, requests + last)
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", answer) == [b"202"] * 20 + [b"400"]
    assert [entry.item for entry in await public.read_entries()] == [str(number) for number in range(20)]


@pytest.mark.parametrize(
    ("line", "headers"),
    [
        ("POST /graph/notifications HTTP/1.0", ""),
        ("POST /graph/notifications HTTP/1.1", "Connection: close\r\n"),
    ],
)
async def test_old_and_closing_clients_get_their_answer_and_the_end(
    public: Public, line: str, headers: str
) -> None:
    answer = await exchange(public, build_request(line=line, headers=headers))
    assert status_of(answer) == 202
    assert answer.endswith(b"\r\n\r\n")


async def test_an_upgrade_is_not_followed(public: Public) -> None:
    headers = "Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n"
    answer = await exchange(public, build_request(headers=headers))
    assert 200 <= status_of(answer) < 500
    assert status_of(answer) != 101


async def test_a_client_that_never_reads_its_answers_is_slowed_down_and_harms_nobody(public: Public) -> None:
    _reader, writer = await asyncio.open_connection("127.0.0.1", public.port, limit=1)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    try:
        for _ in range(500):
            writer.write(build_request(b'{"value": []}'))
        assert await public.post(GOOD) == 202
    finally:
        writer.transport.abort()


async def test_slow_bodies_on_all_connections_make_room_for_honest_requests(
    redis_url: str, prefix: str
) -> None:
    """The connection that came last is not the one to go, though all others have a request under way."""
    limits = ListenerLimits(connections_max=20)
    async with run_public(redis_url, prefix, listener_limits=limits) as public:
        slow = [await asyncio.open_connection("127.0.0.1", public.port) for _ in range(60)]
        try:
            for _, writer in slow:
                writer.write(build_request()[:-10])
            await wait_until(lambda: _are_closed(slow, 40))
            assert await public.post(GOOD) == 202
        finally:
            for _, writer in slow:
                writer.close()
        await public.link.call("DEL", public.intake)


async def test_a_connection_that_asked_before_outlives_those_that_never_did(
    redis_url: str, prefix: str
) -> None:
    limits = ListenerLimits(connections_max=20)
    async with run_public(redis_url, prefix, listener_limits=limits) as public:
        reader, writer = await asyncio.open_connection("127.0.0.1", public.port)
        writer.write(build_request())
        assert b" 202 " in await reader.readuntil(b"\r\n\r\n")
        idle = [await asyncio.open_connection("127.0.0.1", public.port) for _ in range(60)]
        try:
            await wait_until(lambda: _are_closed(idle, 41))
            writer.write(build_request())
            assert b" 202 " in await reader.readuntil(b"\r\n\r\n")
        finally:
            for _, one in (*idle, (reader, writer)):
                one.close()
        await public.link.call("DEL", public.intake)


async def test_of_heads_that_never_end_the_largest_go(redis_url: str, prefix: str) -> None:
    limits = ListenerLimits(heads_bytes_max=100_000)
    head = POST + b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1000) for number in range(20))
    async with run_public(redis_url, prefix, listener_limits=limits) as public:
        small = await asyncio.open_connection("127.0.0.1", public.port)
        small[1].write(build_request()[:60])
        endless = [await asyncio.open_connection("127.0.0.1", public.port) for _ in range(12)]
        try:
            for _, writer in endless:
                writer.write(head)
            await wait_until(lambda: _are_closed(endless, 8))
            small[1].write(build_request()[60:])
            assert b" 202 " in await small[0].readuntil(b"\r\n\r\n")
            assert await public.post(GOOD) == 202
        finally:
            for _, writer in (*endless, small):
                writer.close()
        await public.link.call("DEL", public.intake)


async def test_a_body_that_came_whole_is_no_head(redis_url: str, prefix: str) -> None:
    """However many connections stay open after a large body, none of them is taken for an endless head."""
    limits = ListenerLimits(heads_bytes_max=60_000)
    large = build_body(*[build_item(item_id=f"large-{number}") for number in range(50)])
    assert len(large) > 16_384
    async with run_public(redis_url, prefix, listener_limits=limits) as public:
        kept = [await asyncio.open_connection("127.0.0.1", public.port) for _ in range(8)]
        try:
            for _ in range(2):
                for reader, writer in kept:
                    writer.write(build_request(large))
                    assert b" 202 " in await reader.readuntil(b"\r\n\r\n")
        finally:
            for _, writer in kept:
                writer.close()
        await public.link.call("DEL", public.intake)


async def test_of_bodies_that_are_too_much_together_the_slowest_is_given_up(
    redis_url: str, prefix: str
) -> None:
    limits = WebhookLimits(bodies_bytes_max=250_000, body_timeout_s=60)
    large = build_body(*[build_item(item_id=f"large-{number}") for number in range(250)])
    assert len(large) < limits.bodies_bytes_max < 2 * len(large) - 10
    async with run_public(redis_url, prefix, webhook_limits=limits) as public:
        slow = await asyncio.open_connection("127.0.0.1", public.port)
        slow[1].write(build_request(large)[:-10])
        answered = asyncio.create_task(slow[0].read())
        try:
            while not answered.done():
                assert await public.post(large) == 202
            assert status_of(await answered) == 503
        finally:
            slow[1].close()
        await public.link.call("DEL", public.intake)


async def test_large_bodies_wait_for_their_turn_and_small_ones_pass_by(redis_url: str, prefix: str) -> None:
    limits = WebhookLimits(large_body_bytes=100_000, large_bodies_bytes_per_s=1000, body_timeout_s=3)
    large = build_body(*[build_item(item_id=f"large-{number}") for number in range(300)])
    async with run_public(redis_url, prefix, webhook_limits=limits) as public:
        assert await public.post(large) == 202
        assert await public.post(GOOD) == 202
        assert await public.post(large) == 503
        assert len(await public.read_entries()) == 301
        await public.link.call("DEL", public.intake)


async def test_who_sends_bad_requests_waits_for_each_refusal_and_nobody_else_does(
    redis_url: str, prefix: str
) -> None:
    limits = ListenerLimits(refusal_delay_s=3600, refusals_waiting_max=2, stop_timeout_s=0.1)
    async with run_public(redis_url, prefix, listener_limits=limits) as public:
        refused = [asyncio.create_task(public.post(b"{")) for _ in range(3)]
        (at_once,), held_back = await asyncio.wait(refused, return_when=asyncio.FIRST_COMPLETED)
        assert at_once.result() == 400, "as many as may be held back are"
        assert await public.post(GOOD) == 202
        assert len(held_back) == 2
        for waiting in held_back:
            assert not waiting.done()
            waiting.cancel()
        await asyncio.wait(held_back)
        await public.link.call("DEL", public.intake)


async def test_what_the_parser_cannot_read_is_refused_later_too(redis_url: str, prefix: str) -> None:
    limits = ListenerLimits(refusal_delay_s=3600, refusals_waiting_max=1, stop_timeout_s=0.1)
    async with run_public(redis_url, prefix, listener_limits=limits) as public:
        _, unreadable = await asyncio.open_connection("127.0.0.1", public.port)
        unreadable.write(b"nonsense\r\n\r\n")

        async def is_refused() -> bool:
            return public.count("web_requests_total", route="unreadable", status="400") == 1

        await wait_until(is_refused)
        assert await public.post(b"{") == 400, "the one place is taken by what could not be read"
        unreadable.close()


async def test_a_client_that_leaves_its_answers_unread_is_let_go(redis_url: str, prefix: str) -> None:
    limits = ListenerLimits(answer_timeout_s=0.2)
    token = "t" * 2000  # comes back: short answers take a slow machine a minute to fill the socket
    handshake = build_request(b"", line=f"POST /graph/notifications?validationToken={token} HTTP/1.1")
    async with run_public(redis_url, prefix, listener_limits=limits) as public:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", public.port))
            with pytest.raises(ConnectionError):
                async with asyncio.timeout(PATIENCE_S):
                    while True:
                        await asyncio.get_running_loop().sock_sendall(client, handshake * 20)
        assert await public.post(GOOD) == 202
        await public.link.call("DEL", public.intake)


async def test_a_body_in_too_many_chunks_is_not_parsed_to_its_end(redis_url: str, prefix: str) -> None:
    limits = ListenerLimits(chunks_max=100)
    async with run_public(redis_url, prefix, listener_limits=limits) as public:
        assert await exchange(public, CHUNKED, b"1\r\n \r\n" * 10_000) == b""
        few = b"".join(
            b"%x\r\n%s\r\n" % (len(GOOD[at : at + 50]), GOOD[at : at + 50]) for at in range(0, len(GOOD), 50)
        )
        assert status_of(await exchange(public, CHUNKED, few + b"0\r\n\r\n")) == 202
        await public.link.call("DEL", public.intake)
