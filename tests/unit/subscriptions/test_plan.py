"""What is planned: a table of situations, and the laws that hold for all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.client_state import ResourceKind, WatchedResource, is_ours, resource_path
from service.ports import GraphSubscription
from service.reconcile.model import MailboxKey
from service.subscriptions.plan import (
    Action,
    Adopt,
    Create,
    Delete,
    HeldSubscription,
    Margins,
    Recreate,
    Renew,
    WantedSubscription,
    plan_subscriptions,
    reckon_renewal,
    spread,
)

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK_S = 7 * 86_400.0
URL = "https://hooks.example/graph/notifications?deployment=default"
LIFECYCLE_URL = "https://hooks.example/graph/lifecycle?deployment=default"
RESOURCE = WatchedResource(kind=ResourceKind.INBOX, mailbox=MailboxKey("adele"))
WANTED = WantedSubscription(
    name="inbox/adele",
    resource=RESOURCE,
    path=resource_path(RESOURCE),
    change_type="created,updated",
    notification_url=URL,
    lifecycle_url=LIFECYCLE_URL,
    client_state_tag="tag",
)
GOOD = GraphSubscription(
    id="s-1",
    resource=WANTED.path,
    change_type="created,updated",
    notification_url=URL,
    lifecycle_url=LIFECYCLE_URL,
    expires_at=NOW + 6 * DAY,
)
HELD = HeldSubscription(id="s-1", expires_at=GOOD.expires_at, lifetime_s=WEEK_S, client_state_tag="tag")
FOREIGN = replace(
    GOOD, id="theirs", notification_url="https://hooks.example/graph/notifications?deployment=b"
)
DELETE_2 = Delete(subscription_id="s-2", name=WANTED.name)


def plan(
    *in_graph: GraphSubscription,
    held: HeldSubscription | None = HELD,
    wanted: tuple[WantedSubscription, ...] = (WANTED,),
) -> tuple[Action, ...]:
    return plan_subscriptions(
        wanted,
        {WANTED.name: held} if held else {},
        in_graph,
        is_ours=lambda one: is_ours(one.notification_url, "default"),
        now=NOW,
        margins=Margins(),
    )


@pytest.mark.parametrize(
    ("in_graph", "held", "actions"),
    [
        pytest.param([], None, [Create(wanted=WANTED)], id="nothing anywhere"),
        pytest.param([], HELD, [Create(wanted=WANTED)], id="Graph lost ours"),
        pytest.param([FOREIGN], None, [Create(wanted=WANTED)], id="another deployment's does not count"),
        pytest.param([GOOD], HELD, [], id="all is well"),
        pytest.param([GOOD], None, [Adopt(wanted=WANTED, subscription=GOOD)], id="ours, not on the books"),
        pytest.param(
            [replace(GOOD, expires_at=NOW + 5 * DAY)],
            HELD,
            [Adopt(wanted=WANTED, subscription=replace(GOOD, expires_at=NOW + 5 * DAY))],
            id="another end than on the books",
        ),
        pytest.param(
            [replace(GOOD, expires_at=NOW + DAY)],
            replace(HELD, expires_at=NOW + DAY),
            [Renew(wanted=WANTED, subscription_id="s-1")],
            id="nears its end",
        ),
        pytest.param(
            [replace(GOOD, expires_at=NOW)],
            replace(HELD, expires_at=NOW),
            [Recreate(wanted=WANTED, replaces=("s-1",))],
            id="has ended this moment",
        ),
        pytest.param([GOOD, replace(GOOD, id="s-2")], HELD, [DELETE_2], id="a second one"),
        pytest.param(
            [GOOD, replace(GOOD, id="s-2", expires_at=NOW + 7 * DAY)], HELD, [DELETE_2], id="ours is kept"
        ),
        pytest.param(
            [replace(GOOD, expires_at=NOW + DAY), replace(GOOD, id="s-3")],
            None,
            [
                Adopt(wanted=WANTED, subscription=replace(GOOD, id="s-3")),
                Delete(subscription_id="s-1", name=WANTED.name),
            ],
            id="of two unknown the longer one",
        ),
        pytest.param(
            [GOOD, replace(GOOD, id="s-2", notification_url=URL.replace("hooks", "old"))],
            HELD,
            [DELETE_2],
            id="a wrong one beside a good one",
        ),
        pytest.param(
            [replace(GOOD, notification_url=URL.replace("hooks", "old"))],
            HELD,
            [Recreate(wanted=WANTED, replaces=("s-1",))],
            id="PUBLIC_URL changed",
        ),
        pytest.param(
            [replace(GOOD, lifecycle_url="")],
            HELD,
            [Recreate(wanted=WANTED, replaces=("s-1",))],
            id="without lifecycle notifications",
        ),
        pytest.param(
            [replace(GOOD, change_type="created")],
            HELD,
            [Recreate(wanted=WANTED, replaces=("s-1",))],
            id="other changes",
        ),
        pytest.param(
            [GOOD],
            replace(HELD, client_state_tag="old"),
            [Recreate(wanted=WANTED, replaces=("s-1",))],
            id="SECRET_KEY changed",
        ),
        pytest.param(
            [replace(GOOD, certificate_id="cert-1")],
            HELD,
            [Recreate(wanted=WANTED, replaces=("s-1",))],
            id="rich notifications turned off",
        ),
        pytest.param([replace(GOOD, change_type="Updated,created")], HELD, [], id="changes in another order"),
        pytest.param(
            [replace(GOOD, resource="/Users/adele/mailfolders('Inbox')/messages")],
            HELD,
            [],
            id="another spelling",
        ),
        pytest.param(
            [GOOD, replace(GOOD, id="s-9", resource="users/bert/events")],
            HELD,
            [Delete(subscription_id="s-9")],
            id="nobody wants it any more",
        ),
        pytest.param(
            [GOOD, replace(GOOD, id="s-9", resource="users/bert/contacts")],
            HELD,
            [Delete(subscription_id="s-9")],
            id="ours for something that we never watch",
        ),
    ],
)
def test_what_is_done(
    in_graph: list[GraphSubscription], held: HeldSubscription | None, actions: list[Action]
) -> None:
    assert list(plan(*in_graph, held=held)) == actions


def test_a_certificate_that_graph_does_not_give_back_counts_as_written_down() -> None:
    rich = replace(WANTED, certificate_id="cert-1")
    assert plan(GOOD, held=replace(HELD, certificate_id="cert-1"), wanted=(rich,)) == ()
    assert plan(GOOD, wanted=(rich,)) == (Recreate(wanted=rich, replaces=("s-1",)),)


def test_another_certificate_is_moved_to_by_a_renewal() -> None:
    rich = replace(WANTED, certificate_id="cert-2")
    moves = Renew(wanted=rich, subscription_id="s-1")
    held = replace(HELD, certificate_id="cert-1")
    told = replace(GOOD, certificate_id="cert-1")
    assert plan(GOOD, held=held, wanted=(rich,)) == (moves,)
    assert plan(told, held=held, wanted=(rich,)) == (moves,)
    assert plan(told, held=None, wanted=(rich,)) == (Adopt(wanted=rich, subscription=told), moves)


def test_renewals_of_subscriptions_made_together_part_ways() -> None:
    ends = NOW + 7 * DAY
    moments = {reckon_renewal(f"inbox/{number}", ends, WEEK_S, Margins()) for number in range(1000)}
    assert len(moments) == 1000
    assert max(moments) - min(moments) > timedelta(hours=24)
    assert ends - max(moments) >= 0.3 * timedelta(days=7)
    assert ends - min(moments) <= 0.45 * timedelta(days=7)


@given(
    name=st.text(max_size=40),
    lifetime_s=st.floats(min_value=1, max_value=WEEK_S),
    margins=st.builds(
        Margins,
        fraction=st.floats(0, 0.5),
        floor_s=st.floats(0, 1e6),
        jitter_fraction=st.floats(0, 0.4),
    ),
)
def test_every_lifetime_is_used_for_a_while_and_renewed_before_its_end(
    name: str, lifetime_s: float, margins: Margins
) -> None:
    ends = NOW + timedelta(seconds=lifetime_s)
    assert NOW <= reckon_renewal(name, ends, lifetime_s, margins) <= ends


@given(st.text(max_size=60))
def test_a_name_has_its_own_place(name: str) -> None:
    assert 0 <= spread(name) < 1
    assert spread(name) == spread(name)


# --- laws ---

NAMES = ("adele", "bert", "cleo")


def want(mailbox: str) -> WantedSubscription:
    resource = WatchedResource(kind=ResourceKind.CALENDAR, mailbox=MailboxKey(mailbox))
    return replace(WANTED, name=f"calendar/{mailbox}", resource=resource, path=resource_path(resource))


@dataclass
class World:
    """Graph and our books, on which plans are carried out."""

    in_graph: dict[str, GraphSubscription]
    held: dict[str, HeldSubscription]
    made: int = 0

    def carry_out(self, action: Action) -> None:
        match action:
            case Adopt(wanted=wanted, subscription=subscription):
                self._hold(wanted, subscription)
            case Create(wanted=wanted):
                self._make(wanted)
            case Recreate(wanted=wanted, replaces=replaces):
                for id_ in replaces:
                    del self.in_graph[id_]
                self._make(wanted)
            case Renew(wanted=wanted, subscription_id=id_):
                renewed = replace(self.in_graph[id_], expires_at=NOW + 7 * DAY)
                self.in_graph[id_] = renewed
                self._hold(wanted, renewed)
            case Delete(subscription_id=id_):
                del self.in_graph[id_]

    def _make(self, wanted: WantedSubscription) -> None:
        self.made += 1
        made = replace(
            GOOD,
            id=f"new-{self.made}",
            resource=wanted.path,
            change_type=wanted.change_type,
            expires_at=NOW + 7 * DAY,
        )
        self.in_graph[made.id] = made
        self._hold(wanted, made)

    def _hold(self, wanted: WantedSubscription, subscription: GraphSubscription) -> None:
        self.held[wanted.name] = HeldSubscription(
            id=subscription.id,
            expires_at=subscription.expires_at,
            lifetime_s=WEEK_S,
            client_state_tag=wanted.client_state_tag,
        )

    def plan(self, wanted: list[WantedSubscription]) -> tuple[Action, ...]:
        return plan_subscriptions(
            wanted,
            self.held,
            list(self.in_graph.values()),
            is_ours=lambda one: is_ours(one.notification_url, "default"),
            now=NOW,
            margins=Margins(),
        )


URLS = (URL, URL.replace("hooks", "old"), URL.replace("default", "test"), "https://else.example/x")
SUBSCRIPTIONS = st.builds(
    replace,
    st.just(GOOD),
    resource=st.sampled_from([*(f"users/{name}/events" for name in NAMES), "users/dora/events", "odd"]),
    change_type=st.sampled_from(["created,updated", "updated,created", "deleted"]),
    notification_url=st.sampled_from(URLS),
    lifecycle_url=st.sampled_from([LIFECYCLE_URL, ""]),
    expires_at=st.integers(-2, 7).map(lambda days: NOW + days * DAY),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    listed = [
        replace(one, id=f"s-{number}") for number, one in enumerate(draw(st.lists(SUBSCRIPTIONS, max_size=8)))
    ]
    ids = st.sampled_from([*(one.id for one in listed), "long gone"])
    held = draw(
        st.dictionaries(
            st.sampled_from([f"calendar/{name}" for name in NAMES]),
            st.builds(
                HeldSubscription,
                id=ids,
                expires_at=st.integers(-2, 7).map(lambda days: NOW + days * DAY),
                lifetime_s=st.floats(1, WEEK_S),
                client_state_tag=st.sampled_from(["tag", "old"]),
            ),
        )
    )
    return World(in_graph={one.id: one for one in listed}, held=held)


@given(world=worlds(), names=st.sets(st.sampled_from(NAMES)))
def test_whatever_there_is_becomes_exactly_one_good_subscription_per_resource(
    world: World, names: set[str]
) -> None:
    wanted = [want(name) for name in sorted(names)]
    theirs = {one.id: one for one in world.in_graph.values() if not is_ours(one.notification_url, "default")}

    for _ in range(3):
        for action in world.plan(wanted):
            world.carry_out(action)

    assert world.plan(wanted) == ()
    ours = [one for one in world.in_graph.values() if one.id not in theirs]
    assert sorted(one.resource.casefold() for one in ours) == sorted(one.path for one in wanted)
    assert all(one.notification_url == URL and one.lifecycle_url == LIFECYCLE_URL for one in ours)
    assert all(one.expires_at > NOW for one in ours)
    assert {id_: world.in_graph.get(id_) for id_ in theirs} == theirs


@given(world=worlds(), names=st.sets(st.sampled_from(NAMES)))
def test_a_plan_does_not_depend_on_the_order_in_which_graph_lists(world: World, names: set[str]) -> None:
    wanted = [want(name) for name in sorted(names)]
    backwards = World(in_graph=dict(reversed(world.in_graph.items())), held=world.held)
    assert world.plan(wanted) == backwards.plan(wanted)
