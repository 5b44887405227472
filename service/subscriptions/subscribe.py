"""Carries out what was planned, one resource at a time. Must never delete what is not ours.

Replacing: try to create; where Graph says that there is one already, delete ours and create again. The gap
that this leaves is closed by the delta round that follows every creation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from service.clock import Clock
from service.errors import ConflictError, GoneError, RefusedError
from service.intake import client_state
from service.intake.client_state import ClientStateKeys, ResourceKind, WatchedResource
from service.ports import GraphSubscription, SubscriptionApi, SubscriptionSpec
from service.subscriptions.faults import classify_fault, is_lifetime_refusal
from service.subscriptions.lifetimes import Lifetimes
from service.subscriptions.plan import Adopt, WantedSubscription, choose_good
from service.subscriptions.records import FaultKind, SubscriptionRecord
from service.subscriptions.resource_data import Certificate, ResourceData
from service.subscriptions.resources import name_resource

_log = structlog.get_logger("keeper")

MESSAGE_CHANGES: Final = "created"
"""An answer that arrives is a message created; `updated` would bring every mail that is read."""
EVENT_CHANGES: Final = "created,updated,deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where Graph is to deliver, and how we know that it is ours.

    Attributes:
        public_url: https base that Graph can reach.
        deployment: the tag that marks our subscriptions.
        resource_data: what is to come along with notifications; None where nothing is.
    """

    public_url: str
    deployment: str
    keys: ClientStateKeys
    resource_data: ResourceData | None = None

    def is_ours(self, subscription: GraphSubscription) -> bool:
        """Tell our deployment's subscriptions, also those made under another PUBLIC_URL."""
        return client_state.is_ours(subscription.notification_url, self.deployment)

    def describe(self, resource: WatchedResource) -> WantedSubscription:
        """Give the subscription that a resource needs.

        Raises:
            MailboxKeyError: the mailbox key does not fit into a client state.
        """
        is_calendar = resource.kind is ResourceKind.CALENDAR
        data = self.resource_data
        certificate = data.certificate if data else Certificate(id="", encoded="")
        query, *lesser = data.list_queries(resource.kind) if data else ("",)
        path = client_state.resource_path(resource)
        return WantedSubscription(
            name=name_resource(resource),
            resource=resource,
            path=f"{path}?{query}" if query else path,
            change_type=EVENT_CHANGES if is_calendar else MESSAGE_CHANGES,
            notification_url=client_state.notification_url(
                self.public_url, self.deployment, key_tag=client_state.tag_keys(self.keys)
            ),
            lifecycle_url=client_state.lifecycle_url(self.public_url, self.deployment),
            client_state_tag=_digest(client_state.build_client_state(self.keys, resource)),
            certificate=certificate.encoded,
            certificate_id=certificate.id,
            lesser_queries=tuple(lesser),
        )

    def build_spec(self, wanted: WantedSubscription, expires_at: datetime) -> SubscriptionSpec:
        """Give what is sent to Graph to make it."""
        return SubscriptionSpec(
            resource=wanted.path,
            change_type=wanted.change_type,
            notification_url=wanted.notification_url,
            lifecycle_url=wanted.lifecycle_url,
            client_state=client_state.build_client_state(self.keys, wanted.resource),
            expires_at=expires_at,
            certificate=wanted.certificate,
            certificate_id=wanted.certificate_id,
            mailbox=wanted.resource.mailbox,
        )


class Guard(Protocol):
    """Asked before each change in Graph."""

    def check(self) -> None:
        """Raises `FencedError` where the lease may be another's by now."""


