"""The keeper in a tenant of fakes: what it makes, adopts, renews and reads; what it survives."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.entries import IntakeEntry, Kind, Origin
from service.errors import AccessError, GoneError, UnavailableError
from service.ports import Book, DeliveryOption, DeltaItem, SubscriptionSpec
from service.reconcile.instant import instant_of, parse_instant
from service.reconcile.matching import normalize_address
from service.roster import RosterEntry
from service.subscriptions.assembly import KeeperOptions
from service.subscriptions.desk import build_operator_request, file_request
from service.subscriptions.reading import ReadingLimits
from service.subscriptions.records import RequestKind
from service.subscriptions.schedule import DutyKind
from service.subscriptions.silence import SilenceLimits
from service.subscriptions.subscribe import Destination
from tests.unit.subscriptions.fakes import START
from tests.unit.subscriptions.play import Play, build_destination

ALEX_EVENTS = "users/id-alex/events"
ADELE_INBOX = "users/id-adele/mailFolders('inbox')/messages"


def message(name: str, sent: str = "2026-11-01T10:00:00Z", *, is_event_message: bool = True) -> DeltaItem:
    return DeltaItem(
        id=name, is_removed=False, is_event_message=is_event_message, sent_at=parse_instant(sent)
    )


def event(name: str, *, kind: str = "singleInstance", series: str = "") -> DeltaItem:
    return DeltaItem(
        id=name,
        is_removed=False,
        is_event_message=True,
        sent_at=None,
        event_type=kind,
        series_master_id=series,
    )


def walkthrough(options: KeeperOptions | None = None) -> Play:
    """Alex with his delegate Adele, not yet in the roster."""
    play = Play(options=options or KeeperOptions())
    play.tenant.add_person("Adele@contoso.com")
    play.tenant.add_person("Alex@contoso.com", delegates=["adele@contoso.com"])
    return play


async def watching(options: KeeperOptions | None = None) -> Play:
    """The same with a keeper that has left after its work; what it fed is forgotten."""
    play = walkthrough(options)
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper())
    assert (await play.read_status()).is_ready
    await play.lease.release("keeper-1")
    play.intake.take()
    play.tenant.calls.clear()
    return play


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
        assert one.notification_url == "https://hooks.example/graph/notifications?deployment=default"
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
    play = await watching()
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


def lifecycle(play: Play, word: str, subscription: str, *, seconds_ago: float = 0) -> IntakeEntry:
    at = play.clock.now() - timedelta(seconds=seconds_ago)
    return IntakeEntry(
        kind=Kind.LIFECYCLE,
        origin=Origin.NOTIFICATION,
        lifecycle=word,
        mailbox="id-adele",
        resource="inbox",
        subscription=subscription,
        arrived_at=instant_of(at).text,
    )


def id_of(play: Play, resource: str) -> str:
    return next(one.id for one in play.tenant.living() if one.resource == resource)


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
    assert [(one.item, one.origin) for one in play.intake.take()] == [("in-the-gap", Origin.SWEEP)]

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


@pytest.mark.parametrize(
    ("kind", "verb", "count"),
    [(RequestKind.RENEW, "renew", 2), (RequestKind.RECREATE, "create", 2 * 2)],
)
async def test_an_operator_renews_or_recreates_everything(kind: RequestKind, verb: str, count: int) -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    await file_request(play.records, build_operator_request(kind, now=play.clock.now()))
    await play.run(keeper)
    assert len(play.calls(verb)) == count, "a replacement is tried first, and meets the one that stands"
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]


async def test_an_operators_resync_reads_everything_of_one_owner_again() -> None:
    play = await watching()
    play.tenant.add_person("bert@contoso.com")
    await play.add_owner("bert@contoso.com")
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.rounds.clear()
    request = build_operator_request(RequestKind.RESYNC, now=play.clock.now(), owner="id-alex")
    await file_request(play.records, request)
    await play.run(keeper)
    assert play.tenant.rounds == [("inbox/id-adele", True), ("calendar/id-alex", True)]
    assert play.records.books[Book.REQUESTS] == {}


# --- sweeps ---


async def test_what_no_notification_announced_is_found_by_a_sweep() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.put_item("inbox/id-adele", message("lost"))
    play.tenant.put_item("calendar/id-alex", event("moved"))
    await play.run(keeper)
    assert play.intake.entries == []
    play.clock.advance(900)
    await play.run(keeper)
    assert [one.item for one in play.intake.entries] == ["lost", "moved"]
    assert {one.origin for one in play.intake.entries} == {Origin.SWEEP}


async def test_a_service_that_was_away_sweeps_at_once_inboxes_before_calendars() -> None:
    play = await watching()
    play.tenant.put_item("calendar/id-alex", event("answered"))
    play.tenant.put_item("inbox/id-adele", message("answer"))
    await play.run(play.build_keeper("keeper-2"), seconds=6)
    assert [one.item for one in play.intake.entries] == ["answer", "answered"]


async def test_a_standby_that_takes_over_does_not_sweep_everything() -> None:
    play = await watching()
    leader, standby = play.build_keeper("keeper-2"), play.build_keeper("keeper-3")
    await play.run(leader, seconds=6)
    await standby.tick()
    play.tenant.rounds.clear()
    play.clock.advance(6)
    await play.run(standby)
    assert {resource for resource, _ in play.tenant.rounds} <= {"inbox/id-adele", "calendar/id-alex"}


async def test_an_expired_delta_token_makes_a_full_round() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.put_item("inbox/id-adele", message("m-9"))
    play.tenant.expire_deltas = 2
    play.tenant.rounds.clear()
    play.clock.advance(900)
    await play.run(keeper)
    assert sorted(play.tenant.rounds) == [("calendar/id-alex", True), ("inbox/id-adele", True)]
    assert [(one.item, one.origin) for one in play.intake.take()] == [("m-9", Origin.SWEEP)]


async def test_a_full_round_comes_once_a_day() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    for _ in range(48):
        play.clock.advance(1800)
        await play.run(keeper, seconds=2)
    full = [resource for resource, is_full in play.tenant.rounds if is_full]
    assert (full.count("inbox/id-adele"), full.count("calendar/id-alex")) == (2, 2)


async def test_a_crash_in_the_middle_of_a_round_goes_on_where_it_was() -> None:
    play = walkthrough()
    for number in range(9):
        play.tenant.put_item("inbox/id-adele", message(f"m-{number}", f"2026-11-01T10:0{number}:00Z"))
    await play.add_owner("alex@contoso.com")
    play.options = KeeperOptions(pages_per_turn=2)
    keeper = play.build_keeper()
    while '"pages":2' not in play.records.books[Book.MAILBOXES].get("inbox/id-adele", ""):
        await keeper.tick()
        await keeper.settle()
    play.tenant.rounds.clear()
    play.clock.advance(10)
    await play.run(play.build_keeper("keeper-2"), seconds=6)
    assert [one.item for one in play.intake.entries] == [f"m-{number}" for number in range(9)]
    assert ("inbox/id-adele", True) not in play.tenant.rounds


async def test_an_intake_that_is_full_loses_nothing() -> None:
    play = walkthrough()
    play.tenant.put_item("inbox/id-adele", message("m-1"))
    play.tenant.put_item("calendar/id-alex", event("e-1"))
    play.intake.fails_left = 3
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper(), seconds=6)
    assert [one.item for one in play.intake.entries] == ["m-1", "e-1"]
    assert (await play.read_status()).is_ready


async def test_silence_is_noticed_and_the_subscription_replaced() -> None:
    options = KeeperOptions(
        reading=ReadingLimits(sweep_interval_s=60, silence=SilenceLimits(after_s=100, slack_s=5))
    )
    play = await watching(options)
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    old = id_of(play, ADELE_INBOX)
    await play.records.write(Book.NOTIFIED, {"of another mailbox": "2026-11-02T08:00:00Z"})
    for number in range(3):
        play.tenant.put_item("inbox/id-adele", message(f"m-{number}"))
        await play.run(keeper, seconds=62)
    assert id_of(play, ADELE_INBOX) != old
    assert [one.is_silent for one in (await play.read_status()).resources] == [False, True]

    play.tenant.put_item("inbox/id-adele", message("m-4"))
    heard = IntakeEntry(
        kind=Kind.MESSAGE,
        origin=Origin.NOTIFICATION,
        mailbox="id-adele",
        subscription=id_of(play, ADELE_INBOX),
        arrived_at=instant_of(play.clock.now()).text,
    )
    await play.heard.note(heard)
    await play.run(keeper, seconds=62)
    assert [one.is_silent for one in (await play.read_status()).resources] == [False, False]


async def test_where_nobody_notes_notifications_silence_means_nothing() -> None:
    options = KeeperOptions(reading=ReadingLimits(sweep_interval_s=60, silence=SilenceLimits(after_s=100)))
    play = await watching(options)
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    before = play.tenant.living()
    for number in range(6):
        play.tenant.put_item("inbox/id-adele", message(f"m-{number}"))
        await play.run(keeper, seconds=62)
    assert play.tenant.living() == before


async def test_a_mailbox_that_is_heard_of_keeps_its_subscription() -> None:
    options = KeeperOptions(reading=ReadingLimits(sweep_interval_s=60, silence=SilenceLimits(after_s=100)))
    play = await watching(options)
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    old = id_of(play, ADELE_INBOX)
    for number in range(6):
        play.tenant.put_item("inbox/id-adele", message(f"m-{number}"))
        entry = IntakeEntry(
            kind=Kind.MESSAGE,
            origin=Origin.NOTIFICATION,
            mailbox="id-adele",
            subscription=old,
            arrived_at=instant_of(play.clock.now()).text,
        )
        await play.heard.note(entry)
        await play.run(keeper, seconds=62)
    assert id_of(play, ADELE_INBOX) == old


# --- the roster ---


async def test_an_owner_added_later_is_followed_within_a_second() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.add_person("bert@contoso.com", delegates=["adele@contoso.com"])
    play.tenant.put_item("inbox/id-adele", message("old"))
    await play.add_owner("bert@contoso.com")
    await play.run(keeper, seconds=3)
    assert "users/id-bert/events" in play.resources()
    assert play.owners()["bert@contoso.com"].is_baselined
    assert [one.item for one in play.intake.entries] == ["old"], "the shared inbox is read anew for Bert"


async def test_a_removed_owner_leaves_nothing_behind() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    await play.remove_owner("alex@contoso.com")
    await play.run(keeper, seconds=10)
    assert play.tenant.living() == []
    assert set(play.states.forgotten) == {"id-alex"}
    assert {book: records for book, records in play.records.books.items() if records} == {}


async def test_a_removal_is_done_only_when_the_subscriptions_have_ended() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    stuck = id_of(play, ADELE_INBOX)
    play.tenant.failing[stuck] = UnavailableError("away", status=503)
    await play.remove_owner("alex@contoso.com")
    await play.run(keeper, seconds=20)
    assert "owner/alex@contoso.com" in play.records.books[Book.MAILBOXES]
    play.tenant.failing.clear()
    await play.run(keeper, seconds=40)
    assert {book: records for book, records in play.records.books.items() if records} == {}


async def test_an_inbox_that_serves_another_owner_stays() -> None:
    play = await watching()
    play.tenant.add_person("bert@contoso.com", delegates=["adele@contoso.com"])
    await play.add_owner("bert@contoso.com")
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    await play.remove_owner("alex@contoso.com")
    await play.run(keeper, seconds=10)
    assert play.resources() == ["users/id-adele/mailFolders('inbox')/messages", "users/id-bert/events"]


async def test_an_owner_removed_and_added_again_is_read_anew() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.put_item("calendar/id-alex", event("e-1"))
    await play.remove_owner("alex@contoso.com")
    await play.run(keeper, seconds=1)
    await play.add_owner("alex@contoso.com")
    await play.run(keeper, seconds=10)
    assert [(one.item, one.origin) for one in play.intake.entries] == [("e-1", Origin.BASELINE)]
    assert (await play.read_status()).is_ready


async def test_a_delegate_who_loses_the_role_is_no_longer_read() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.add_person("megan@contoso.com")
    play.tenant.delegates["id-alex"] = ("megan@contoso.com",)  # type: ignore[index, assignment]
    play.clock.advance(900)
    await play.run(keeper)
    assert play.resources() == [ALEX_EVENTS, "users/id-megan/mailFolders('inbox')/messages"]
    assert play.owners()["alex@contoso.com"].inboxes == ("id-megan",)
    assert not any("adele" in name for book in play.records.books.values() for name in book)


@pytest.mark.parametrize(
    ("option", "inboxes"),
    [
        (DeliveryOption.DELEGATE_ONLY, ("id-adele",)),
        (DeliveryOption.DELEGATE_AND_INFORMATION, ("id-adele", "id-alex")),
        (DeliveryOption.DELEGATE_AND_PRINCIPAL, ("id-adele", "id-alex")),
    ],
)
async def test_the_delivery_option_decides_whose_inboxes_are_read(
    option: DeliveryOption, inboxes: tuple[str, ...]
) -> None:
    play = walkthrough()
    play.tenant.options["id-alex"] = option  # type: ignore[index]
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper())
    assert play.owners()["alex@contoso.com"].inboxes == inboxes
    assert (await play.read_status()).is_ready


async def test_delegates_named_in_the_roster_are_not_asked_for() -> None:
    play = walkthrough()
    play.tenant.add_person("megan@contoso.com")
    await play.add_owner("alex@contoso.com", delegates=["Megan@contoso.com", "ghost@contoso.com"])
    await play.run(play.build_keeper())
    assert play.owners()["alex@contoso.com"].inboxes == ("id-megan",)


async def test_an_owner_is_followed_through_a_new_address() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    play.tenant.rename(play.tenant.people["alex@contoso.com"].key, "alexander@contoso.com")
    play.clock.advance(900)
    await play.run(keeper)
    owner = play.owners()["alex@contoso.com"]
    assert (owner.key, owner.address, owner.is_baselined) == ("id-alex", "alexander@contoso.com", True)
    assert play.states.forgotten == []


async def test_without_the_directory_addresses_are_the_keys() -> None:
    play = walkthrough()
    play.tenant.is_directory_closed = True
    await play.add_owner("alex@contoso.com", delegates=["adele@contoso.com"])
    await play.run(play.build_keeper())
    owner = play.owners()["alex@contoso.com"]
    assert (owner.key, owner.inboxes) == ("alex@contoso.com", ("adele@contoso.com",))
    assert play.resources() == [
        "users/adele@contoso.com/mailFolders('inbox')/messages",
        "users/alex@contoso.com/events",
    ]


async def test_two_entries_that_mean_one_person_are_watched_once() -> None:
    play = await watching()
    play.tenant.people["al@contoso.com"] = play.tenant.people["id-alex"]
    await play.add_owner("al@contoso.com")
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper)
    assert "same person" in play.owners()["al@contoso.com"].fault
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    status = await play.read_status()
    assert status.is_ready


# --- faults of one mailbox ---


async def test_an_unknown_address_is_said_in_words_and_holds_nobody_up() -> None:
    play = walkthrough()
    await play.add_owner("alex@contoso.com")
    await play.add_owner("nobody@contoso.com")
    await play.run(play.build_keeper())
    status = await play.read_status()
    assert status.is_ready
    faults = {str(one.roster_address): one.fault for one in status.owners}
    assert "No mailbox" in faults["nobody@contoso.com"]
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AccessError("Access to OData is disabled.", status=403, code="ErrorAccessDenied"), "Access denied"),
        (AccessError("quota limit of 1000 reached", status=403), "full number of subscriptions"),
        (GoneError("no", status=404, code="MailboxNotEnabledForRESTAPI"), "on premises"),
    ],
)
async def test_a_mailbox_that_cannot_be_watched_is_marked_and_tried_ever_more_slowly(
    error: AccessError | GoneError, words: str
) -> None:
    play = walkthrough()
    play.tenant.add_person("bert@contoso.com")
    play.tenant.failing["id-bert"] = error
    await play.add_owner("alex@contoso.com")
    await play.add_owner("bert@contoso.com", delegates=[])
    keeper = play.build_keeper()
    await play.run(keeper, seconds=6)
    status = await play.read_status()
    assert status.is_ready
    faults = " ".join(word for one in status.resources for word in one.faults)
    faults += " ".join(one.fault for one in status.owners)
    assert words in faults
    tries = len(play.calls("create"))
    play.clock.advance(300)
    for _ in range(12):
        play.clock.advance(300)
        await play.run(keeper, seconds=1)
    assert len(play.calls("create")) - tries <= 14

    play.tenant.failing.clear()
    play.clock.advance(3600)
    await play.run(keeper, seconds=6)
    play.clock.advance(3600)
    await play.run(keeper, seconds=6)
    assert len(play.resources()) == 4
    status = await play.read_status()
    assert status.is_ready
    assert all(owner.is_baselined for owner in play.owners().values())


async def test_a_key_that_fits_into_no_client_state_is_a_fault_of_that_mailbox_alone() -> None:
    play = walkthrough()
    play.tenant.is_directory_closed = True
    long = "x" * 90 + "@contoso.com"
    await play.add_owner("alex@contoso.com", delegates=["adele@contoso.com"])
    await play.add_owner(long, delegates=["adele@contoso.com"])
    await play.run(play.build_keeper(), seconds=6)
    status = await play.read_status()
    assert status.is_ready
    faults = {one.name: " ".join(one.faults) for one in status.resources}
    assert "by its object id" in faults[f"calendar/{long}"]
    assert len(play.tenant.living()) == 2


async def test_graph_being_away_only_delays() -> None:
    play = walkthrough()
    away = UnavailableError("away", status=503)
    play.tenant.failing |= {"id-alex": away, "alex@contoso.com": away, "list": away}
    await play.add_owner("alex@contoso.com")
    keeper = play.build_keeper()
    await play.run(keeper, seconds=10)
    assert (await play.read_status()).waits_for == ("alex@contoso.com: not looked up yet",)
    play.tenant.failing.clear()
    await play.run(keeper, seconds=60)
    assert (await play.read_status()).is_ready


async def test_graph_being_away_never_ends_the_watching_of_somebody() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    play.tenant.failing |= {"id-alex": UnavailableError("away", status=503)}
    await play.run(keeper, seconds=60)
    assert play.states.forgotten == []
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]


# --- terms and losses ---


async def test_only_the_keeper_with_the_lease_acts() -> None:
    play = walkthrough()
    await play.add_owner("alex@contoso.com")
    first, second = play.build_keeper("keeper-1"), play.build_keeper("keeper-2")
    for _ in range(10):
        for keeper in (first, second):
            await keeper.tick()
            await keeper.settle()
        await play.work()
        play.clock.advance(0.5)
    assert len(play.calls("create")) == 2
    assert play.lease.holder == "keeper-1"


async def test_the_next_keeper_takes_over_within_the_lease() -> None:
    play = walkthrough()
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper("keeper-1"), seconds=0.5)
    await play.run(play.build_keeper("keeper-2"), seconds=8)
    assert play.lease.holder == "keeper-2"
    assert (await play.read_status()).is_ready
    assert len(play.tenant.living()) == 2


async def test_a_keeper_that_was_asleep_writes_nothing_under_its_old_number() -> None:
    play = walkthrough()
    await play.add_owner("alex@contoso.com")
    sleeper = play.build_keeper("keeper-1")
    await sleeper.tick()
    play.lease.number += 1
    await sleeper.settle()
    assert play.records.books[Book.OWNERS] == {}
    assert ("resolve", "fenced") in play.metrics.outcomes


async def test_a_flushed_redis_is_filled_again_from_memory() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper, seconds=6)
    play.tenant.put_item("calendar/id-alex", event("e-1"))
    play.records.flush()
    play.lease.flush()
    play.generation.is_there = False
    await play.run(keeper, seconds=10)
    assert play.generation.begun == 2
    assert [(one.item, one.origin) for one in play.intake.entries] == [("e-1", Origin.BASELINE)]
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    assert play.calls("create") == []
    assert (await play.read_status()).is_ready


async def test_a_standby_remembers_the_roster_as_well() -> None:
    play = await watching()
    leader, standby = play.build_keeper("keeper-2"), play.build_keeper("keeper-3")
    await play.run(leader, seconds=6)
    await standby.tick()
    play.records.flush()
    play.lease.flush()
    play.generation.is_there = False
    await play.run(standby, seconds=10)
    assert (await play.read_status()).is_ready
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    assert play.calls("create") == []


async def test_redis_being_away_ends_nothing() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper, seconds=6)
    play.records.is_away = True
    play.clock.advance(30)
    await keeper._tick_safely()
    await keeper.settle()
    play.records.is_away = False
    await play.run(keeper)
    assert (await play.read_status()).is_ready


async def test_many_mailboxes_do_not_come_at_once() -> None:
    play = Play()
    for number in range(60):
        play.tenant.add_person(f"p{number}@contoso.com")
        await play.add_owner(f"p{number}@contoso.com", delegates=[])
    keeper = play.build_keeper()
    busiest = 0
    for _ in range(80):
        await keeper.tick()
        busiest = max(busiest, sum(keeper._crew._taken.values()))
        await keeper.settle()
        await play.work()
        play.clock.advance(0.5)
    assert len(play.tenant.living()) == 120
    assert (await play.read_status()).is_ready
    assert busiest <= sum(KeeperOptions().keeper.places.values())
    ends = sorted(one.expires_at for one in play.tenant.living())
    assert ends[-1] > ends[0]
    assert DutyKind.SUBSCRIBE in KeeperOptions().keeper.places
