"""Whose token each request goes with; and that none of another's travels with it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from service.errors import AccessError, SignInError
from service.graph.answer import Answer
from service.graph.batch import build_batch
from service.graph.dispatch import Dispatcher
from service.graph.holders import Holders
from service.graph.requests import (
    GraphRequest,
    RequestKind,
    build_event_request,
    build_person_request,
    build_person_search,
)
from service.graph.subscription_requests import build_renewal, build_subscription_creation
from service.graph.subscriptions import GraphSubscriptions
from service.ports import SubscriptionSpec
from service.reconcile.model import EventId, OwnerKey
from tests.unit.graph.held_clock import HeldClock, settle
from tests.unit.graph.replies import RecordingObserver, reply
from tests.unit.graph.test_dispatch import Wire, echo

END = datetime(2026, 12, 1, tzinfo=UTC)


class Named:
    """A source of tokens that can be told from others."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def fetch_token(self, *, claims: str = "", rejected: str = "") -> str:
        return f"token of {self.name}"


class Two:
    """Adele and Alex have signed in."""

    def find(self, mailbox: str) -> str | None:
        return {"adele": "adele", "adele@contoso.com": "adele", "alex": "alex"}.get(mailbox)

    def list_people(self) -> tuple[str, ...]:
        return ("adele", "alex")

    def source_of(self, person: str) -> Named:
        return Named(person)


MIXED = Holders(Named("application"), Two())
DELEGATED = Holders(None, Two())


def spec(mailbox: str) -> SubscriptionSpec:
    return SubscriptionSpec(
        resource=f"users/{mailbox}/events",
        change_type="updated",
        notification_url="https://x/graph/notifications",
        lifecycle_url="https://x/graph/lifecycle",
        client_state="state",
        expires_at=END,
        mailbox=mailbox,
    )


def event(owner: str, number: int = 1) -> GraphRequest:
    return build_event_request(OwnerKey(owner), EventId(f"e-{number}"))


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (event("adele"), "adele"),
        (event("alex"), "alex"),
        (event("megan"), "application"),
        (build_person_request("adele@contoso.com"), "adele"),
        (build_person_request("megan@contoso.com"), "application"),
        (build_person_search("adele@contoso.com"), "application"),
        (build_subscription_creation(spec("adele")), "adele"),
        (build_subscription_creation(spec("megan")), "application"),
        (build_renewal("s-1", END), "application"),
        (build_renewal("s-1", END, person="alex"), "alex"),
        (build_batch([event("adele"), event("adele", 2)]), "adele"),
    ],
    ids=lambda one: one if isinstance(one, str) else str(one.kind),
)
async def test_a_mailbox_is_asked_with_its_persons_token_and_all_else_with_the_applications(
    request_: GraphRequest, name: str
) -> None:
    assert await MIXED.source_of(request_).fetch_token() == f"token of {name}"


def test_without_an_application_nobody_is_asked_in_anothers_name() -> None:
    with pytest.raises(SignInError) as caught:
        DELEGATED.source_of(event("megan"))
    assert "response-sync login ADDRESS" in caught.value.remedy
    with pytest.raises(AccessError):  # so that it is known by address alone, and strangers are not looked up
        DELEGATED.source_of(build_person_request("megan@contoso.com"))
    with pytest.raises(AccessError):
        DELEGATED.source_of(build_person_search("adele@contoso.com"))


def test_two_who_have_not_signed_in_are_kept_apart_as_well() -> None:
    names = {DELEGATED.holder_of(event(one)) for one in ("adele", "alex", "megan", "christie")}
    assert len(names) == 4
    assert MIXED.holder_of(event("megan")) == MIXED.holder_of(event("christie")) == ""


async def test_a_batch_never_mixes_tokens() -> None:
    clock, wire = HeldClock(), Wire(echo)
    dispatcher = Dispatcher(wire, clock=clock, observer=RecordingObserver(), holder_of=MIXED.holder_of)
    owners = ("adele", "megan", "alex", "christie")
    asked = [
        asyncio.create_task(dispatcher.send(event(owner, number))) for number in (1, 2) for owner in owners
    ]
    await settle()
    await clock.advance(1)
    await asyncio.gather(*asked)
    holders = []
    for one in wire.sent:
        assert one.kind is RequestKind.BATCH
        assert one.body is not None
        within = {part["url"].split("/")[2] for part in one.body["requests"]}
        holders.append((MIXED.holder_of(one), within))
    assert sorted(holders, key=lambda one: one[0]) == [
        ("", {"megan", "christie"}),
        ("adele", {"adele"}),
        ("alex", {"alex"}),
    ]
    await dispatcher.close()


class Tenant:
    """Holds subscriptions by who made them."""

    def __init__(self) -> None:
        self.sent: list[GraphRequest] = []
        self.held = {"": ["s-app", "s-alex"], "adele": [], "alex": ["s-alex"]}
        self.ended: set[str] = set()

    async def exchange(self, request: GraphRequest) -> Answer:
        return await self.send(request)

    async def send(self, request: GraphRequest) -> Answer:
        self.sent.append(request)
        if request.asker in self.ended:
            raise SignInError("ended", code="AADSTS50173")
        if request.kind is RequestKind.SUBSCRIPTIONS:
            return reply({"value": [_describe(one) for one in self.held[request.asker]]})
        return reply(_describe("s-new"))


def _describe(id_: str) -> dict[str, str]:
    return {
        "id": id_,
        "resource": "users/adele/events",
        "changeType": "updated",
        "notificationUrl": "https://x/graph/notifications",
        "expirationDateTime": "2026-12-01T00:00:00Z",
    }


async def test_each_subscription_is_renewed_and_ended_in_its_makers_name() -> None:
    tenant = Tenant()
    subscriptions = GraphSubscriptions(tenant, MIXED)
    assert [one.id for one in await subscriptions.list_subscriptions()] == ["s-app", "s-alex"]
    await subscriptions.create_subscription(spec("adele"))
    for one in ("s-app", "s-alex", "s-new"):
        await subscriptions.renew_subscription(one, END)
    for one in ("s-app", "s-alex", "s-new"):
        await subscriptions.delete_subscription(one)
    assert [one.asker for one in tenant.sent[3:]] == ["adele", "", "alex", "adele", "", "alex", "adele"]


async def test_a_sign_in_that_has_ended_hides_its_own_subscriptions_only() -> None:
    tenant = Tenant()
    tenant.ended = {"alex"}
    subscriptions = GraphSubscriptions(tenant, DELEGATED)
    assert await subscriptions.list_subscriptions() == ()
    assert [one.asker for one in tenant.sent] == ["adele", "alex"]


async def test_a_subscription_made_before_this_process_is_looked_for_first() -> None:
    tenant = Tenant()
    await GraphSubscriptions(tenant, MIXED).renew_subscription("s-alex", END)
    assert tenant.sent[-1].asker == "alex"
