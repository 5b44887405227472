"""The only source of time. Nothing else in the service asks the operating system for it."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta
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


class OtherClock:
    """Another machine's clock, reckoned on from the last time that it was read.

    So the difference follows ours at once when ours is set right, although nobody has asked again.
    """

    def __init__(self, clock: Clock, *, kept_s: float = 1_800.0) -> None:
        """Take our own clock.

        Args:
            kept_s: how long a reading is believed in.
        """
        self._clock = clock
        self._kept_s = kept_s
        self._read: tuple[datetime, float] | None = None

    def note(self, shown: datetime) -> None:
        """Note what it shows now; UTC, aware."""
        self._read = (shown, self._clock.monotonic())

    def reckon_ahead_s(self) -> float:
        """Give how far it is ahead of ours, in seconds; not a number where nobody read it lately."""
        if self._read is None:
            return math.nan
        shown, read_at = self._read
        since_s = self._clock.monotonic() - read_at
        if since_s > self._kept_s:
            return math.nan
        return (shown + timedelta(seconds=since_s) - self._clock.now()).total_seconds()


async def sleep_or_stop(clock: Clock, stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    tasks = {asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(stop.wait())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
