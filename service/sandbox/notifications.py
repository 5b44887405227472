"""How a change, or the life of a subscription, is told: the items that are sent to webhooks. No I/O.

The spellings differ from item to item as they do in Graph's own samples; nothing may be read out of them.
Source: https://learn.microsoft.com/graph/api/resources/changenotification
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Final

from service.sandbox.subscription_book import Subscription
from service.sandbox.wire import Change

_COLLECTIONS: Final = {"message": "Messages", "event": "Events"}
_TYPES: Final = {"message": "Message", "event": "Event"}
_OFFSETS: Final = (None, UTC, timezone(timedelta(hours=5, minutes=30)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """For whom a validation token is made.

    Attributes:
        audience: the application, or what `notificationUrlAppId` says.
        authority: issuer as the application knows it.
    """

    audience: str
    authority: str


class NotificationWriter:
    """Writes the items."""

    def __init__(self, *, tenant_id: str, random: Random) -> None:
        self._tenant_id = tenant_id
        self._random = random

    def write_change(self, subscription: Subscription, change: Change, item_id: str) -> dict[str, Any]:
        """Tell of a change.

        Args:
            item_id: as the subscription knows ids, immutable or not.
        """
        resource = self._spell_resource(change, item_id)
        data = {"@odata.type": self._spell_type(subscription, change), "@odata.id": resource}
        if change.etag:
            data["@odata.etag"] = change.etag
        item = {
            "subscriptionId": subscription.id,
            "subscriptionExpirationDateTime": self._spell_expiry(subscription.expires_at),
            "changeType": change.change,
            "resource": resource,
            "resourceData": data | {"id": item_id},
            **self._write_client_state(subscription),
            "tenantId": self._tenant_id,
        }
        if self._random.random() < 0.5:
            item["id"] = self._random.randbytes(9).hex()
        return item

    def write_lifecycle(self, subscription: Subscription, event: str) -> dict[str, Any]:
        """Tell of the subscription's own life.

        Args:
            event: `reauthorizationRequired`, `subscriptionRemoved` or `missed`.

        Source: https://learn.microsoft.com/graph/change-notifications-lifecycle-events
        """
        return {
            "lifecycleEvent": event,
            "subscriptionId": subscription.id,
            "subscriptionExpirationDateTime": self._spell_expiry(subscription.expires_at),
            **self._write_client_state(subscription),
            "tenantId": self._tenant_id,
        }

    def _write_client_state(self, subscription: Subscription) -> dict[str, Any]:
        """Without a client state, Graph sends null or no member at all."""
        if subscription.client_state is None and self._random.random() < 0.5:
            return {}
        return {"clientState": subscription.client_state}

    def _spell_resource(self, change: Change, item_id: str) -> str:
        collection = _COLLECTIONS[change.kind]
        return self._random.choice((
            f"Users/{change.user_id}/{collection}/{item_id}",
            f"users/{change.user_id}@{self._tenant_id}/{collection.lower()}/{item_id}",
            f"Users('{change.user_id}')/{collection.lower()}('{item_id}')",
        ))  # fmt: skip

    def _spell_type(self, subscription: Subscription, change: Change) -> str:
        if subscription.encryption is not None:
            return f"#microsoft.graph.{_TYPES[change.kind].lower()}"
        return f"#Microsoft.Graph.{_TYPES[change.kind]}"

    def _spell_expiry(self, at: datetime) -> str:
        offset = self._random.choice(_OFFSETS)
        if offset is None:
            return spell_instant(at)
        local = at.astimezone(offset).isoformat(timespec="microseconds")
        return f"{local[:26]}0{local[26:]}"


def spell_instant(at: datetime) -> str:
    """Give an instant in UTC with seven fractional digits."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}0Z"
