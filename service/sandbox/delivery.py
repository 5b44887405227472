"""Sends what is in the outbox: one POST after another to each URL, a few at a time, retried for hours.

Must never block the sandbox on a webhook that does not answer, and never leave a task behind.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Final

import aiohttp
from yarl import URL

from service.sandbox.endpoint_health import EndpointHealth
from service.sandbox.lifecycle import Lifecycle
from service.sandbox.outbox import Outbox, Outgoing
from service.sandbox.rich import ValidationTokens
from service.sandbox.subscription_book import SubscriptionBook
from service.sandbox.wire import SandboxClock

FIRST_TIMEOUT_S: Final = 3.0
RETRY_TIMEOUT_S: Final = 10.0
POSTS_AT_ONCE_MAX: Final = 4
"""POSTs to one URL at a time; more than one, so that a later one may overtake."""
NAP_S: Final = 3600.0


class Delivery:
    """The loop that empties the outbox."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        clock: SandboxClock,
        book: SubscriptionBook,
        outbox: Outbox,
        lifecycle: Lifecycle,
        health: EndpointHealth,
        tokens: ValidationTokens,
    ) -> None:
        self._session = session
        self._clock = clock
        self._book = book
        self._outbox = outbox
        self._lifecycle = lifecycle
        self._health = health
        self._tokens = tokens
        self._awake = asyncio.Event()
        self._senders: dict[asyncio.Task[None], str] = {}

    @property
    def sending(self) -> int:
        """Tell how many POSTs are under way."""
        return len(self._senders)

    def wake(self) -> None:
        """Look again: something was put in, or the clock was moved."""
        self._awake.set()

    async def run(self) -> None:
        """Send until cancelled; every sender ends with it."""
        try:
            while True:
                self._awake.clear()
                self._lifecycle.send_due()
                self._start_senders()
                await self._nap()
        finally:
            await self._stop_senders()

    async def _nap(self) -> None:
        moments = [due for due in (self._outbox.next_due(), self._lifecycle.next_due()) if due is not None]
        wait_s = min((self._seconds_until(due) for due in moments), default=NAP_S)
        try:
            async with asyncio.timeout(min(wait_s, NAP_S)):
                await self._awake.wait()
        except TimeoutError:
            return

    def _seconds_until(self, due: datetime) -> float:
        return max((due - self._clock.now()).total_seconds(), 0.001)

    def _start_senders(self) -> None:
        for url in self._outbox.release_due():
            busy = sum(1 for other in self._senders.values() if other == url)
            for _ in range(busy, POSTS_AT_ONCE_MAX):
                batch = self._outbox.take(url)
                if not batch:
                    break
                task = asyncio.create_task(self._send_all(url, batch))
                self._senders[task] = url
                task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._senders.pop(task, None)
        self.wake()

    async def _stop_senders(self) -> None:
        senders = list(self._senders)
        for task in senders:
            task.cancel()
        await asyncio.gather(*senders, return_exceptions=True)

    async def _send_all(self, url: str, batch: list[Outgoing]) -> None:
        while batch:
            await self._send(url, batch)
            batch = self._outbox.take(url)

    async def _send(self, url: str, batch: list[Outgoing]) -> None:
        """Send one POST; what was not taken goes back, and what is given up is told as missed."""
        if await self._post(url, batch):
            return
        for outgoing in batch:
            if not self._outbox.put_back(outgoing) and not outgoing.is_lifecycle:
                subscription = self._book.find(outgoing.subscription_id)
                if subscription is not None:
                    self._lifecycle.report_missed(subscription)

    async def _post(self, url: str, batch: list[Outgoing]) -> bool:
        """Tell whether the endpoint took the items: 2xx in time.

        The first try has 3 seconds, each later one 10.
        """
        is_retry = any(outgoing.attempts for outgoing in batch)
        timeout = aiohttp.ClientTimeout(total=RETRY_TIMEOUT_S if is_retry else FIRST_TIMEOUT_S)
        started = time.monotonic()
        try:
            async with self._session.post(
                URL(url, encoded=True), json=self._build_body(batch), timeout=timeout, allow_redirects=False
            ) as response:
                return 200 <= response.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return False
        finally:
            self._health.record(url, time.monotonic() - started, self._clock.now())

    def _build_body(self, batch: list[Outgoing]) -> dict[str, object]:
        recipients = dict.fromkeys(item.recipient for item in batch if item.recipient is not None)
        body: dict[str, object] = {"value": [outgoing.item for outgoing in batch]}
        if recipients:
            body["validationTokens"] = self._tokens.sign_for(recipients)
        return body
