"""`/subscriptions` as Graph serves it: create, list, read, renew, reauthorize, delete.

Must never give a client state back, and never make a subscription whose endpoint did not answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, Protocol

from service.sandbox.faults import FaultBoard
from service.sandbox.handshake import build_timeout
from service.sandbox.item_options import read_filter
from service.sandbox.notifications import spell_instant
from service.sandbox.odata import parse_preferences, read_number
from service.sandbox.registration import Application
from service.sandbox.routing import Router
from service.sandbox.subscription_book import (
    PER_MAILBOX_MAX,
    Subscription,
    SubscriptionBook,
    Watch,
    build_key,
)
from service.sandbox.subscription_request import Creation, read_amendment, read_creation
from service.sandbox.subscription_resource import refuse_operation
from service.sandbox.subscription_watch import WatchFinder, grant_lifetime
from service.sandbox.wire import Caller, GraphFault, GraphRequest, GraphResponse, SandboxClock
from service.sandbox.world import World

PAGE_SIZE: Final = 100


class Followers(Protocol):
    """Who is told that a subscription came or was given more time."""

    def follow(self, subscription: Subscription) -> None: ...


class Subscriptions:
    """The resource and its rules.

    Source: https://learn.microsoft.com/graph/api/resources/subscription
    """

    def __init__(
        self,
        *,
        world: World,
        clock: SandboxClock,
        book: SubscriptionBook,
        application: Application,
        faults: FaultBoard,
        validate: Callable[[str], Awaitable[None]],
        followers: Followers,
    ) -> None:
        self._world = world
        self._watches = WatchFinder(world=world, application=application)
        self._clock = clock
        self._book = book
        self._application = application
        self._faults = faults
        self._validate = validate
        self._followers = followers
        self._being_made: set[tuple[Any, ...]] = set()

    def add_routes(self, router: Router) -> None:
        """Serve the resource."""
        router.add("POST", "subscriptions", self._create)
        router.add("GET", "subscriptions", self._list)
        router.add("GET", "subscriptions/{id}", self._show)
        router.add("PATCH", "subscriptions/{id}", self._amend)
        router.add("DELETE", "subscriptions/{id}", self._delete)
        router.add("POST", "subscriptions/{id}/reauthorize", self._reauthorize)

    # --- create ---

    async def _create(self, request: GraphRequest) -> GraphResponse:
        _refuse_options(request)
        creation = read_creation(request.body)
        watch = self._watches.resolve(creation.path, request.caller)
        expires_at = self._grant_lifetime(creation.expires_at, is_rich=creation.encryption is not None)
        key = build_key(request.caller.app_id, watch, creation.change_types)
        self._refuse_duplicate(key)
        self._being_made.add(key)
        try:
            await self._shake_hands(creation)
            self._check_quota(watch)
            subscription = self._build(creation, watch, request, expires_at)
            self._book.add(subscription)
        finally:
            self._being_made.discard(key)
        self._followers.follow(subscription)
        applied = parse_preferences(request.headers.get("prefer", "")).applied
        return GraphResponse(
            status=201,
            body=self._render(subscription, request),
            headers={"Preference-Applied": ", ".join(applied)} if applied else {},
        )

    def _build(
        self, creation: Creation, watch: Watch, request: GraphRequest, expires_at: datetime
    ) -> Subscription:
        caller = request.caller
        return Subscription(
            id=self._world.ids.guid(),
            app_id=caller.app_id,
            creator_id=caller.user_id or self._application.object_id,
            made_by_person=caller.user_id is not None,
            resource=creation.resource,
            watch=watch,
            change_types=creation.change_types,
            notification_url=creation.notification_url,
            lifecycle_url=creation.lifecycle_url,
            client_state=creation.client_state,
            created_at=self._clock.now(),
            expires_at=expires_at,
            encryption=creation.encryption,
            tls_version=creation.tls_version,
            audience=creation.audience,
            uses_immutable_ids=parse_preferences(request.headers.get("prefer", "")).is_immutable,
            authority=caller.authority,
            test=read_filter(creation.path),
            matching=self._watches.find_matching(watch, read_filter(creation.path)),
        )

    def _refuse_duplicate(self, key: tuple[Any, ...]) -> None:
        self._book.drop_expired(self._clock.now())
        same = self._book.find_same(key)
        if same is not None or key in self._being_made:
            known = "<>" if same is None else same.id
            raise GraphFault(
                409,
                "ObjectIdentifierInUse",
                f"Subscription Id {known} already exists for the requested combination",
            )

    def _check_quota(self, watch: Watch) -> None:
        self._book.drop_expired(self._clock.now())
        if self._book.count_of(watch.user_id) >= PER_MAILBOX_MAX:
            raise refuse_operation(
                "Create",
                403,
                f"The mailbox has the maximum of {PER_MAILBOX_MAX} active subscriptions already.",
            )

    def _grant_lifetime(self, asked: datetime, *, is_rich: bool) -> datetime:
        return grant_lifetime(asked, self._clock.now(), is_rich=is_rich, cap_s=self._faults.active.lifetime_s)

    async def _shake_hands(self, creation: Creation) -> None:
        """Validate both URLs, one after the other, also where they are the same."""
        self._stumble()
        for url in (creation.notification_url, creation.lifecycle_url):
            if url is not None:
                await self._validate(url)

    def _stumble(self) -> None:
        if self._faults.fails_handshake():
            raise build_timeout()

    # --- the others ---

    async def _list(self, request: GraphRequest) -> GraphResponse:
        """List what the caller may see, a page at a time; no option but the link's own."""
        start = _read_skip(request)
        mine = [held for held in self._all() if self._is_visible(held, request.caller)]
        body: dict[str, Any] = {
            "@odata.context": f"{request.base_url}/$metadata#subscriptions",
            "value": [describe(held) for held in mine[start : start + PAGE_SIZE]],
        }
        if len(mine) > start + PAGE_SIZE:
            body["@odata.nextLink"] = f"{request.base_url}/subscriptions?$skiptoken={start + PAGE_SIZE}"
        return GraphResponse(body=body)

    async def _show(self, request: GraphRequest) -> GraphResponse:
        _refuse_options(request)
        return GraphResponse(body=self._render(self._find(request), request))

    async def _amend(self, request: GraphRequest) -> GraphResponse:
        """Renew, which reauthorizes too, or put another certificate in place."""
        _refuse_options(request)
        amendment = read_amendment(request.body)
        subscription = self._find(request)
        if amendment.encryption is not None and subscription.encryption is None:
            raise refuse_operation("Update", 400, "The subscription has no resource data.")
        if amendment.expires_at is not None:
            self._stumble()
            is_rich = subscription.encryption is not None
            subscription.expires_at = self._grant_lifetime(amendment.expires_at, is_rich=is_rich)
            self._book.reschedule(subscription)
            self._followers.follow(subscription)
        subscription.encryption = amendment.encryption or subscription.encryption
        subscription.reauthorized_at = self._clock.now()
        return GraphResponse(body=self._render(subscription, request))

    async def _reauthorize(self, request: GraphRequest) -> GraphResponse:
        _refuse_options(request)
        subscription = self._find(request)
        self._stumble()
        subscription.reauthorized_at = self._clock.now()
        return GraphResponse(status=204)

    async def _delete(self, request: GraphRequest) -> GraphResponse:
        _refuse_options(request)
        self._book.remove(self._find(request))
        return GraphResponse(status=204)

    def _all(self) -> tuple[Subscription, ...]:
        self._book.drop_expired(self._clock.now())
        return tuple(self._book.list_all())

    def _find(self, request: GraphRequest) -> Subscription:
        self._book.drop_expired(self._clock.now())
        found = self._book.find(request.segments[1])
        if found is None or not self._is_visible(found, request.caller):
            raise GraphFault(404, "ResourceNotFound", "The object was not found.")
        return found

    @staticmethod
    def _is_visible(subscription: Subscription, caller: Caller) -> bool:
        """An application sees what it made, for itself or for people; a person what they made with it."""
        if subscription.app_id != caller.app_id:
            return False
        return caller.user_id is None or (
            subscription.made_by_person and subscription.creator_id == caller.user_id
        )

    @staticmethod
    def _render(subscription: Subscription, request: GraphRequest) -> dict[str, Any]:
        context = {"@odata.context": f"{request.base_url}/$metadata#subscriptions/$entity"}
        return context | describe(subscription)


