"""When a subscription's own life is told: reauthorization due, removed, notifications missed. No I/O.

Must never tell a subscription without a lifecycle URL anything.
Source: https://learn.microsoft.com/graph/change-notifications-lifecycle-events
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from service.sandbox.notifications import NotificationWriter
from service.sandbox.subscription_book import Subscription, SubscriptionBook
from service.sandbox.wire import SandboxClock

WARNING: Final = timedelta(minutes=30)
"""How long before the end reauthorizationRequired is sent; a third of what is left if that is less."""

Send = Callable[[Subscription, str, dict[str, Any]], None]


class Lifecycle:
    """Watches over the ends of subscriptions."""

    def __init__(
        self,
        *,
        clock: SandboxClock,
        book: SubscriptionBook,
        writer: NotificationWriter,
        random: Random,
        send: Send,
    ) -> None:
        """Take how an item is sent: the subscription, the URL, the item."""
        self._clock = clock
        self._book = book
        self._writer = writer
        self._random = random
        self._send = send
        self._warnings: list[tuple[datetime, str, datetime]] = []

    def follow(self, subscription: Subscription) -> None:
        """Plan the warning that the subscription is about to end."""
        self._plan_warning(subscription, self._clock.now())

    def next_due(self) -> datetime | None:
        """Say when there is something to do; None while nothing is planned."""
        return self._warnings[0][0] if self._warnings else None

    def send_due(self) -> None:
        """Drop what has ended, and warn those that are about to; a warning unheard is repeated."""
        now = self._clock.now()
        self._book.drop_expired(now)
        while self._warnings and self._warnings[0][0] <= now:
            _, subscription_id, expires_at = heapq.heappop(self._warnings)
            subscription = self._book.find(subscription_id)
            if subscription is not None and subscription.expires_at == expires_at:
                self._tell(subscription, "reauthorizationRequired")
                self._plan_warning(subscription, now)

    def report_missed(self, subscription: Subscription) -> None:
        """Say that some notifications were not delivered; the subscription stays."""
        if self._book.find(subscription.id) is not None:
            self._tell(subscription, "missed")

    def report_missed_at_random(self, count: int) -> int:
        """Say so to that many subscriptions, drawn at random; give how many there were."""
        drawn = self._draw(count)
        for subscription in drawn:
            self._tell(subscription, "missed")
        return len(drawn)

    def remove_at_random(self, count: int) -> int:
        """Remove that many subscriptions, drawn at random, and tell; give how many there were."""
        drawn = self._draw(count)
        for subscription in drawn:
            self._book.remove(subscription)
            self._tell(subscription, "subscriptionRemoved")
        return len(drawn)

    def _draw(self, count: int) -> list[Subscription]:
        self._book.drop_expired(self._clock.now())
        held = list(self._book.list_all())
        return self._random.sample(held, min(count, len(held)))

    def _tell(self, subscription: Subscription, event: str) -> None:
        if subscription.lifecycle_url is not None:
            item = self._writer.write_lifecycle(subscription, event)
            self._send(subscription, subscription.lifecycle_url, item)

    def _plan_warning(self, subscription: Subscription, now: datetime) -> None:
        left = subscription.expires_at - now
        if left < timedelta(seconds=2):
            return
        due = subscription.expires_at - min(WARNING, left / 3)
        heapq.heappush(self._warnings, (due, subscription.id, subscription.expires_at))
