"""Who is told of a change, what becomes of notifications that cannot be sent, and the quota of a mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from service.sandbox.endpoint_health import PENALTY, EndpointHealth
from service.sandbox.faults import FaultBoard, Faults
from service.sandbox.notifications import NotificationWriter
from service.sandbox.outbox import Outbox, OutboxLimits
from service.sandbox.personas import seed_walkthrough
from service.sandbox.postman import Postman
from service.sandbox.registration import Application
from service.sandbox.routing import Router
from service.sandbox.subscription_book import PER_MAILBOX_MAX, Subscription, SubscriptionBook, Watch
from service.sandbox.subscriptions import Subscriptions
from service.sandbox.wire import Caller, GraphRequest, GraphResponse
from service.sandbox.world import World
from tests.unit.sandbox.turning import ADELE, NOON, build_subscription, standing_clock

HOOK = "https://localhost:1/graph"
ALEX = "64339082-ed84-4b0b-b4ab-004ae54f3747"


class Office:
    """A world with a postman, and what became of notifications."""

    def __init__(self, **limits: int) -> None:
        self.clock = standing_clock()
        self.world = World(self.clock, seed=1)
        seed_walkthrough(self.world)
        self.book = SubscriptionBook()
        self.faults = FaultBoard(Random(1))
        self.health = EndpointHealth()
        self.application = Application(app_id="app", object_id="principal", secret="s")
        self.outbox = Outbox(clock=self.clock, random=Random(1), limits=OutboxLimits(batch_max=1, **limits))
        self.lost: list[str] = []
        self.followed: list[str] = []
        postman = Postman(
            world=self.world,
            clock=self.clock,
            book=self.book,
            application=self.application,
            writer=NotificationWriter(tenant_id="T", random=Random(1)),
            faults=self.faults,
            health=self.health,
            outbox=self.outbox,
        )
        postman.on_loss = lambda subscription: self.lost.append(subscription.id)
        self.world.observe(postman)

    def follow(self, subscription: Subscription) -> None:
        self.followed.append(subscription.id)

    def watch(self, id_: str = "s1", **members: Any) -> Subscription:
        subscription = build_subscription(id_, **members)
        self.book.add(subscription)
        return subscription

    def mail(self, to: str = "adelev@contoso.onmicrosoft.com") -> str:
        return self.world.send_mail(to, "a@fabrikam.com", "s").id

    def told(self) -> list[tuple[str, str]]:
        """Give subscription and change type of everything that is ready now."""
        return [(item["subscriptionId"], item["changeType"]) for item in self._drain()]

    def _drain(self) -> Iterator[dict[str, Any]]:
        for url in self.outbox.release_due():
            while batch := self.outbox.take(url):
                yield from (outgoing.item for outgoing in batch)


def test_a_change_reaches_every_subscription_that_covers_it_and_no_other() -> None:
    office = Office()
    inbox = office.world.mailbox(ADELE).find_folder("inbox").id
    drafts = office.world.mailbox(ADELE).find_folder("drafts").id
    office.watch("all")
    office.watch("inbox", watch=Watch(user_id=ADELE, kind="message", folder_id=inbox))
    office.watch("drafts", watch=Watch(user_id=ADELE, kind="message", folder_id=drafts))
    office.watch("events", watch=Watch(user_id=ADELE, kind="event"))
    office.watch("alex", watch=Watch(user_id=ALEX, kind="message"))
    office.watch("updates", change_types=("updated", "deleted"))
    office.mail()
    assert office.told() == [("all", "created"), ("inbox", "created")]


def test_a_move_is_a_deletion_in_one_folder_and_a_creation_in_the_other() -> None:
    office = Office()
    box = office.world.mailbox(ADELE)
    message = box.find_message(office.mail())
    for folder in ("inbox", "archive"):
        watch = Watch(user_id=ADELE, kind="message", folder_id=box.find_folder(folder).id)
        office.watch(folder, watch=watch, change_types=("created", "updated", "deleted"))
    box.move_message(message, box.find_folder("archive"))
    assert office.told() == [("inbox", "deleted"), ("archive", "created")]


def test_an_ended_subscription_is_told_nothing() -> None:
    office = Office()
    office.watch(expires_at=NOON + timedelta(minutes=5))
    office.clock.advance(300)
    office.mail()
    assert office.told() == []


def test_an_application_that_lost_access_is_told_nothing_and_a_person_still_is() -> None:
    office = Office()
    office.watch("app")
    office.watch("person", made_by_person=True, app_id="other")
    office.application.denied_mailboxes = frozenset({ADELE})
    office.mail()
    assert office.told() == [("person", "created")]


def test_notifications_for_a_slow_endpoint_wait_ten_minutes() -> None:
    office = Office()
    office.watch()
    for _ in range(100):
        office.health.record(HOOK, 4.0, office.clock.now())
    office.mail()
    assert office.told() == []
    office.clock.advance(PENALTY.total_seconds())
    assert office.told() == [("s1", "created")]


def test_notifications_for_an_endpoint_in_drop_state_are_lost_and_reported() -> None:
    office = Office()
    office.watch()
    for _ in range(100):
        office.health.record(HOOK, 12.0, office.clock.now())
    office.mail()
    office.clock.advance(3600)
    assert office.told() == []
    assert office.lost == ["s1"]


def test_what_does_not_fit_into_the_outbox_is_reported_and_a_drop_fault_is_not() -> None:
    office = Office(items_max=1)
    office.watch()
    office.mail()
    office.mail()
    assert office.lost == ["s1"]
    office.faults.active = Faults(drop=1)
    office.mail()
    assert office.lost == ["s1"], "a fault loses notifications without a word"


# --- the quota ---


def build_router(office: Office) -> Router:
    async def shake_hands(url: str) -> None:
        assert url == HOOK

    router = Router(office.clock)
    Subscriptions(
        world=office.world,
        clock=office.clock,
        book=office.book,
        application=office.application,
        faults=office.faults,
        validate=shake_hands,
        followers=office,
    ).add_routes(router)
    return router


REQUEST = GraphRequest(
    method="POST",
    segments=("subscriptions",),
    query=(),
    headers={},
    body=None,
    caller=Caller(user_id=None, app_id="app", permissions=frozenset({"Mail.Read", "Calendars.Read"})),
    base_url="https://localhost:1/v1.0",
    url="https://localhost:1/v1.0/subscriptions",
)


async def subscribe(router: Router, resource: str) -> GraphResponse:
    body = {
        "changeType": "created",
        "notificationUrl": HOOK,
        "resource": resource,
        "expirationDateTime": "2026-03-02T13:00:00Z",
    }
    return await router.dispatch(replace(REQUEST, body=body))


async def test_a_mailbox_bears_a_thousand_subscriptions_and_then_says_why_not() -> None:
    office = Office()
    router = build_router(office)
    for number in range(PER_MAILBOX_MAX):
        made = await subscribe(router, f"users/{ADELE}/messages?$filter=subject eq '{number}'")
        assert made.status == 201
    refused = await subscribe(router, f"users/{ADELE}/messages")
    assert (refused.status, refused.body["error"]["code"]) == (403, "ExtensionError")
    assert "maximum of 1000 active subscriptions" in refused.body["error"]["message"]
    assert (await subscribe(router, f"users/{ALEX}/messages")).status == 201
    office.clock.advance(3600)
    assert (await subscribe(router, f"users/{ADELE}/events")).status == 201
    assert len(office.book) == 1
    assert len(office.followed) == PER_MAILBOX_MAX + 2


@pytest.mark.parametrize("status", ["created", "refused"])
async def test_a_subscription_that_was_refused_may_be_asked_for_again(status: str) -> None:
    office = Office()
    router = build_router(office)
    office.faults.active = Faults(handshake=1 if status == "refused" else 0)
    first = await subscribe(router, f"users/{ADELE}/messages")
    office.faults.active = Faults()
    second = await subscribe(router, f"users/{ADELE}/messages")
    assert (first.status, second.status) == ((201, 409) if status == "created" else (400, 201))
