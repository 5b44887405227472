"""What operators and probes are told, and what is left at the desk."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from service.entries import IntakeEntry, Kind, Origin
from service.ports import Book, GraphSubscription
from service.reconcile.matching import normalize_address
from service.reconcile.model import MailboxKey, OwnerKey
from service.roster import RosterEntry, WatchedOwner, encode_record
from service.subscriptions.desk import LastHeard, LifecycleDesk, build_request
from service.subscriptions.records import (
    Fault,
    FaultKind,
    MailboxRecord,
    OwnerProgress,
    Request,
    RequestKind,
    Round,
    SubscriptionRecord,
    decode_mailbox,
    decode_request,
    decode_subscription,
    encode,
)
from service.subscriptions.side_by_side import list_side_by_side
from service.subscriptions.status import Books, build_status
from service.subscriptions.status_reader import StatusReader
from tests.unit.subscriptions.fakes import START, MemoryGeneration, MemoryRecords, VirtualClock

ALEX = normalize_address("alex@contoso.com")
OWNER = WatchedOwner(
    key=OwnerKey("id-alex"),
    roster_address=ALEX,
    address="Alex@contoso.com",
    name="Alex",
    aliases=(ALEX,),
    inboxes=(MailboxKey("id-adele"),),
    is_baselined=True,
)
ALIVE = SubscriptionRecord(
    id="s-1", expires_at=START + timedelta(hours=2), lifetime_s=7200, created_at=START, client_state_tag="t"
)
READ = MailboxRecord(
    delta_link="d", complete_at=START - timedelta(minutes=3), full_at=START - timedelta(days=1)
)
LASTING = Fault(
    kind=FaultKind.ACCESS,
    words="Access denied.",
    attempts=3,
    since=START,
    retry_at=START + timedelta(hours=1),
)
PASSING = replace(LASTING, kind=FaultKind.PASSING, words="Away.")
BOOKS = Books(
    roster={ALEX: RosterEntry(address=ALEX)},
    owners={OWNER.key: OWNER},
    subscriptions={"calendar/id-alex": ALIVE, "inbox/id-adele": replace(ALIVE, id="s-2")},
    mailboxes={"calendar/id-alex": READ, "inbox/id-adele": READ},
    progress={ALEX: OwnerProgress(added_at=START, key=OWNER.key)},
    notified={"s-1": "2026-11-02T07:59:00Z"},
)


@pytest.mark.parametrize(
    ("books", "waits_for"),
    [
        pytest.param(BOOKS, "", id="all is well"),
        pytest.param(replace(BOOKS, roster={}), "", id="nobody in the roster"),
        pytest.param(replace(BOOKS, owners={}, progress={}), "not looked up yet", id="not looked up"),
        pytest.param(
            replace(BOOKS, owners={OWNER.key: replace(OWNER, is_baselined=False)}),
            "baseline not complete",
            id="not read",
        ),
        pytest.param(
            replace(BOOKS, subscriptions={"calendar/id-alex": ALIVE}),
            "inbox/id-adele: no subscription",
            id="no subscription",
        ),
        pytest.param(
            replace(
                BOOKS,
                subscriptions={**BOOKS.subscriptions, "inbox/id-adele": replace(ALIVE, expires_at=START)},
            ),
            "inbox/id-adele: no subscription",
            id="subscription over",
        ),
        pytest.param(
            replace(
                BOOKS,
                subscriptions={
                    **BOOKS.subscriptions,
                    "inbox/id-adele": SubscriptionRecord(fault=PASSING),
                },
            ),
            "no subscription (Away.)",
            id="will be mended",
        ),
        pytest.param(
            replace(
                BOOKS,
                subscriptions={**BOOKS.subscriptions, "inbox/id-adele": SubscriptionRecord(fault=LASTING)},
            ),
            "",
            id="cannot be watched",
        ),
        pytest.param(
            replace(BOOKS, mailboxes={"calendar/id-alex": READ}),
            "inbox/id-adele: not read yet",
            id="not swept",
        ),
        pytest.param(
            replace(
                BOOKS,
                owners={},
                progress={ALEX: OwnerProgress(added_at=START, fault=replace(LASTING, kind=FaultKind.ABSENT))},
            ),
            "",
            id="nobody has the address",
        ),
        pytest.param(
            replace(BOOKS, owners={}, progress={ALEX: OwnerProgress(added_at=START, fault=PASSING)}),
            "not looked up yet (Away.)",
            id="the directory is away",
        ),
    ],
)
def test_what_readiness_waits_for(books: Books, waits_for: str) -> None:
    status = build_status(books, now=START)
    assert waits_for in " ".join(status.waits_for)
    assert status.is_ready is (waits_for == "")


def test_a_resource_tells_all_that_an_operator_asks_for() -> None:
    running = Round(is_full=True, origin=Origin.SWEEP, started_at=START, pages=3, items=140)
    books = replace(
        BOOKS,
        mailboxes={**BOOKS.mailboxes, "calendar/id-alex": replace(READ, round=running)},
    )
    calendar = build_status(books, now=START).resources[0]
    assert (calendar.name, calendar.owners) == ("calendar/id-alex", ("Alex@contoso.com",))
    assert (calendar.left_s, calendar.staleness_s) == (7200, 180)
    assert calendar.heard_at == START - timedelta(minutes=1)
    assert (calendar.is_full_round, calendar.pages, calendar.items) == (True, 3, 140)


@pytest.mark.parametrize(
    ("heard_at", "unheard_since", "is_silent", "is_on_trial"),
    [
        ("2026-11-02T07:50:00Z", START, True, False),
        ("2026-11-02T07:50:00Z", None, True, False),
        ("", START, True, False),
        ("", None, True, True),
        ("2026-11-02T07:59:00Z", None, False, False),
    ],
    ids=["missing more", "not replaced yet", "missing again", "replaced", "heard again"],
)
def test_a_silent_resource_is_on_trial_once_replaced_and_well_with_the_first_notification(
    heard_at: str, unheard_since: datetime | None, is_silent: bool, is_on_trial: bool
) -> None:
    silent = replace(READ, is_silent=True, unheard_since=unheard_since)
    books = replace(BOOKS, mailboxes={"calendar/id-alex": silent}, notified={"s-1": heard_at})
    calendar = build_status(books, now=START).resources[0]
    assert (calendar.is_silent, calendar.is_on_trial) == (is_silent, is_on_trial)


async def test_a_probe_is_told_the_first_few_reasons() -> None:
    records, generation, clock = MemoryRecords(), MemoryGeneration(), VirtualClock()
    reader = StatusReader(records=records, clock=clock)
    assert "no keeper" in await reader.find_unready(generation=generation)
    generation.is_there = True
    assert await reader.find_unready(generation=generation) == ""
    entries = [RosterEntry(address=normalize_address(f"p{number}@contoso.com")) for number in range(5)]
    await records.write(Book.ROSTER, {one.address: encode_record(one) for one in entries})
    clock.advance(1)
    assert (await reader.find_unready(generation=generation)).endswith(", and 2 more")
    records.is_away = True
    clock.advance(1)
    assert await reader.find_unready(generation=generation) == "Redis is away"


# --- side by side ---


def in_graph(id_: str, resource: str, deployment: str = "default") -> GraphSubscription:
    return GraphSubscription(
        id=id_,
        resource=resource,
        change_type="created",
        notification_url=f"https://hooks.example/graph/notifications?deployment={deployment}",
        lifecycle_url="",
        expires_at=START,
    )


def test_ours_and_graphs_stand_side_by_side() -> None:
    held = in_graph("s-1", "users/id-alex/events")
    double = in_graph("s-7", "users/id-alex/events")
    left_over = in_graph("s-8", "users/id-bert/events")
    foreign = in_graph("s-9", "users/id-alex/events", deployment="test")
    lines = list_side_by_side(
        build_status(BOOKS, now=START),
        [foreign, left_over, double, held],
        is_ours=lambda one: one.notification_url.endswith("=default"),
    )
    told = [
        (
            line.status.name if line.status else "",
            line.in_graph.id if line.in_graph else "",
            line.is_ours,
            line.is_held,
        )
        for line in lines
    ]
    assert told == [
        ("calendar/id-alex", "s-1", True, True),
        ("calendar/id-alex", "s-7", True, False),
        ("inbox/id-adele", "", True, False),
        ("", "s-9", False, False),
        ("", "s-8", True, False),
    ]


# --- the desk ---


def lifecycle(word: str, **more: str) -> IntakeEntry:
    return IntakeEntry(
        kind=Kind.LIFECYCLE,
        origin=Origin.NOTIFICATION,
        lifecycle=word,
        arrived_at="2026-11-02T08:00:00Z",
        **more,
    )


@pytest.mark.parametrize("word", ["", "resync", "recreate", "somethingNew"])
def test_only_graphs_words_become_requests(word: str) -> None:
    assert build_request(lifecycle(word)) is None


async def test_the_same_entry_twice_is_one_request() -> None:
    records = MemoryRecords()
    desk = LifecycleDesk(records=records)
    entry = lifecycle("missed", subscription="s-1", mailbox="id-adele", resource="inbox")
    await desk.handle_lifecycle(entry)
    await desk.handle_lifecycle(entry)
    await desk.handle_lifecycle(lifecycle("somethingNew"))
    assert [decode_request(text) for text in records.books[Book.REQUESTS].values()] == [
        Request(
            kind=RequestKind.MISSED,
            at="2026-11-02T08:00:00Z",
            subscription="s-1",
            resource="inbox/id-adele",
        )
    ]


def heard_of(subscription: str, at: str) -> IntakeEntry:
    return IntakeEntry(
        kind=Kind.EVENT,
        origin=Origin.NOTIFICATION,
        mailbox="id-alex",
        subscription=subscription,
        arrived_at=at,
    )


async def holding(subscription: str) -> MemoryRecords:
    """Give the books of a keeper that holds one subscription."""
    records = MemoryRecords()
    await records.write(Book.SUBSCRIPTIONS, {"calendar/id-alex": encode(replace(ALIVE, id=subscription))})
    return records


async def test_the_last_notification_is_noted_now_and_then_and_at_the_end() -> None:
    records, clock = await holding("s-1"), VirtualClock()
    heard = LastHeard(records=records, clock=clock, interval_s=5)
    for second in range(12):
        await heard.note(heard_of("s-1", f"t-{second}"))
        clock.advance(1)
    assert records.counters[Book.NOTIFIED] == 3
    await heard.flush(is_last=True)
    assert records.books[Book.NOTIFIED] == {"s-1": "t-11"}


async def test_nothing_is_noted_of_a_subscription_that_no_record_names() -> None:
    records, clock = await holding("s-1"), VirtualClock()
    heard = LastHeard(records=records, clock=clock, interval_s=5)
    for subscription in ("s-0", "made up", "s-1"):
        await heard.note(heard_of(subscription, "t"))
    await heard.flush(is_last=True)
    assert records.books[Book.NOTIFIED] == {"s-1": "t"}


async def test_redis_being_away_does_not_disturb_who_notes() -> None:
    records, clock = await holding("s-1"), VirtualClock()
    heard = LastHeard(records=records, clock=clock, interval_s=5)
    records.is_away = True
    await heard.note(heard_of("s-1", "t"))
    records.is_away = False
    clock.advance(5)
    await heard.flush()
    assert records.books[Book.NOTIFIED] == {"s-1": "t"}


def test_records_come_back_as_they_were_written() -> None:
    assert decode_subscription(encode(replace(ALIVE, fault=LASTING))) == replace(ALIVE, fault=LASTING)
    running = Round(is_full=True, origin=Origin.BASELINE, started_at=START, link="l")
    assert decode_mailbox(encode(replace(READ, round=running))) == replace(READ, round=running)


def test_each_resource_names_the_person_whose_mailbox_it_is() -> None:
    named = replace(OWNER, inbox_addresses=("AdeleV@contoso.com",))
    for owner, inbox in (
        (named, "AdeleV@contoso.com"),
        (OWNER, "id-adele"),
    ):  # the last: of an earlier release
        status = build_status(replace(BOOKS, owners={owner.key: owner}), now=START)
        assert [(one.name, one.mailbox) for one in status.resources] == [
            ("calendar/id-alex", "Alex@contoso.com"),
            ("inbox/id-adele", inbox),
        ]
