"""A webhook on loopback that keeps what it was sent, and misbehaves when told to."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from service.sandbox.tls import LeafFiles
from tests.integration.waiting import wait_until

Answering = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(slots=True, kw_only=True)
class Hook:
    """What came, and what is answered.

    Attributes:
        url: the base; every path below it answers.
        posts: path with query and body of every notification, in order of arrival.
        handshakes: path with query of every handshake, with its headers.
        statuses: answered to notifications one after the other; 202 once they are used up.
        shake: answers handshakes; rightly, unless a test puts something else in place.
    """

    url: str = ""
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    handshakes: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    shake: Answering | None = None

    @property
    def items(self) -> list[dict[str, Any]]:
        """Every item of every POST that was taken or refused, in order."""
        return [item for _, body in self.posts for item in body["value"]]

    async def wait_for_items(self, count: int) -> list[dict[str, Any]]:
        await wait_until(lambda: len(self.items) >= count)
        return self.items

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if "validationToken" in request.query:
            self.handshakes.append((request.path_qs, dict(request.headers)))
            if self.shake is not None:
                return await self.shake(request)
            return web.Response(text=request.query["validationToken"])
        self.posts.append((request.path_qs, await request.json()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 202)


@asynccontextmanager
async def serve_hook(
    leaf: LeafFiles | None, *, port: int = 0, hook: Hook | None = None
) -> AsyncIterator[Hook]:
    """Serve a webhook until the block ends; without a certificate over plain HTTP."""
    hook = hook or Hook()
    context = None
    if leaf is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(leaf.certificate, leaf.key)
    runner = web.ServerRunner(web.Server(hook.serve, access_log=None), shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=context)
        await site.start()
        hook.url = f"{'http' if leaf is None else 'https'}://localhost:{runner.addresses[0][1]}/graph"
        yield hook
    finally:
        await runner.cleanup()
