"""A host on loopback, over TLS, that stands where Graph or Entra ID would, and answers as a test says."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trustme
from aiohttp import web

Answering = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class GraphHost:
    """What was heard, and how it is answered.

    Attributes:
        url: scheme, host and port.
        heard: every request, in order.
        answer: may be put in place at any time.
    """

    url: str
    answer: Answering
    heard: list[Heard] = field(default_factory=list)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.heard.append(Heard(request.method, request.raw_path, headers, body))
        return await self.answer(request)


@asynccontextmanager
async def serve_graph(authority: trustme.CA, answer: Answering) -> AsyncIterator[GraphHost]:
    """Serve until the block ends."""
    host = GraphHost(url="", answer=answer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    runner = web.ServerRunner(web.Server(host.serve, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        host.url = f"https://localhost:{runner.addresses[0][1]}"
        yield host
    finally:
        await runner.cleanup()


def saying(*responses: Callable[[], web.StreamResponse]) -> Answering:
    """Answer one after another, the last one for ever."""
    left = list(responses)

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return left.pop(0)() if len(left) > 1 else left[0]()

    return answer
