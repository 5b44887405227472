"""Notifications as Graph sends them, for the tests of the public side."""

from __future__ import annotations

import json
from typing import Any

from service.intake.client_state import (
    ClientStateKeys,
    ResourceKind,
    WatchedResource,
    build_client_state,
    derive_client_state_keys,
)
from service.intake.notification import NotificationRules, build_rules
from service.reconcile.model import MailboxKey

TENANT = "84bd8158-6d4d-4958-8b9f-9d6445542f95"
ADELE = MailboxKey("622eaaff-0683-4862-9de4-f2ec83c2bd98")
SUBSCRIPTION = "c6126aa3-0ed8-412f-a988-71e6cee627c4"
ITEM = "AAMkAGUwNjQ4ZjIxLTQ3Y2YtNDViMi1iZjc4LTMx="
ETAG = 'W/"CQAAABYAAACQ2fKdhq8oSKEDSVrdi3lRAAGDUUXn"'
ARRIVED = "2026-11-23T05:16:56.000Z"

KEYS: ClientStateKeys = derive_client_state_keys(["0123456789abcdef0123456789abcdef"], "default")
RULES: NotificationRules = build_rules(KEYS, tenant_id=TENANT)
INBOX = WatchedResource(kind=ResourceKind.INBOX, mailbox=ADELE)
CALENDAR = WatchedResource(kind=ResourceKind.CALENDAR, mailbox=ADELE)


def build_item(
    watched: WatchedResource = INBOX, *, item_id: str = ITEM, keys: ClientStateKeys = KEYS, **changes: Any
) -> dict[str, Any]:
    """Give a basic notification of an Outlook item; `changes` replace members, None takes one away."""
    word = "Event" if watched.kind is ResourceKind.CALENDAR else "Message"
    path = f"Users/{watched.mailbox}/{word}s/{item_id}"
    item = {
        "subscriptionId": SUBSCRIPTION,
        "subscriptionExpirationDateTime": "2026-11-30T03:12:18.2257768+05:30",
        "changeType": "created",
        "resource": path,
        "resourceData": {
            "@odata.type": f"#Microsoft.Graph.{word}",
            "@odata.id": path,
            "@odata.etag": ETAG,
            "id": item_id,
        },
        "clientState": build_client_state(keys, watched),
        "tenantId": TENANT,
    }
    return {name: value for name, value in (item | changes).items() if value is not None}


def build_lifecycle(event: str, watched: WatchedResource = INBOX, **changes: Any) -> dict[str, Any]:
    """Give a lifecycle notification; Graph leaves changeType, resource and resourceData out of it."""
    item = {
        "subscriptionId": SUBSCRIPTION,
        "subscriptionExpirationDateTime": "2026-11-30T11:00:00.0000000Z",
        "tenantId": TENANT,
        "clientState": build_client_state(KEYS, watched),
        "lifecycleEvent": event,
    }
    return {name: value for name, value in (item | changes).items() if value is not None}


def build_body(*items: Any, **more: Any) -> bytes:
    """Give the body of a POST with these items."""
    return json.dumps({"value": list(items), **more}).encode()
