"""How many requests of one mailbox are under way. Must never let one mailbox hold up another.

Source: https://learn.microsoft.com/graph/throttling-limits (MailboxConcurrency)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Lane:
    free: asyncio.Semaphore
    users: int = 0


class Lanes:
    """A lane for each mailbox that has requests under way or waiting.

    Args:
        per_mailbox_max: requests of one mailbox under way at one time.
    """

    def __init__(self, *, per_mailbox_max: int) -> None:
        self._per_mailbox_max = per_mailbox_max
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def hold(self, mailbox: str) -> AsyncIterator[None]:
        """Wait for a place, first come first served, and keep it; an empty name needs none."""
        if not mailbox:
            yield
            return
        lane = self._lanes.setdefault(mailbox, _Lane(asyncio.Semaphore(self._per_mailbox_max)))
        lane.users += 1
        try:
            async with lane.free:
                yield
        finally:
            lane.users -= 1
            if not lane.users:
                del self._lanes[mailbox]
