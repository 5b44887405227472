"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from tests.unit.graph.replies import NOW


class HeldClock:
    """Time as a test wants it: `advance` wakes who has slept long enough."""

    def __init__(self) -> None:
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed_s + seconds, waker))
        await waker

    @property
    def sleepers(self) -> int:
        """How many sleep now."""
        return sum(not waker.done() for _, waker in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Move ahead, then let everything run that can."""
        self._elapsed_s += seconds
        for due, waker in self._sleepers:
            if due <= self._elapsed_s and not waker.done():
                waker.set_result(None)
        await settle()


async def settle() -> None:
    """Let every task run until all wait."""
    for _ in range(50):
        await asyncio.sleep(0)
