"""All subscriptions that exist, found by id, by mailbox and by what they watch. No I/O.

Must never hold a subscription past its expiry: every look begins by dropping what has ended.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from service.sandbox.item_options import Test
from service.sandbox.subscription_request import EncryptionKey

PER_MAILBOX_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Which items a subscription watches, resolved.

    Attributes:
        folder_id: empty for a whole mailbox, and for events.
        select, expand, filter: the options as text and names; empty where not given.
    """

    user_id: str
    kind: Literal["message", "event"]
    folder_id: str = ""
    select: tuple[str, ...] = ()
    expand: str = ""
    filter: str = ""

    def covers(self, folder_id: str) -> bool:
        """Tell whether an item in that folder is among those watched, the filter aside."""
        return not self.folder_id or self.folder_id == folder_id


@dataclass(slots=True, kw_only=True)
class Subscription:
    """One subscription.

    Attributes:
        app_id, creator_id: client of the token that made it, and the person or service principal behind it.
        made_by_person: made with a delegated token.
        resource: as it was spelt at creation.
        encryption: set where resource data is sent along.
        authority: issuer of the token that made it; validation tokens name the same.
        test: tells whether an item matches the filter; None without a filter.
        matching: of one with a filter, the items that matched when last looked at.
        reauthorized_at: by a PATCH or reauthorize; None before the first.
    """

    id: str
    app_id: str
    creator_id: str
    made_by_person: bool
    resource: str
    watch: Watch
    change_types: tuple[str, ...]
    notification_url: str
    lifecycle_url: str | None
    client_state: str | None
    created_at: datetime
    expires_at: datetime
    encryption: EncryptionKey | None
    tls_version: str
    audience: str | None
    uses_immutable_ids: bool
    authority: str
    test: Test | None = None
    matching: set[str] = field(default_factory=set)
    reauthorized_at: datetime | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What two subscriptions of one application may not have in common."""
        return build_key(self.app_id, self.watch, self.change_types)


def build_key(app_id: str, watch: Watch, change_types: tuple[str, ...]) -> tuple[Any, ...]:
    """Give what makes a second subscription a duplicate: application, resource and change types."""
    return (app_id, watch, change_types)


class SubscriptionBook:
    """Every subscription, of every application."""

    def __init__(self) -> None:
        self._by_id: dict[str, Subscription] = {}
        self._by_mailbox: dict[str, dict[str, Subscription]] = {}
        self._by_key: dict[tuple[Any, ...], Subscription] = {}
        self._expiries: list[tuple[datetime, str]] = []

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, subscription: Subscription) -> None:
        """Enter a subscription; its key must be free."""
        assert subscription.key not in self._by_key
        self._by_id[subscription.id] = subscription
        self._by_mailbox.setdefault(subscription.watch.user_id, {})[subscription.id] = subscription
        self._by_key[subscription.key] = subscription
        self.reschedule(subscription)

    def reschedule(self, subscription: Subscription) -> None:
        """Take note of a new expiry."""
        heapq.heappush(self._expiries, (subscription.expires_at, subscription.id))

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscription, if it is still there."""
        if self._by_id.pop(subscription.id, None) is None:
            return
        del self._by_key[subscription.key]
        held = self._by_mailbox[subscription.watch.user_id]
        del held[subscription.id]
        if not held:
            del self._by_mailbox[subscription.watch.user_id]

    def drop_expired(self, now: datetime) -> None:
        """Forget every subscription whose time is over."""
        while self._expiries and self._expiries[0][0] <= now:
            _, subscription_id = heapq.heappop(self._expiries)
            subscription = self._by_id.get(subscription_id)
            if subscription is not None and subscription.expires_at <= now:
                self.remove(subscription)

    def find(self, subscription_id: str) -> Subscription | None:
        """Find by id, in any case."""
        return self._by_id.get(subscription_id.lower())

    def find_same(self, key: tuple[Any, ...]) -> Subscription | None:
        """Find the one that has this key already."""
        return self._by_key.get(key)

    def list_all(self) -> Iterable[Subscription]:
        """Give all, in order of making."""
        return tuple(self._by_id.values())

    def list_of(self, user_id: str) -> Iterable[Subscription]:
        """Give those that watch a mailbox, in order of making; may be empty."""
        return tuple(self._by_mailbox.get(user_id, {}).values())

    def count_of(self, user_id: str) -> int:
        """Count those that watch a mailbox, of all applications together."""
        return len(self._by_mailbox.get(user_id, {}))
