"""Graph's subscriptions of this application: the `SubscriptionApi` of the keeper.

One that a person made is renewed and ended in that person's name. A client state goes out and never comes
back; none is put into an error.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Protocol

from service.errors import GoneError, SignInError
from service.graph.dispatch import Sender
from service.graph.node import page_items, require_object
from service.graph.pages import read_pages
from service.graph.parse_subscription import parse_subscription
from service.graph.subscription_requests import (
    build_renewal,
    build_subscription_creation,
    build_subscription_deletion,
    build_subscription_list,
)
from service.ports import GraphSubscription, SubscriptionSpec


class Makers(Protocol):
    """In whose names subscriptions can be made."""

    @property
    def has_application(self) -> bool:
        """Tell whether the application may ask in its own name."""

    def list_people(self) -> tuple[str, ...]:
        """Give the object id of everybody who has signed in, in order."""

    def find(self, mailbox: str) -> str | None:
        """Give the object id of whose mailbox it is; None where they have not signed in."""


class GraphSubscriptions:
    """Makes, lists, renews and ends subscriptions. Calls under way at one time may share a `$batch`.

    Args:
        makers: None where all are the application's.
    """

    def __init__(self, sender: Sender, makers: Makers | None = None) -> None:
        self._sender = sender
        self._makers = makers
        self._made_by: dict[str, str] = {}

    async def list_subscriptions(self) -> tuple[GraphSubscription, ...]:
        """Give all that this application holds in the tenant, whatever made them.

        Those in the name of somebody whose sign-in has ended are left out: nobody can see them any more.

        Raises:
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/subscription-list
        """
        found: dict[str, GraphSubscription] = {}
        made_by: dict[str, str] = {}
        for person in self._list_makers():
            try:
                listed = await self._list_of(person)
            except SignInError:
                continue
            found |= {one.id: one for one in listed}
            made_by |= {one.id: person for one in listed}
        self._made_by = made_by
        return tuple(found.values())

    def _list_makers(self) -> tuple[str, ...]:
        """Give in whose names to ask, the application first: it may see those of persons as well."""
        if self._makers is None:
            return ("",)
        return (*([""] if self._makers.has_application else []), *self._makers.list_people())

    async def _list_of(self, person: str) -> list[GraphSubscription]:
        found: list[GraphSubscription] = []
        for answer in await read_pages(self._sender, build_subscription_list(person)):
            found += [parse_subscription(node) for node in page_items(answer.payload())]
        return found

    async def create_subscription(self, spec: SubscriptionSpec) -> GraphSubscription:
        """Make one; the handshake happens before this returns.

        Raises:
            ConflictError: there is one for the same resource and change type.
            RefusedError: the handshake failed, or the lifetime is too long.
            AccessError: the mailbox may not be read, or has its quota of subscriptions.
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/subscription-post-subscriptions
        """
        maker = "" if self._makers is None else self._makers.find(spec.mailbox) or ""
        answer = await self._sender.send(build_subscription_creation(spec))
        created = parse_subscription(require_object(answer.payload()))
        self._made_by[created.id] = maker
        return created

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
            subscription_id,
            expires_at,
            certificate=certificate,
            certificate_id=certificate_id,
            person=await self._find_maker(subscription_id),
        )
        answer = await self._sender.send(request)
        return parse_subscription(require_object(answer.payload()))

    async def delete_subscription(self, subscription_id: str) -> None:
        """End it; already ended is fine, and so is one whose maker's sign-in has: it ends by itself in days.

        Raises:
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/subscription-delete
        """
        person = await self._find_maker(subscription_id)
        with contextlib.suppress(GoneError, SignInError):
            await self._sender.send(build_subscription_deletion(subscription_id, person=person))
        self._made_by.pop(subscription_id, None)

    async def _find_maker(self, subscription_id: str) -> str:
        """Tell in whose name it was made; the application's where nobody knows it.

        Raises:
            GraphError, TokenError: it had to be looked for, and could not be.
        """
        makers = self._makers
        if makers is None or (makers.has_application and not makers.list_people()):
            return ""
        if subscription_id not in self._made_by:
            await self.list_subscriptions()
        return self._made_by.get(subscription_id, "")
