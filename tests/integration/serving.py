"""Serves one handler on loopback: somebody whom the service talks to, or who stands in its way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serving(handle: Handler, *, method: str = "*", path: str = "/{path:.*}") -> AsyncIterator[str]:
    """Serve requests by a handler, of all methods and paths if not told otherwise; gives the address."""
    app = web.Application()
    app.router.add_route(method, path, handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
