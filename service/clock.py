"""The only source of time. Nothing else in the service asks the operating system for it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time as the service sees it; a simulation brings its own."""

    def now(self) -> datetime:
        """Give the present instant, UTC, aware."""

    def monotonic(self) -> float:
        """Give seconds since some point in the past; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait; may be cancelled."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def sleep_or_stop(clock: Clock, stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    tasks = {asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(stop.wait())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
