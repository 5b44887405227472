"""Notifications on their way: what waits until when, what is ready for which URL, what is given up. No I/O.

Must never grow without bound: beyond the limit an item is refused, and its subscription is told of the loss.
Source: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any, Final

from service.sandbox.notifications import Recipient
from service.sandbox.wire import SandboxClock

GIVE_UP_AFTER: Final = timedelta(hours=4)


@dataclass(slots=True, kw_only=True)
class Outgoing:
    """One item for one subscription.

    Attributes:
        recipient: for whom a validation token goes along; None without resource data.
        is_lifecycle: tells of the subscription itself.
        made_at: when it was first put in.
        attempts: deliveries that failed so far.
    """

    subscription_id: str
    url: str
    item: dict[str, Any]
    recipient: Recipient | None
    is_lifecycle: bool
    made_at: datetime
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLimits:
    """Bounds and waits.

    Attributes:
        items_max: items waiting and ready, of all URLs.
        batch_max: items in one POST.
        retry_first_s, retry_max_s: the wait after the first failure, doubled after each, up to the longest.
    """

    items_max: int = 200_000
    batch_max: int = 10
    retry_first_s: float = 1.0
    retry_max_s: float = 600.0


class Outbox:
    """Items by the time at which they are due, then by URL."""

    def __init__(self, *, clock: SandboxClock, random: Random, limits: OutboxLimits) -> None:
        self._clock = clock
        self._random = random
        self._limits = limits
        self._waiting: list[tuple[datetime, int, Outgoing]] = []
        self._ready: dict[str, deque[Outgoing]] = {}
        self._order = count()
        self._size = 0

    def __len__(self) -> int:
        """Count the items that wait or are ready; those being sent are not among them."""
        return self._size

    def put(self, outgoing: Outgoing, *, delay_s: float = 0.0) -> bool:
        """Take an item; False where there is no room."""
        if self._size >= self._limits.items_max:
            return False
        self._size += 1
        due = self._clock.now() + timedelta(seconds=delay_s)
        heapq.heappush(self._waiting, (due, next(self._order), outgoing))
        return True

    def put_back(self, outgoing: Outgoing) -> bool:
        """Take an item again that could not be delivered; False where it is given up."""
        outgoing.attempts += 1
        wait_s = self._limits.retry_first_s * 2.0 ** min(outgoing.attempts - 1, 30)
        wait_s = min(wait_s, self._limits.retry_max_s) * self._random.uniform(0.8, 1.2)
        if self._clock.now() + timedelta(seconds=wait_s) > outgoing.made_at + GIVE_UP_AFTER:
            return False
        return self.put(outgoing, delay_s=wait_s)

    def next_due(self) -> datetime | None:
        """Say when the next item becomes ready; None while none waits."""
        return self._waiting[0][0] if self._waiting else None

    def release_due(self) -> Iterable[str]:
        """Make ready what is due; give every URL that has something ready."""
        now = self._clock.now()
        while self._waiting and self._waiting[0][0] <= now:
            outgoing = heapq.heappop(self._waiting)[2]
            self._ready.setdefault(outgoing.url, deque()).append(outgoing)
        return tuple(self._ready)

    def take(self, url: str) -> list[Outgoing]:
        """Take the items of the next POST to a URL: some of those ready, oldest first; may be empty.

        How many travel together is left to chance, as nothing may be built on it.
        """
        ready = self._ready.get(url)
        if not ready:
            return []
        size = min(self._random.randint(1, self._limits.batch_max), len(ready))
        taken = [ready.popleft() for _ in range(size)]
        self._size -= size
        if not ready:
            del self._ready[url]
        return taken
