"""A clock that stands until it is turned, and subscriptions to try things on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from service.sandbox.subscription_book import Subscription, Watch
from service.sandbox.wire import SandboxClock

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
ADELE = "d3b9214b-dd8b-441d-b7dc-c446c9fa0e69"


def standing_clock() -> SandboxClock:
    """Give a clock that shows noon, and later only what it is advanced by."""
    return SandboxClock(lambda: NOON)


def build_subscription(id_: str = "s1", **members: Any) -> Subscription:
    """Give a subscription to Adele's mailbox that lives an hour; members replace those of the same name."""
    known: dict[str, Any] = {
        "id": id_,
        "app_id": "app",
        "creator_id": "principal",
        "made_by_person": False,
        "resource": f"users/{ADELE}/messages",
        "watch": Watch(user_id=ADELE, kind="message"),
        "change_types": ("created",),
        "notification_url": "https://localhost:1/graph",
        "lifecycle_url": "https://localhost:1/lifecycle",
        "client_state": "a state",
        "created_at": NOON,
        "expires_at": NOON + timedelta(hours=1),
        "encryption": None,
        "tls_version": "v1_2",
        "audience": None,
        "uses_immutable_ids": True,
        "authority": "https://localhost:1/tenant/v2.0",
    }
    return Subscription(**(known | members))
