"""Hostile bytes on raw sockets: a mute 4xx or a closed connection, and honest requests go on."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re

import pytest

from service.intake.listener import ListenerLimits
from service.intake.webhook import WebhookLimits
from tests.integration.intake.conftest import Public, run_public, wait_until
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


async def exchange(public: Public, *pieces: bytes, within_s: float = 10.0) -> bytes:
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
        answer = await exchange(public, build_request()[:-10], within_s=5)
        assert status_of(answer) == 408
        assert await public.read_entries() == []


async def test_a_body_that_breaks_off_stores_nothing(public: Public) -> None:
    _reader, writer = await asyncio.open_connection("127.0.0.1", public.port)
    writer.write(build_request()[:-10])
    await writer.drain()
    writer.transport.abort()
    assert await public.post(build_body(build_item(item_id="next"))) == 202
    assert [entry.item for entry in await public.read_entries()] == ["next"]


@pytest.mark.parametrize("start", [b"", POST + b"X-Slow: "])
async def test_a_head_that_does_not_come_in_time_is_closed(redis_url: str, prefix: str, start: bytes) -> None:
    limits = ListenerLimits(keepalive_timeout_s=0.3)
    async with run_public(redis_url, prefix, listener_limits=limits) as public:
        assert await exchange(public, start, within_s=5) == b""


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
