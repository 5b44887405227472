"""The sandbox without sockets: its own world, router, subscriptions and delivery, on the virtual clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any, Final, Protocol, cast
from urllib.parse import quote

import aiohttp
from yarl import URL

from service.sandbox.beliefs import Beliefs
from service.sandbox.delivery import Delivery
from service.sandbox.endpoint_health import EndpointHealth
from service.sandbox.faults import FaultBoard
from service.sandbox.gate import Gate
from service.sandbox.handshake import Handshake
from service.sandbox.lifecycle import Lifecycle
from service.sandbox.notifications import NotificationWriter
from service.sandbox.outbox import Outbox, OutboxLimits
from service.sandbox.people import User
from service.sandbox.postman import Postman
from service.sandbox.registration import DELEGATED_SCOPES, Application
from service.sandbox.rich import ValidationTokens
from service.sandbox.router import build_graph_router
from service.sandbox.subscription_book import SubscriptionBook
from service.sandbox.subscriptions import Subscriptions
from service.sandbox.wire import Caller, GraphRequest, GraphResponse, SandboxClock
from service.sandbox.world import World
from tests.simulation.rich import SomeTokens
from tests.simulation.virtual_time import VirtualClock
from tests.simulation.way_to_graph import BASE_URL, Answered, Exchange, build_request

TENANT_ID: Final = "0b7e4f2a-9f4e-4d0e-8d8f-0a8a5b7f9a11"
_PERSONS: Final = {"Prefer": 'IdType="ImmutableId"', "Content-Type": "application/json"}


class Webhook(Protocol):
    """The public side of the service."""

    async def take(self, url: URL, body: bytes | None) -> Answered:
        """Answer one POST.

        Raises:
            ConnectionError, TimeoutError: it did not answer.
        """


class Tenant:
    """Graph, and the people in it.

    Attributes:
        world, book, faults, lifecycle, outbox: the sandbox's own.
    """

    def __init__(self, clock: VirtualClock, beliefs: Beliefs, webhook: Webhook, *, seed: int) -> None:
        self.clock = SandboxClock(clock.now)
        self.world = World(self.clock, beliefs, seed=seed)
        self.application = Application(
            app_id=self.world.ids.guid(), object_id=self.world.ids.guid(), secret="s"
        )
        self.book = SubscriptionBook()
        random = Random(seed)
        self.faults = FaultBoard(random)
        self.outbox = Outbox(clock=self.clock, random=random, limits=OutboxLimits())
        self._session = cast(aiohttp.ClientSession, _Webhooks(webhook))
        self.lifecycle, self.delivery = self._build_delivery(random)
        self.router = build_graph_router(self.world)
        self.router.before = self._pass_gate
        self._gate = Gate(
            clock=self.clock,
            directory=self.world.directory,
            application=self.application,
            faults=self.faults,
        )
        Subscriptions(
            world=self.world,
            clock=self.clock,
            book=self.book,
            application=self.application,
            faults=self.faults,
            validate=Handshake(self._session).validate,
            followers=self.lifecycle,
        ).add_routes(self.router)

    def _build_delivery(self, random: Random) -> tuple[Lifecycle, Delivery]:
        writer = NotificationWriter(tenant_id=TENANT_ID, random=random)
        health = EndpointHealth()
        postman = Postman(
            world=self.world,
            clock=self.clock,
            book=self.book,
            application=self.application,
            writer=writer,
            faults=self.faults,
            health=health,
            outbox=self.outbox,
        )
        lifecycle = Lifecycle(
            clock=self.clock, book=self.book, writer=writer, random=random, send=postman.send_lifecycle
        )
        delivery = Delivery(
            session=self._session,
            clock=self.clock,
            book=self.book,
            outbox=self.outbox,
            lifecycle=lifecycle,
            health=health,
            tokens=cast(ValidationTokens, SomeTokens()),
        )
        postman.on_loss, postman.on_put = lifecycle.report_missed, delivery.wake
        self.world.observe(postman)
        return lifecycle, delivery

    async def _pass_gate(self, request: GraphRequest) -> GraphResponse | None:
        """Disturb and count what the application asks; the people's clients try until it works."""
        return None if request.caller.user_id else await self._gate.check(request)

    @property
    def app(self) -> Caller:
        """The service, as Graph knows it."""
        return Caller(
            user_id=None, app_id=self.application.app_id, permissions=self.application.roles, authority="a"
        )

    # --- what people do ---

    async def ask(self, who: User, method: str, path: str, body: Any = None) -> GraphResponse:
        """Ask Graph as a person.

        Args:
            path: below the version, percent-encoded, begins with a slash.
        """
        caller = Caller(user_id=who.id, app_id="outlook", permissions=DELEGATED_SCOPES, authority="a")
        raw = None if body is None else json.dumps(body).encode()
        url = URL(BASE_URL + path, encoded=True)
        return await self.router.dispatch(build_request(method, url, _PERSONS, raw, caller))

    async def find_calendar(self, who: User, owner: User) -> str:
        """Give the path of an owner's calendar as somebody sees it: the own, or a delegated one."""
        if who is owner:
            return "/me/calendar"
        listed = await self.ask(who, "GET", "/me/calendars")
        found = next(
            one
            for one in listed.body["value"]
            if (one.get("owner") or {}).get("address", "").casefold() == owner.address.casefold()
        )
        return f"/me/calendars/{quote(found['id'], safe='')}"


class _Webhooks:
    """Stands in for the HTTP session by which the sandbox calls webhooks."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    def post(self, url: URL, *, json: Any = None, headers: Mapping[str, str] | None = None, **_: Any) -> Any:
        body = None if json is None else dump(json)
        return Exchange(lambda: self._webhook.take(url, body))


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()
