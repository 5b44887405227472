"""Graph's subscriptions of this application: the `SubscriptionApi` of the keeper.

A client state goes out and never comes back; none is put into an error.
"""

from __future__ import annotations

from datetime import datetime

from service.errors import GoneError
from service.graph.dispatch import Sender
from service.graph.node import page_items, require_object
from service.graph.pages import read_pages
from service.graph.parse_subscription import parse_subscription
from service.graph.requests import (
    build_renewal,
    build_subscription_creation,
    build_subscription_deletion,
    build_subscription_list,
)
from service.ports import GraphSubscription, SubscriptionSpec


class GraphSubscriptions:
    """Makes, lists, renews and ends subscriptions. Calls under way at one time may share a `$batch`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def list_subscriptions(self) -> tuple[GraphSubscription, ...]:
        """Give all that this application holds in the tenant, whatever made them.

        Raises:
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/subscription-list
        """
        found: list[GraphSubscription] = []
        for answer in await read_pages(self._sender, build_subscription_list()):
            found += [parse_subscription(node) for node in page_items(answer.payload())]
        return tuple(found)

    async def create_subscription(self, spec: SubscriptionSpec) -> GraphSubscription:
        """Make one; the handshake happens before this returns.

        Raises:
            ConflictError: there is one for the same resource and change type.
            RefusedError: the handshake failed, or the lifetime is too long.
            AccessError: the mailbox may not be read, or has its quota of subscriptions.
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/subscription-post-subscriptions
        """
        answer = await self._sender.send(build_subscription_creation(spec))
        return parse_subscription(require_object(answer.payload()))

    async def renew_subscription(
        self, subscription_id: str, expires_at: datetime, *, certificate: str = "", certificate_id: str = ""
    ) -> GraphSubscription:
        """Move the end, and with a certificate change the keys; reauthorizes too.

        Raises:
            GoneError: it has ended.
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/subscription-update
        """
        request = build_renewal(
            subscription_id, expires_at, certificate=certificate, certificate_id=certificate_id
        )
        answer = await self._sender.send(request)
        return parse_subscription(require_object(answer.payload()))

    async def delete_subscription(self, subscription_id: str) -> None:
        """End it; already ended is fine.

        Raises:
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/subscription-delete
        """
        try:
            await self._sender.send(build_subscription_deletion(subscription_id))
        except GoneError:
            return