def describe(subscription: Subscription) -> dict[str, Any]:
    """Show a subscription without its secrets.

    Source: https://learn.microsoft.com/graph/api/subscription-get
    """
    encryption = subscription.encryption
    return {
        "id": subscription.id,
        "resource": subscription.resource,
        "applicationId": subscription.app_id,
        "changeType": ",".join(subscription.change_types),
        "clientState": None,
        "notificationUrl": subscription.notification_url,
        "notificationQueryOptions": None,
        "lifecycleNotificationUrl": subscription.lifecycle_url,
        "expirationDateTime": spell_instant(subscription.expires_at),
        "creatorId": subscription.creator_id,
        "includeResourceData": True if encryption is not None else None,
        "latestSupportedTlsVersion": subscription.tls_version,
        "encryptionCertificate": None,
        "encryptionCertificateId": None if encryption is None else encryption.certificate_id,
        "notificationUrlAppId": subscription.audience,
    }


def _refuse_options(request: GraphRequest) -> None:
    if request.query:
        raise GraphFault(400, "BadRequest", f"The query option '{request.query[0][0]}' is not supported.")


def _read_skip(request: GraphRequest) -> int:
    if not request.query:
        return 0
    name, value = request.query[0]
    if len(request.query) > 1 or name != "$skiptoken":
        raise GraphFault(400, "BadRequest", f"The query option '{name}' is not supported.")
    return read_number(value, name, minimum=0)
