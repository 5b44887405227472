"""What is asked to come along: the fullest that Graph takes, under the certificate of the day."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.errors import ConflictError, RefusedError
from service.intake.client_state import ResourceKind, WatchedResource, derive_client_state_keys
from service.ports import GraphSubscription, SubscriptionSpec
from service.reconcile.model import MailboxKey
from service.subscriptions.lifetimes import Lifetimes
from service.subscriptions.plan import Margins, WantedSubscription, is_good, plan_resource
from service.subscriptions.resource_data import Certificate, ResourceData, is_same_query
from service.subscriptions.subscribe import Destination, Subscriber
from tests.unit.subscriptions.fakes import Tenant, VirtualClock

FULL = "$select=id,subject&$expand=singleValueExtendedProperties($filter=id eq 'String 0x001A')"
LESSER = "$select=id,subject"
INBOX = WatchedResource(kind=ResourceKind.INBOX, mailbox=MailboxKey("622eaaff-0683-4862-9de4-f2ec83c2bd98"))
SELECT_REFUSED = RefusedError("400 ExtensionError: Parsing Select and Expand failed.", code="ExtensionError")


class Unguarded:
    def check(self) -> None: ...


class Refusing(Tenant):
    """Refuses what names one of `refused` in its resource."""

    refused: tuple[str, ...] = ()

    async def create_subscription(self, spec: SubscriptionSpec) -> GraphSubscription:
        if any(word in spec.resource for word in self.refused):
            raise SELECT_REFUSED
        return await super().create_subscription(spec)


class Scene:
    """A subscriber before a Graph in memory."""

    def __init__(self, *refused: str) -> None:
        self.clock = VirtualClock()
        self.graph = Refusing(self.clock)
        self.graph.refused = refused
        self.certificate = Certificate(id="first", encoded="AAAA")
        self.data = ResourceData(lambda: self.certificate, dict.fromkeys(ResourceKind, (FULL, LESSER)))
        self.destination = Destination(
            public_url="https://sync.example",
            deployment="default",
            keys=derive_client_state_keys(["k" * 32], "default"),
            resource_data=self.data,
        )
        self.subscriber = Subscriber(
            api=self.graph,
            destination=self.destination,
            lifetimes=Lifetimes(asked_s=86_400),
            clock=self.clock,
            guard=Unguarded(),
        )

    @property
    def wanted(self) -> WantedSubscription:
        return self.destination.describe(INBOX)

    def held(self) -> GraphSubscription:
        (one,) = self.graph.living()
        return one


async def test_the_fullest_query_is_asked_for_with_the_certificate() -> None:
    scene = Scene()
    record = await scene.subscriber.create(scene.wanted)
    assert scene.held().resource.partition("?")[2] == FULL
    assert record.certificate_id == "first"


async def test_where_graph_refuses_a_query_the_next_lesser_one_is_asked_for_from_then_on() -> None:
    scene = Scene("$expand")
    await scene.subscriber.create(scene.wanted)
    assert scene.held().resource.partition("?")[2] == LESSER
    assert scene.wanted.path.partition("?")[2] == LESSER
    assert scene.data.list_queries(ResourceKind.CALENDAR) == (FULL, LESSER), "each kind learns for itself"


async def test_a_query_that_is_the_last_is_not_given_up() -> None:
    scene = Scene("$select")
    with pytest.raises(RefusedError):
        await scene.subscriber.create(scene.wanted)
    assert scene.data.list_queries(ResourceKind.INBOX) == (LESSER,)


@pytest.mark.parametrize(
    "error",
    [
        RefusedError("400 InvalidRequest: Subscription validation request failed.", code="InvalidRequest"),
        RefusedError("403 ExtensionError: Access to OData is disabled.", code="ExtensionError"),
        ConflictError("409", status=409),
    ],
)
def test_other_refusals_teach_nothing(error: RefusedError) -> None:
    scene = Scene()
    assert not scene.data.learn_refusal(ResourceKind.INBOX, error, FULL)
    assert scene.data.list_queries(ResourceKind.INBOX) == (FULL, LESSER)


def test_a_subscription_with_a_lesser_query_is_kept_by_a_keeper_that_has_not_learnt_yet() -> None:
    scene = Scene()
    made = subscription(scene.wanted, query=LESSER)
    assert is_good(scene.wanted, None, made)
    assert not is_good(scene.wanted, None, replace(made, resource=made.resource.replace("subject", "body")))


def subscription(wanted: WantedSubscription, *, query: str) -> GraphSubscription:
    return GraphSubscription(
        id="1",
        resource=f"{wanted.path.partition('?')[0]}?{query}",
        change_type=wanted.change_type,
        notification_url=wanted.notification_url,
        lifecycle_url=wanted.lifecycle_url,
        expires_at=VirtualClock().now().replace(year=2100),
        certificate_id=wanted.certificate_id,
    )


def test_a_new_certificate_is_wanted_at_once_and_nothing_is_left_to_do_once_it_is_named() -> None:
    scene = Scene()
    made = subscription(scene.wanted, query=FULL)
    scene.certificate = Certificate(id="second", encoded="BBBB")
    now, margins = scene.clock.now(), Margins()
    assert (scene.wanted.certificate_id, scene.wanted.certificate) == ("second", "BBBB")
    assert plan_resource(scene.wanted, None, [made], now=now, margins=margins) != ()
    named = replace(made, certificate_id="second")
    assert is_good(scene.wanted, None, named)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("$select=id,Subject", "$select=id,subject", True),
        ("$select=id&$expand=x($filter=id eq 'a')", "$expand=x($filter=id%20eq%20'a')&$select=id", True),
        ("%24select=id", "$select=id", True),
        ("$select=id", "$select=id,subject", False),
        ("", "$select=id", False),
        ("", "", True),
    ],
)
def test_queries_are_compared_however_graph_spells_them(one: str, other: str, is_same: bool) -> None:
    assert is_same_query(one, other) is is_same


@pytest.mark.parametrize("is_refused", [False, True])
async def test_a_rotated_certificate_is_named_by_a_renewal_or_where_graph_refuses_that_anew(
    is_refused: bool,
) -> None:
    scene = Scene()
    first = await scene.subscriber.create(scene.wanted)
    scene.certificate = Certificate(id="second", encoded="BBBB")
    scene.graph.is_moving_refused = is_refused
    second = await scene.subscriber.renew(scene.wanted, first)
    assert (first.certificate_id, second.certificate_id) == ("first", "second")
    assert (scene.held().id == first.id) == (not is_refused)
    assert scene.held().id == second.id
    again = await scene.subscriber.renew(scene.wanted, second)
    assert again.id == second.id, "a renewal that moves nothing names no certificate"
