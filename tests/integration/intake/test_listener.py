"""The public listener's start and stop, and TLS."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from service.errors import ConfigError
from service.intake.listener import ListenerLimits, PublicListener, build_tls_context
from service.intake.reply import Reply
from service.metrics import Metrics
from tests.integration.waiting import PATIENCE_S


def build_listener(
    handle: object = None,
    *,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    stop_timeout_s: float = 5.0,
    handshakes_max: int = 256,
    tls_connections_max: int = 250,
    tls_handshake_timeout_s: float = 10.0,
) -> PublicListener:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        return Reply(202)

    return PublicListener(
        handle if callable(handle) else answer,
        host="127.0.0.1",
        port=port,
        metrics=Metrics(),
        limits=ListenerLimits(
            stop_timeout_s=stop_timeout_s,
            handshakes_max=handshakes_max,
            tls_connections_max=tls_connections_max,
            tls_handshake_timeout_s=tls_handshake_timeout_s,
        ),
        tls=tls,
    )


async def post(listener: PublicListener, *, ssl_context: ssl.SSLContext | None = None) -> int:
    scheme = "https" if ssl_context else "http"
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{scheme}://localhost:{listener.port}/", ssl=ssl_context or True) as answer,
    ):
        return answer.status


async def test_a_stop_lets_requests_under_way_finish_and_takes_no_new_ones() -> None:
    entered, released = asyncio.Event(), asyncio.Event()

    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        entered.set()
        await released.wait()
        return Reply(202)

    listener = build_listener(answer)
    await listener.start()
    port = listener.port
    request = asyncio.create_task(post(listener))
    await entered.wait()
    stopping = asyncio.create_task(listener.stop())
    await asyncio.sleep(0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    assert not stopping.done()
    released.set()
    assert await request == 202
    await stopping


async def test_a_stop_does_not_wait_for_ever() -> None:
    entered = asyncio.Event()

    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    listener = build_listener(answer, stop_timeout_s=0.2)
    await listener.start()
    request = asyncio.create_task(post(listener))
    await entered.wait()
    async with asyncio.timeout(PATIENCE_S):
        await listener.stop()
    with pytest.raises(aiohttp.ClientError):
        await request


async def test_a_stop_without_a_start_is_fine() -> None:
    await build_listener().stop()


async def test_a_handler_that_fails_is_a_mute_500() -> None:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        raise RuntimeError("not for the public")

    listener = build_listener(answer)
    await listener.start()
    async with aiohttp.ClientSession() as session, session.post(f"http://127.0.0.1:{listener.port}/") as got:
        assert (got.status, await got.read()) == (500, b"")
    await listener.stop()


async def test_a_taken_port_is_a_settings_fault() -> None:
    listener = build_listener()
    await listener.start()
    with pytest.raises(ConfigError, match="cannot listen"):
        await build_listener(port=listener.port).start()
    await listener.stop()


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate for the listener, and clients that trust it."""

    listener: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(key)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Certified(build_tls_context(certificate, key), client)


async def test_tls_is_served_where_a_certificate_is_given(certified: Certified) -> None:
    listener = build_listener(tls=certified.listener)
    await listener.start()
    assert await post(listener, ssl_context=certified.client) == 202
    certified.client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert await post(listener, ssl_context=certified.client) == 202
    await listener.stop()


async def test_the_oldest_handshakes_make_room_and_who_means_it_passes(certified: Certified) -> None:
    listener = build_listener(tls=certified.listener, handshakes_max=5)
    await listener.start()
    silent = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(20)]
    assert await post(listener, ssl_context=certified.client) == 202
    for reader, _ in silent[:15]:
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b"", "broken off"
    for _, writer in silent:
        writer.close()
    await listener.stop()


async def test_a_connection_with_tls_ends_after_a_large_body_for_its_buffers_never_shrink(
    certified: Certified,
) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        while await request.content.readany():
            pass
        return Reply(202)

    listener = build_listener(answer, tls=certified.listener)
    await listener.start()
    reader, writer = await asyncio.open_connection("localhost", listener.port, ssl=certified.client)
    for size, ends in ((100, False), (20_000, True)):
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        writer.write(head.encode() + b"x" * size)
        told = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        assert (b" 202 " in told, b"Connection: close" in told) == (True, ends)
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    writer.close()
    await listener.stop()


async def test_fewer_connections_are_held_open_where_each_costs_more(certified: Certified) -> None:
    listener = build_listener(tls=certified.listener, tls_connections_max=5)
    await listener.start()
    idle = [
        await asyncio.open_connection("localhost", listener.port, ssl=certified.client) for _ in range(20)
    ]
    assert await post(listener, ssl_context=certified.client) == 202
    for reader, _ in idle[:15]:
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b"", "made room"
    for _, writer in idle:
        writer.close()
    await listener.stop()


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x01\x00", b"\0" * 100])
async def test_what_is_no_tls_is_closed_and_nobody_else_notices(certified: Certified, said: bytes) -> None:
    listener = build_listener(tls=certified.listener, tls_handshake_timeout_s=2)
    await listener.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(said)
    with suppress(ConnectionError):
        assert b"HTTP" not in await asyncio.wait_for(reader.read(), PATIENCE_S)
    writer.close()
    assert await post(listener, ssl_context=certified.client) == 202
    await listener.stop()


async def test_a_stop_breaks_off_handshakes_that_are_under_way(certified: Certified) -> None:
    listener = build_listener(tls=certified.listener)
    await listener.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    await asyncio.wait_for(listener.stop(), PATIENCE_S)
    with suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    writer.close()


async def test_an_address_that_is_taken_is_a_settings_fault_with_tls_too(certified: Certified) -> None:
    listener = build_listener(tls=certified.listener)
    await listener.start()
    with pytest.raises(ConfigError, match="HOST/PORT"):
        await build_listener(port=listener.port, tls=certified.listener).start()
    await listener.stop()


async def test_a_certificate_that_does_not_fit_its_key_is_a_settings_fault(tmp_path: Path) -> None:
    authority = trustme.CA()
    one, other = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    one.cert_chain_pems[0].write_to_path(certificate)
    other.private_key_pem.write_to_path(key)
    with pytest.raises(ConfigError, match="TLS_CERT_FILE"):
        build_tls_context(certificate, key)
    with pytest.raises(ConfigError, match="TLS_CERT_FILE"):
        build_tls_context(tmp_path / "missing.pem", key)
