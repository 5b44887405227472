"""A proxy named by the environment is used when the settings say so, for Graph and for Entra ID alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from service.clock import SystemClock
from service.graph.client import GraphClient
from service.graph.credentials import ClientSecret, Registration
from service.graph.subscription_requests import build_subscription_list
from service.graph.tokens import MsalTokens
from service.graph.trust import build_trust
from service.sandbox.command import Sandbox
from tests.unit.graph.replies import RecordingObserver


@dataclass(slots=True)
class Proxy:
    """A CONNECT proxy: `tunnels` holds the host and port of each request."""

    url: str = ""
    tunnels: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        target = head.split()[1]
        self.tunnels.append(target)
        host, _, port = target.rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def serve_proxy() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy


@pytest.mark.parametrize("is_used", [False, True])
async def test_the_proxy_of_the_environment_is_used_only_when_asked_for(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, is_used: bool
) -> None:
    observer, clock, trust = RecordingObserver(), SystemClock(), build_trust(sandbox.ca_file)
    registration = Registration(
        authority=sandbox.ready.authority_url,
        client_id=sandbox.ready.client_id,
        resource="https://graph.microsoft.com",
        credential=ClientSecret(sandbox.ready.client_secret),
    )
    async with serve_proxy() as proxy:
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        tokens = MsalTokens(
            registration, trust=trust, clock=clock, observer=observer, uses_proxy_environment=is_used
        )
        async with GraphClient(
            base_url=sandbox.ready.graph_url,
            tokens=tokens,
            trust=trust,
            clock=clock,
            observer=observer,
            uses_proxy_environment=is_used,
        ) as client:
            assert (await client.send(build_subscription_list())).status == 200
        tokens.close()
    origin = sandbox.ready.graph_url.removeprefix("https://").removesuffix("/v1.0")
    assert set(proxy.tunnels) == ({origin} if is_used else set())
