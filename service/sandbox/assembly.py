"""Builds a sandbox out of its parts; the only file that names them all. Must never hold a rule."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import aiohttp

from service.sandbox.access_tokens import Order, Person, TokenMint
from service.sandbox.delivery import Delivery
from service.sandbox.endpoint_health import EndpointHealth
from service.sandbox.entra import Entra
from service.sandbox.faults import FaultBoard
from service.sandbox.gate import Gate
from service.sandbox.handshake import Handshake
from service.sandbox.keys import KeyRing
from service.sandbox.lifecycle import Lifecycle
from service.sandbox.managed_identity import ManagedIdentity
from service.sandbox.notifications import NotificationWriter
from service.sandbox.options import SandboxOptions
from service.sandbox.outbox import Outbox
from service.sandbox.people import User
from service.sandbox.personas import seed_walkthrough
from service.sandbox.postman import Postman
from service.sandbox.registration import DELEGATED_SCOPES, GRAPH_ROOTS, Application
from service.sandbox.request_log import RequestLog
from service.sandbox.rich import ValidationTokens
from service.sandbox.router import Router, build_graph_router
from service.sandbox.subscription_book import SubscriptionBook
from service.sandbox.subscriptions import Subscriptions
from service.sandbox.wire import GraphFault, SandboxClock
from service.sandbox.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """People, their mailboxes, and who may get tokens for them."""

    options: SandboxOptions
    clock: SandboxClock
    world: World
    people: dict[str, User]
    application: Application
    keys: KeyRing
    mint: TokenMint
    entra: Entra
    managed_identity: ManagedIdentity

    def issue_persona_token(self, user: User, origin: str) -> str:
        """Give somebody's token with every scope, valid for as long as the options say."""
        order = Order(audience=GRAPH_ROOTS[0], permissions=DELEGATED_SCOPES, origin=origin)
        return self.mint.issue_for_person(
            describe_person(user),
            self.application,
            order,
            lifetime_s=self.options.persona_token_lifetime_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Subscriptions, and what is on its way to them."""

    book: SubscriptionBook
    faults: FaultBoard
    outbox: Outbox
    lifecycle: Lifecycle
    validation_tokens: ValidationTokens
    delivery: Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that a running sandbox is made of."""

    tenant: Tenant
    deliveries: Deliveries
    gate: Gate
    router: Router
    requests: RequestLog


def build_parts(options: SandboxOptions, webhooks: aiohttp.ClientSession) -> Parts:
    """Build everything; nothing runs yet.

    Args:
        webhooks: session by which webhooks are called.
    """
    tenant = _build_tenant(options)
    deliveries = _build_deliveries(tenant, webhooks)
    gate = Gate(
        clock=tenant.clock,
        directory=tenant.world.directory,
        application=tenant.application,
        faults=deliveries.faults,
    )
    router = build_graph_router(tenant.world)
    router.before = gate.check
    Subscriptions(
        world=tenant.world,
        clock=tenant.clock,
        book=deliveries.book,
        application=tenant.application,
        faults=deliveries.faults,
        validate=Handshake(webhooks).validate,
        followers=deliveries.lifecycle,
    ).add_routes(router)
    return Parts(tenant=tenant, deliveries=deliveries, gate=gate, router=router, requests=RequestLog())


def _build_tenant(options: SandboxOptions) -> Tenant:
    clock = options.clock or SandboxClock()
    world = World(clock, seed=options.seed)
    application = Application(
        app_id=options.client_id, object_id=world.ids.guid(), secret=options.client_secret
    )
    keys = options.keys or KeyRing()
    mint = TokenMint(keys=keys, clock=clock, tenant_id=options.tenant_id, lifetime_s=options.token_lifetime_s)
    return Tenant(
        options=options,
        clock=clock,
        world=world,
        people=seed_walkthrough(world),
        application=application,
        keys=keys,
        mint=mint,
        entra=Entra(
            mint=mint,
            keys=keys,
            application=application,
            clock=clock,
            find_person=lambda address: _find_person(world, address),
        ),
        managed_identity=ManagedIdentity(mint=mint, application=application, clock=clock),
    )


def _build_deliveries(tenant: Tenant, webhooks: aiohttp.ClientSession) -> Deliveries:
    clock, options = tenant.clock, tenant.options
    random = Random(options.seed)  # noqa: S311 - faults and spellings, no secrets
    book, health = SubscriptionBook(), EndpointHealth()
    outbox = Outbox(clock=clock, random=random, limits=options.outbox)
    faults = FaultBoard(random)
    writer = NotificationWriter(tenant_id=options.tenant_id, random=random)
    postman = Postman(
        world=tenant.world,
        clock=clock,
        book=book,
        application=tenant.application,
        writer=writer,
        faults=faults,
        health=health,
        outbox=outbox,
    )
    lifecycle = Lifecycle(clock=clock, book=book, writer=writer, random=random, send=postman.send_lifecycle)
    tokens = ValidationTokens(
        keys=tenant.keys,
        clock=clock,
        tenant_id=options.tenant_id,
        random=random,
        version=options.validation_token_version,
    )
    delivery = Delivery(
        session=webhooks,
        book=book,
        outbox=outbox,
        lifecycle=lifecycle,
        health=health,
        tokens=tokens,
        clock=clock,
    )
    postman.on_loss, postman.on_put = lifecycle.report_missed, delivery.wake
    tenant.world.observe(postman)
    return Deliveries(
        book=book,
        faults=faults,
        outbox=outbox,
        lifecycle=lifecycle,
        validation_tokens=tokens,
        delivery=delivery,
    )


def describe_person(user: User) -> Person:
    """Give a user as tokens name them."""
    return Person(id=user.id, name=user.name, address=user.address)


def _find_person(world: World, address: str) -> Person | None:
    try:
        return describe_person(world.find_user(address))
    except GraphFault:
        return None
