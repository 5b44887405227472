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
class Parts:
    """Everything that a running sandbox is made of."""

    options: SandboxOptions
    clock: SandboxClock
    world: World
    people: dict[str, User]
    application: Application
    keys: KeyRing
    mint: TokenMint
    entra: Entra
    managed_identity: ManagedIdentity
    book: SubscriptionBook
    faults: FaultBoard
    gate: Gate
    router: Router
    requests: RequestLog
    outbox: Outbox
    lifecycle: Lifecycle
    validation_tokens: ValidationTokens
    delivery: Delivery

    def issue_persona_token(self, user: User, origin: str) -> str:
        """Give somebody's token with every scope, valid for as long as the options say."""
        order = Order(audience=GRAPH_ROOTS[0], permissions=DELEGATED_SCOPES, origin=origin)
        return self.mint.issue_for_person(
            describe_person(user),
            self.application,
            order,
            lifetime_s=self.options.persona_token_lifetime_s,
        )


def build_parts(options: SandboxOptions, webhooks: aiohttp.ClientSession) -> Parts:
    """Build everything; nothing runs yet.

    Args:
        webhooks: session by which webhooks are called.
    """
    clock = options.clock or SandboxClock()
    random = Random(options.seed)  # noqa: S311 - faults and spellings, no secrets
    world = World(clock, seed=options.seed)
    application = Application(
        app_id=options.client_id, object_id=world.ids.guid(), secret=options.client_secret
    )
    keys = options.keys or KeyRing()
    mint = TokenMint(keys=keys, clock=clock, tenant_id=options.tenant_id, lifetime_s=options.token_lifetime_s)
    faults = FaultBoard(random)
    book = SubscriptionBook()
    health = EndpointHealth()
    outbox = Outbox(clock=clock, random=random, limits=options.outbox)
    writer = NotificationWriter(tenant_id=options.tenant_id, random=random)
    postman = Postman(
        world=world,
        clock=clock,
        book=book,
        application=application,
        writer=writer,
        faults=faults,
        health=health,
        outbox=outbox,
    )
    lifecycle = Lifecycle(clock=clock, book=book, writer=writer, random=random, send=postman.send_lifecycle)
    validation_tokens = ValidationTokens(
        keys=keys,
        clock=clock,
        tenant_id=options.tenant_id,
        random=random,
        version=options.validation_token_version,
    )
    delivery = Delivery(
        session=webhooks,
        clock=clock,
        book=book,
        outbox=outbox,
        lifecycle=lifecycle,
        health=health,
        tokens=validation_tokens,
    )
    gate = Gate(clock=clock, directory=world.directory, application=application, faults=faults)
    router = build_graph_router(world)
    router.before = gate.check
    Subscriptions(
        world=world,
        clock=clock,
        book=book,
        application=application,
        faults=faults,
        validate=Handshake(webhooks).validate,
        followers=lifecycle,
    ).add_routes(router)
    people = seed_walkthrough(world)
    postman.on_loss = lifecycle.report_missed
    postman.on_put = delivery.wake
    world.observe(postman)
    return Parts(
        options=options,
        clock=clock,
        world=world,
        people=people,
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
        book=book,
        faults=faults,
        gate=gate,
        router=router,
        requests=RequestLog(),
        outbox=outbox,
        lifecycle=lifecycle,
        validation_tokens=validation_tokens,
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
