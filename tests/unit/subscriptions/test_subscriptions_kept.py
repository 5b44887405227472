"""Subscriptions: made, adopted, renewed, replaced; never doubled, never anybody else's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.entries import Kind, Origin
from service.errors import UnavailableError
from service.intake.client_state import WatchedResource, judge_client_state, tag_keys
from service.ports import Book, SubscriptionSpec
from service.reconcile.matching import normalize_address
from service.roster import RosterEntry
from service.subscriptions.assembly import KeeperOptions
from service.subscriptions.comparing import ComparingLimits
from service.subscriptions.subscribe import Destination
from tests.unit.subscriptions.fakes import START
from tests.unit.subscriptions.play import (
    ADELE_INBOX,
    ALEX_EVENTS,
    build_destination,
    event,
    id_of,
    lifecycle,
    message,
    walkthrough,
    watching,
)

# --- the main job ---


async def test_a_new_owner_gets_one_subscription_per_resource_and_a_baseline() -> None:
    play = walkthrough()
    play.tenant.put_item("inbox/id-adele", message("m-1"))
    play.tenant.put_item("calendar/id-alex", event("e-1"))
    await play.add_owner("alex@contoso.com")

    await play.run(play.build_keeper())

    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    assert [(one.kind, one.item, one.origin) for one in play.intake.entries] == [
        (Kind.MESSAGE, "m-1", Origin.BASELINE),
        (Kind.EVENT, "e-1", Origin.BASELINE),
    ]
    owner = play.owners()["alex@contoso.com"]
    assert (owner.key, owner.inboxes, owner.is_baselined) == ("id-alex", ("id-adele",), True)
    assert (await play.read_status()).is_ready


async def test_nothing_is_ready_before_the_worker_has_done_the_baseline() -> None:
    play = walkthrough()
    await play.add_owner("alex@contoso.com")
    keeper = play.build_keeper()
    for _ in range(6):
        await keeper.tick()
        await keeper.settle()
        play.clock.advance(0.5)
    status = await play.read_status()
    assert status.waits_for == ("alex@contoso.com: baseline not complete",)


async def test_an_empty_roster_is_ready() -> None:
    play = walkthrough()
    await play.run(play.build_keeper())
    assert (await play.read_status()).is_ready
    assert play.calls("create") == []


async def test_the_client_state_goes_with_the_subscription_and_the_deployment_into_the_url() -> None:
    play = await watching()
    for one in play.tenant.living():
        place, _, tag = one.notification_url.partition("&key=")
        assert place == "https://hooks.example/graph/notifications?deployment=default"
        assert tag == tag_keys(build_destination().keys)
        assert one.lifecycle_url == "https://hooks.example/graph/lifecycle?deployment=default"
        assert play.tenant.client_states[one.id]


async def test_the_roster_of_the_file_is_used_only_where_there_is_none() -> None:
    play = walkthrough()
    entry = RosterEntry(address=normalize_address("alex@contoso.com"))
    await play.run(play.build_keeper(seed=[entry]))
    assert list(play.owners()) == ["alex@contoso.com"]

    await play.add_owner("adele@contoso.com")
    await play.run(play.build_keeper(seed=[entry]))
    assert sorted(play.owners()) == ["adele@contoso.com", "alex@contoso.com"]

    for name in ("adele@contoso.com", "alex@contoso.com"):
        await play.remove_owner(name)
    await play.run(play.build_keeper(), seconds=10)
    assert play.owners() == {}


async def test_messages_of_all_pages_are_fed_in_the_order_in_which_they_were_sent() -> None:
    play = walkthrough()
    for name, sent in (("c", "T12"), ("a", "T10"), ("d", "T13"), ("b", "T11"), ("a", "T10")):
        play.tenant.put_item("inbox/id-adele", message(name, f"2026-11-01{sent}:00:00Z"))
    play.tenant.put_item("inbox/id-adele", message("lunch", is_event_message=False))
    play.tenant.put_item("calendar/id-alex", event("e-1"))
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper())
    assert [one.item for one in play.intake.entries] == ["a", "b", "c", "d", "e-1"]


async def test_ordinary_mail_leaves_nothing_in_the_books() -> None:
    play = walkthrough()
    play.tenant.page_size = 1
    play.tenant.put_item("inbox/id-adele", message("private-mail", is_event_message=False))
    play.tenant.put_item("inbox/id-adele", message("m-1"))
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper())
    assert "private-mail" not in str(play.records.books) + str(play.intake.entries)


async def test_the_calendar_is_read_between_seven_days_ago_and_180_days_ahead() -> None:
    play = await watching()
    inbox, calendar = play.tenant.windows
    assert inbox[1] is None
    assert START - inbox[0] <= timedelta(days=7)
    assert calendar[1] is not None
    assert calendar[1] - calendar[0] == timedelta(days=187)


async def test_the_window_moves_on_with_each_full_round_and_a_sweep_keeps_it() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper, seconds=6)
    first = play.tenant.windows[-1]
    looked = len(play.tenant.windows)
    play.clock.advance(900)
    await play.run(keeper, seconds=6)
    assert len(play.tenant.windows) == looked, "a sweep goes on from its delta token"
    play.clock.advance(86_400)
    await play.run(keeper, seconds=60)
    (start, end) = [window for window in play.tenant.windows[looked:] if window[1] is not None][-1]
    assert first[1] is not None
    assert end is not None
    assert end - start == timedelta(days=187)
    assert end - first[1] >= timedelta(days=1)


# --- adopt, never double ---


async def test_a_restarted_keeper_adopts_what_there_is() -> None:
    play = await watching()
    before = play.tenant.living()
    await play.run(play.build_keeper("keeper-2"), seconds=10)
    assert play.tenant.living() == before
    assert play.calls("create") == []


async def test_a_lost_redis_does_not_double_subscriptions() -> None:
    play = await watching()
    before = play.tenant.living()
    play.records.flush()
    play.lease.flush()
    play.generation.is_there = False
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper("keeper-2"))
    assert play.tenant.living() == before
    assert [one for one in play.tenant.calls if one[0] in ("create", "delete")] == []


async def test_a_changed_secret_key_is_noticed_although_redis_was_lost_too() -> None:
    play = await watching()
    before = {one.id for one in play.tenant.living()}
    play.records.flush()
    play.lease.flush()
    play.generation.is_there = False
    await play.add_owner("alex@contoso.com")
    changed = build_destination(secret="t" * 32)
    await play.run(play.build_keeper("keeper-2", destination=changed), seconds=20)
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    living = play.tenant.living()
    assert before.isdisjoint(one.id for one in living)
    states = {play.tenant.client_states[one.id] for one in living}
    assert all(isinstance(judge_client_state(one, changed.keys), WatchedResource) for one in states)


@pytest.mark.parametrize(
    "destination",
    [
        build_destination(public_url="https://moved.example"),
        build_destination(secret="t" * 32),
    ],
    ids=["PUBLIC_URL", "SECRET_KEY"],
)
async def test_a_changed_setting_replaces_every_subscription_by_one(destination: Destination) -> None:
    play = await watching()
    before = {one.id for one in play.tenant.living()}
    await play.run(play.build_keeper("keeper-2", destination=destination))
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    assert before.isdisjoint(one.id for one in play.tenant.living())
    assert (await play.read_status()).is_ready


async def test_others_subscriptions_are_left_alone() -> None:
    play = walkthrough()
    foreign = SubscriptionSpec(
        resource="users/id-adele/messages",
        change_type="created",
        notification_url="https://elsewhere.example/hook",
        lifecycle_url="",
        client_state="theirs",
        expires_at=START + timedelta(days=2),
    )
    sister = SubscriptionSpec(
        resource=ALEX_EVENTS,
        change_type="updated",
        notification_url="https://hooks.example/graph/notifications?deployment=test",
        lifecycle_url="",
        client_state="theirs",
        expires_at=START + timedelta(days=2),
    )
    kept = {play.tenant.put(one, one.expires_at).id for one in (foreign, sister)}
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper())
    assert kept < {one.id for one in play.tenant.living()}
    assert len(play.tenant.living()) == 4
    assert play.calls("delete") == []


async def test_leftovers_of_an_earlier_run_are_deleted() -> None:
    play = walkthrough()
    old = SubscriptionSpec(
        resource="users/id-bert/events",
        change_type="created",
        notification_url="https://old.example/graph/notifications?deployment=default",
        lifecycle_url="",
        client_state="ours, once",
        expires_at=START + timedelta(days=2),
    )
    play.tenant.put(old, old.expires_at)
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper())
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]


async def test_a_foreign_subscription_in_the_way_is_a_fault_in_words() -> None:
    play = walkthrough()
    foreign = SubscriptionSpec(
        resource=ALEX_EVENTS,
        change_type="created,updated,deleted",
        notification_url="https://hooks.example/graph/notifications?deployment=other",
        lifecycle_url="",
        client_state="theirs",
        expires_at=START + timedelta(days=2),
    )
    play.tenant.put(foreign, foreign.expires_at)
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper())
    (calendar, inbox) = (await play.read_status()).resources
    assert calendar.faults
    assert "already exists" in calendar.faults[0]
    assert not inbox.faults
    assert play.calls("delete") == []


# --- renewal ---


async def test_subscriptions_are_renewed_well_before_their_end() -> None:
    play = await watching(KeeperOptions(comparing=ComparingLimits(evidence_interval_s=10**8)))
    keeper = play.build_keeper("keeper-2")
    left: list[timedelta] = []
    for _ in range(14 * 24):
        await play.run(keeper, seconds=0.5)
        play.clock.advance(3600)
        left += [one.expires_at - play.clock.now() for one in play.tenant.living()]
    assert min(left) > timedelta(days=2)
    assert play.calls("create") == []
    assert 4 <= len(play.calls("renew")) <= 10


async def test_lifetimes_of_a_minute_never_lapse() -> None:
    play = walkthrough()
    play.tenant.granted_max_s = 60
    await play.add_owner("alex@contoso.com")
    keeper = play.build_keeper()
    await play.run(keeper)
    for _ in range(120):
        await play.run(keeper, seconds=5)
        assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    assert len(play.calls("create")) == 2


async def test_a_cloud_with_shorter_limits_is_learnt() -> None:
    play = walkthrough()
    play.tenant.lifetime_max_s = 4_230 * 60
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper())
    assert [one.expires_at - START > timedelta(days=2) for one in play.tenant.living()] == [True, True]
    assert len(play.calls("create")) <= 4


async def test_ten_failing_handshakes_are_survived() -> None:
    play = walkthrough()
    play.tenant.handshakes_fail = 20
    await play.add_owner("alex@contoso.com")
    keeper = play.build_keeper()
    await play.run(keeper)
    assert "PUBLIC_URL" in " ".join((await play.read_status()).waits_for)
    await play.run(keeper, seconds=900)
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    assert (await play.read_status()).is_ready


async def test_a_subscription_that_vanished_without_a_word_is_made_anew() -> None:
    play = await watching()
    play.tenant.subscriptions.clear()
    await play.run(play.build_keeper("keeper-2"), seconds=6)
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]


# --- lifecycle notifications ---


async def test_a_jump_of_graphs_clock_is_noticed_by_the_next_sweep_not_by_the_next_comparison() -> None:
    play = await watching()
    play.options = KeeperOptions(comparing=ComparingLimits(interval_s=86_400, interval_min_s=86_400))
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper, seconds=6)
    play.tenant.ahead = timedelta(days=8)
    assert play.tenant.living() == []
    play.clock.advance(900)
    await play.run(keeper, seconds=3)
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]


async def test_repeated_calls_to_reauthorize_bring_one_renewal() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    id_ = id_of(play, ADELE_INBOX)
    for seconds in (3, 2, 1, 1):
        await play.desk.handle_lifecycle(lifecycle(play, "reauthorizationRequired", id_, seconds_ago=seconds))
    await play.run(keeper, seconds=5)
    assert play.calls("renew") == [id_]
    assert play.records.books[Book.REQUESTS] == {}

    await play.desk.handle_lifecycle(lifecycle(play, "reauthorizationRequired", id_))
    await play.run(keeper, seconds=60)
    assert play.calls("renew") == [id_], "too soon after the last one"
    play.clock.advance(600)
    await play.run(keeper)
    assert play.calls("renew") == [id_, id_]


async def test_a_removed_subscription_is_made_anew_and_the_gap_read() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    id_ = id_of(play, ADELE_INBOX)
    del play.tenant.subscriptions[id_]
    play.tenant.put_item("inbox/id-adele", message("in-the-gap"))
    await play.desk.handle_lifecycle(lifecycle(play, "subscriptionRemoved", id_))
    await play.run(keeper)
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    assert [(one.item, one.origin) for one in play.intake.take()] == [("in-the-gap", Origin.CATCH_UP)]

    await play.desk.handle_lifecycle(lifecycle(play, "subscriptionRemoved", id_, seconds_ago=1))
    await play.run(keeper)
    assert len(play.calls("create")) == 1, "the old notice speaks of a subscription long replaced"


async def test_missed_notifications_are_read_and_the_subscription_kept() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    id_ = id_of(play, ADELE_INBOX)
    play.tenant.put_item("inbox/id-adele", message("missed"))
    await play.desk.handle_lifecycle(lifecycle(play, "missed", id_))
    await play.run(keeper, seconds=1)
    assert [one.item for one in play.intake.take()] == ["missed"]
    assert id_of(play, ADELE_INBOX) == id_
    assert play.records.books[Book.REQUESTS] == {}


async def test_a_request_outlives_the_keeper_that_took_it_up() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.failing["inbox/id-adele"] = UnavailableError("away", status=503)
    play.tenant.put_item("inbox/id-adele", message("missed"))
    await play.desk.handle_lifecycle(lifecycle(play, "missed", id_of(play, ADELE_INBOX)))
    await play.run(keeper, seconds=1)
    assert play.records.books[Book.REQUESTS]

    play.tenant.failing.clear()
    play.clock.advance(10)
    await play.run(play.build_keeper("keeper-3"))
    assert [one.item for one in play.intake.take()] == ["missed"]
    assert play.records.books[Book.REQUESTS] == {}
