"""The bodies that are arriving: what they may hold together, and how fast large ones are read.

Must never hold up a body that came whole with its head, as nearly every one does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from service.clock import Clock


class Arriving:
    """One body of which not everything is there.

    Attributes:
        was_given_up: there was too much of all bodies together, and this one took longest.
        is_complete: all of it has come; it waits for its turn to be read.
    """

    __slots__ = ("_bodies", "bytes_held", "deadline", "is_complete", "was_given_up")

    def __init__(self, bodies: ArrivingBodies, deadline: asyncio.Timeout) -> None:
        self._bodies = bodies
        self.deadline = deadline
        self.bytes_held = 0
        self.was_given_up = False
        self.is_complete = False

    def grow(self, count: int) -> None:
        """Note that so many bytes have come; may give up a body, this one too."""
        self._bodies.note(self, count)


class ArrivingBodies:
    """All of them, the oldest first. Honest ones take milliseconds: what is old is slow or stuck."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._held: dict[Arriving, None] = {}

    @contextmanager
    def hold(self, deadline: asyncio.Timeout) -> Iterator[Arriving]:
        """Hold a body for as long as the block lasts.

        Args:
            deadline: moved to now where the body is given up.
        """
        arriving = Arriving(self, deadline)
        self._held[arriving] = None
        try:
            yield arriving
        finally:
            self._let_go(arriving)

    def note(self, arriving: Arriving, count: int) -> None:
        """Count more bytes of a body; give up the oldest bodies until all others fit."""
        arriving.bytes_held += count
        self._bytes += count
        while self._bytes > self._bytes_max and self._held:
            oldest = next(iter(self._held))
            oldest.was_given_up = True
            if not oldest.deadline.expired():
                oldest.deadline.reschedule(asyncio.get_running_loop().time())
            self._let_go(oldest)

    def _let_go(self, arriving: Arriving) -> None:
        self._held.pop(arriving, None)
        self._bytes -= arriving.bytes_held
        arriving.bytes_held = 0


class Turns:
    """Lets large bodies be read one after another, and not too many in a second.

    Reading one takes some milliseconds per megabyte, in which nothing else is answered: what is paced here is
    the share of the process's time that anybody can take with large bodies.
    """

    def __init__(self, clock: Clock, *, bytes_per_s: int) -> None:
        self._clock = clock
        self._bytes_per_s = bytes_per_s
        self._free_at = 0.0
        self._lock = asyncio.Lock()

    async def take(self, count: int) -> None:
        """Wait until a body of so many bytes may be read; whoever waits longest is next."""
        async with self._lock:
            wait_s = self._free_at - self._clock.monotonic()
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            self._free_at = self._clock.monotonic() + count / self._bytes_per_s