class Subscriber:
    """Adopts, creates, renews, recreates and deletes; gives back what is to be written down."""

    def __init__(
        self,
        *,
        api: SubscriptionApi,
        destination: Destination,
        lifetimes: Lifetimes,
        clock: Clock,
        guard: Guard,
    ) -> None:
        self._api = api
        self._destination = destination
        self._lifetimes = lifetimes
        self._clock = clock
        self._guard = guard

    @property
    def asked_s(self) -> float:
        """The lifetime that is asked for."""
        return self._lifetimes.ask_s

    def adopt(self, action: Adopt, previous: SubscriptionRecord | None) -> SubscriptionRecord:
        """Write down one that Graph holds; its lifetime is taken to be what we ask for."""
        now = self._clock.now()
        left_s = (action.subscription.expires_at - now).total_seconds()
        known = previous if previous is not None and previous.id == action.subscription.id else None
        return _record(
            action.wanted,
            action.subscription,
            lifetime_s=known.lifetime_s if known else min(self._lifetimes.ask_s, left_s),
            created_at=(known.created_at if known else None) or now,
            renewed_at=known.renewed_at if known else None,
            certificate_id=action.subscription.certificate_id or (known.certificate_id if known else ""),
        )

    async def create(self, wanted: WantedSubscription, replaces: Sequence[str] = ()) -> SubscriptionRecord:
        """Make one, then delete those that it replaces.

        Raises:
            ConflictError: a subscription that is not ours stands in the way.
            GraphError, TokenError: it was not made.
        """
        try:
            record = await self._create(wanted)
        except ConflictError:
            return await self._create_after_conflict(wanted, replaces)
        await self._delete_all([one for one in replaces if one != record.id])
        return record

    async def renew(self, wanted: WantedSubscription, previous: SubscriptionRecord) -> SubscriptionRecord:
        """Move the end, and to another certificate where that is wanted; this reauthorizes too.

        One that has ended meanwhile, or that Graph does not move, is made anew.
        """
        self._guard.check()
        asked_at = self._clock.now()
        ask_s = self._lifetimes.ask_s
        is_moved = previous.certificate_id != wanted.certificate_id
        try:
            renewed = await self._api.renew_subscription(
                previous.id,
                asked_at + timedelta(seconds=ask_s),
                certificate=wanted.certificate if is_moved else "",
                certificate_id=wanted.certificate_id if is_moved else "",
            )
        except GoneError:
            return await self.create(wanted)
        except RefusedError as error:
            if is_lifetime_refusal(error) and self._lifetimes.learn_refusal(ask_s):
                return await self.renew(wanted, previous)
            if is_moved and classify_fault(error) is FaultKind.REFUSED:
                return await self.create(wanted, [previous.id])
            raise
        return _record(
            wanted,
            renewed,
            lifetime_s=_reckon_lifetime(renewed, asked_at),
            created_at=previous.created_at or asked_at,
            renewed_at=self._clock.now(),
        )

    async def delete(self, subscription_id: str) -> None:
        """End one of ours."""
        self._guard.check()
        await self._api.delete_subscription(subscription_id)

    async def list_held(self) -> tuple[GraphSubscription, ...]:
        """Give everything that the application holds in the tenant."""
        return await self._api.list_subscriptions()

    async def _create(self, wanted: WantedSubscription) -> SubscriptionRecord:
        self._guard.check()
        asked_at = self._clock.now()
        ask_s = self._lifetimes.ask_s
        spec = self._destination.build_spec(wanted, asked_at + timedelta(seconds=ask_s))
        try:
            created = await self._api.create_subscription(spec)
        except RefusedError as error:
            if is_lifetime_refusal(error) and self._lifetimes.learn_refusal(ask_s):
                return await self._create(wanted)
            if self._learn_query_refusal(wanted, error):
                return await self._create(self._destination.describe(wanted.resource))
            raise
        return _record(wanted, created, lifetime_s=_reckon_lifetime(created, asked_at), created_at=asked_at)

    def _learn_query_refusal(self, wanted: WantedSubscription, error: RefusedError) -> bool:
        data, query = self._destination.resource_data, wanted.path.partition("?")[2]
        if data is None or not data.learn_refusal(wanted.resource.kind, error, query):
            return False
        _log.warning("subscription.asked_less", resource=wanted.name, reason=str(error))
        return True

    async def _create_after_conflict(
        self, wanted: WantedSubscription, replaces: Sequence[str]
    ) -> SubscriptionRecord:
        """Adopt what stands there if it is ours and good, else delete ours and create again."""
        ours = [one for one in await self._api.list_subscriptions() if self._is_ours_for(wanted, one)]
        now = self._clock.now()
        usable = [one for one in ours if one.id not in replaces]
        kept = choose_good(wanted, None, usable, now=now)
        await self._delete_all([one.id for one in ours if one is not kept])
        if kept is None:
            return await self._create(wanted)
        return self.adopt(Adopt(wanted=wanted, subscription=kept), None)

    def _is_ours_for(self, wanted: WantedSubscription, one: GraphSubscription) -> bool:
        is_same = client_state.parse_resource_path(one.resource) == wanted.resource
        return is_same and self._destination.is_ours(one)

    async def _delete_all(self, ids: Sequence[str]) -> None:
        for subscription_id in ids:
            await self.delete(subscription_id)


def _reckon_lifetime(granted: GraphSubscription, asked_at: datetime) -> float:
    return max((granted.expires_at - asked_at).total_seconds(), 1.0)


def _record(
    wanted: WantedSubscription,
    subscription: GraphSubscription,
    *,
    lifetime_s: float,
    created_at: datetime,
    renewed_at: datetime | None = None,
    certificate_id: str | None = None,
) -> SubscriptionRecord:
    return SubscriptionRecord(
        id=subscription.id,
        expires_at=subscription.expires_at,
        lifetime_s=max(lifetime_s, 1.0),
        created_at=created_at,
        renewed_at=renewed_at,
        client_state_tag=wanted.client_state_tag,
        certificate_id=wanted.certificate_id if certificate_id is None else certificate_id,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
