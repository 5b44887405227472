"""How many requests of one mailbox are under way. Must never let one mailbox hold up another.

Source: https://learn.microsoft.com/graph/throttling-limits (MailboxConcurrency)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Lane:
    taken: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Lanes:
    """A lane for each mailbox that has requests under way or waiting; an empty name needs no place.

    Args:
        per_mailbox_max: requests of one mailbox under way at one time.
    """

    def __init__(self, *, per_mailbox_max: int) -> None:
        self._per_mailbox_max = per_mailbox_max
        self._lanes: dict[str, _Lane] = {}

    def take(self, mailbox: str) -> bool:
        """Take a place if there is a free one that nobody waits for; it must be given back."""
        if not mailbox:
            return True
        lane = self._lanes.setdefault(mailbox, _Lane())
        if lane.taken >= self._per_mailbox_max or lane.waiting:
            return False
        lane.taken += 1
        return True

    def give_back(self, mailbox: str) -> None:
        """Give a place back: to whom has waited for the longest, if anybody waits."""
        if not mailbox:
            return
        lane = self._lanes[mailbox]
        while lane.waiting:
            turn = lane.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        lane.taken -= 1
        if not lane.taken:
            del self._lanes[mailbox]

    @asynccontextmanager
    async def hold(self, mailbox: str) -> AsyncIterator[None]:
        """Wait for a place, first come first served, and keep it."""
        if not self.take(mailbox):
            await self._wait(mailbox)
        try:
            yield
        finally:
            self.give_back(mailbox)

    async def _wait(self, mailbox: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lanes[mailbox].waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the place was handed over meanwhile
                self.give_back(mailbox)
            raise
