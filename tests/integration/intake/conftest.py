"""The public side as the service builds it, on a real socket, with a real Redis behind it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest_asyncio

from service.clock import SystemClock
from service.entries import IntakeEntry, parse_entry
from service.intake.appender import Appender, Durability
from service.intake.listener import ListenerLimits, PublicListener
from service.intake.webhook import Webhook, WebhookLimits
from service.metrics import Metrics
from service.streams.connection import RedisTarget, connect, open_connection
from service.streams.link import RedisLink
from service.tracing.spans import UNTRACED, Tracing
from tests.integration.waiting import PATIENCE_S, wait_until
from tests.unit.intake.graph_items import RULES

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, kw_only=True)
class Public:
    """A running public side.

    Attributes:
        session: sends requests to it; no limit on connections.
    """

    session: aiohttp.ClientSession
    listener: PublicListener
    appender: Appender
    metrics: Metrics
    link: RedisLink
    intake: str

    @property
    def port(self) -> int:
        return self.listener.port

    def url(self, path: str = "/graph/notifications?deployment=default") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def post(self, body: bytes, *, path: str = "", headers: dict[str, str] | None = None) -> int:
        """POST a body; gives the status."""
        url = self.url(path) if path else self.url()
        async with self.session.post(url, data=io.BytesIO(body), headers=JSON | (headers or {})) as answer:
            return answer.status

    async def read_entries(self) -> list[IntakeEntry]:
        """Give what is in the intake stream, in order."""
        rows = await self.link.call("XRANGE", self.intake, "-", "+")
        return [parse_entry(dict(zip(flat[::2], flat[1::2], strict=True))) for _, flat in map(_split, rows)]

    def count(self, name: str, **labels: str) -> float:
        """Give the value of a metric."""
        return self.metrics.registry.get_sample_value(f"response_sync_{name}", labels) or 0.0


def _split(row: Any) -> tuple[str, list[str]]:
    """Give id and flat fields, whatever shape the client library gave the fields."""
    entry_id, found = row
    return entry_id, [word for pair in found.items() for word in pair] if isinstance(found, dict) else found


@asynccontextmanager
async def run_public(
    redis_url: str,
    prefix: str,
    *,
    webhook_limits: WebhookLimits | None = None,
    listener_limits: ListenerLimits | None = None,
    durability: Durability = Durability.MEMORY,
    append_timeout_s: float = PATIENCE_S,
    waiting_max: int = 10_000,
    is_ready: bool = True,
    tracing: Tracing = UNTRACED,
) -> AsyncIterator[Public]:
    """Run a public side for as long as the block lasts; leaves no task behind.

    Args:
        append_timeout_s: none that a burst on a slow machine would meet; what meets it says how long.
        is_ready: wait until it can store.
    """
    metrics, clock, intake = Metrics(), SystemClock(), f"{prefix}:intake"
    link = connect(RedisTarget(url=redis_url))
    appender = Appender(
        lambda: open_connection(link, intake),
        intake,
        clock=clock,
        metrics=metrics,
        durability=durability,
        append_timeout_s=append_timeout_s,
        waiting_max=waiting_max,
    )
    webhook = Webhook(
        appender.append,
        RULES,
        clock=clock,
        metrics=metrics,
        limits=webhook_limits or WebhookLimits(),
        tracing=tracing,
    )
    listener = PublicListener(
        webhook.handle,
        host="127.0.0.1",
        port=0,
        metrics=metrics,
        limits=listener_limits or ListenerLimits(),
    )
    running = asyncio.create_task(appender.run())
    await listener.start()
    connector = aiohttp.TCPConnector(limit=0)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            public = Public(
                session=session,
                listener=listener,
                appender=appender,
                metrics=metrics,
                link=link,
                intake=intake,
            )
            if is_ready:
                await wait_until(lambda: is_writable(appender))
            yield public
    finally:
        await listener.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await link.aclose()


async def is_writable(appender: Appender) -> bool:
    return not await appender.check()


@pytest_asyncio.fixture
async def public(redis_url: str, prefix: str) -> AsyncIterator[Public]:
    """A public side on the shared server; afterwards its only key is the intake stream, which goes."""
    async with run_public(redis_url, prefix) as running:
        yield running
        keys = await running.link.call("KEYS", f"*{prefix}*")
        assert set(keys) <= {running.intake}
        await running.link.call("DEL", running.intake)
