"""The public listener's start and stop, and TLS."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from service.errors import ConfigError
from service.intake.listener import ListenerLimits, PublicListener, build_tls_context
from service.intake.reply import Reply
from service.metrics import Metrics


def build_listener(
    handle: object = None, *, port: int = 0, tls: ssl.SSLContext | None = None, stop_timeout_s: float = 5.0
) -> PublicListener:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        return Reply(202)

    return PublicListener(
        handle if callable(handle) else answer,
        host="127.0.0.1",
        port=port,
        metrics=Metrics(),
        limits=ListenerLimits(stop_timeout_s=stop_timeout_s),
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
    async with asyncio.timeout(5):
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


async def test_tls_is_served_where_a_certificate_is_given(tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(key)
    listener = build_listener(tls=build_tls_context(certificate, key))
    await listener.start()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    assert await post(listener, ssl_context=client) == 202
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert await post(listener, ssl_context=client) == 202
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
