"""Keeps pages up to date by server-sent events: a bounded number, at a bounded rate, from one look for all.

Nobody is looked for while nobody looks. A page that does not read is let go.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web

from service.clock import Clock

_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}
_REST_PER_LOOK: Final = 9
"""So many times as long as a look took is waited before the next, up to `_REST_MAX_S`."""
_REST_MAX_S: Final = 10.0
_RETRY: Final = b"retry: 3000\n\n"
_STILL_THERE: Final = b": still there\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLimits:
    """What pages may cost.

    Attributes:
        clients_max: pages at one time; more get 503.
        interval_s: between two looks, and so two messages to a page.
        quiet_s: after so long without one, a word that we are still there.
        write_s: a page that takes longer to read one message is let go.
    """

    clients_max: int = 20
    interval_s: float = 2.0
    quiet_s: float = 15.0
    write_s: float = 10.0


class LiveFeed:
    """One look, told to all pages that are open."""

    def __init__(
        self, look: Callable[[], Awaitable[bytes]], clock: Clock, limits: LiveLimits | None = None
    ) -> None:
        """Prepare.

        Args:
            look: gives what is so as one line of JSON; never raises.
        """
        self._look = look
        self._clock = clock
        self._limits = limits or LiveLimits()
        self._clients = 0
        self._shown = b""
        self._version = 0
        self._is_closed = False
        self._news = asyncio.Condition()
        self._looking: asyncio.Task[None] | None = None

    @property
    def clients(self) -> int:
        """How many pages are open."""
        return self._clients

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Keep one page up to date until it goes or we do."""
        if self._clients >= self._limits.clients_max or self._is_closed:
            return web.Response(status=503, headers={"Retry-After": "10"})
        self._clients += 1
        try:
            self._ensure_looking()
            response = web.StreamResponse(headers=_HEADERS)
            await response.prepare(request)
            await response.write(_RETRY)
            await self._tell(response)
        finally:
            self._clients -= 1
            await self._rest()
        return response

    async def close(self) -> None:
        """Let all pages go: the process ends."""
        self._is_closed = True
        async with self._news:
            self._news.notify_all()
        await self._rest()

    async def _tell(self, response: web.StreamResponse) -> None:
        told = 0
        while not self._is_closed:
            message = _STILL_THERE
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.quiet_s), self._news:
                    await self._news.wait_for(partial(self._has_news, told))
                    told, message = self._version, b"event: now\ndata: %b\n\n" % self._shown
            try:
                async with asyncio.timeout(self._limits.write_s):
                    await response.write(message)
            except (ConnectionError, TimeoutError):
                return

    def _has_news(self, told: int) -> bool:
        return self._version > told or self._is_closed

    def _ensure_looking(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._keep_looking())

    async def _keep_looking(self) -> None:
        while True:
            began = self._clock.monotonic()
            shown = await self._look()
            took_s = self._clock.monotonic() - began
            async with self._news:
                if shown != self._shown:
                    self._shown = shown
                    self._version += 1
                    self._news.notify_all()
            # A look at thousands of mailboxes takes its time, and the process has other work.
            rest_s = min(took_s * _REST_PER_LOOK, _REST_MAX_S)
            await self._clock.sleep(max(self._limits.interval_s, rest_s))

    async def _rest(self) -> None:
        """Stop looking when the last page has gone."""
        if self._looking is not None and (not self._clients or self._is_closed):
            looking, self._looking = self._looking, None
            looking.cancel()
            await asyncio.wait([looking])
