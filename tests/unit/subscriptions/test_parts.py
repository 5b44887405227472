"""The small parts: entries from delta items, faults in words, schedules, silence, leases, lifetimes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.entries import Origin
from service.errors import (
    AccessError,
    ConflictError,
    FencedError,
    GoneError,
    RefusedError,
    ServiceError,
    ThrottledError,
    TokenError,
    UnavailableError,
)
from service.ports import DeltaItem
from service.reconcile.instant import Instant
from service.reconcile.model import MailboxKey
from service.subscriptions.faults import Backoff, build_fault, is_lifetime_refusal
from service.subscriptions.found import build_event_entries, build_message_entries, select_messages
from service.subscriptions.leadership import Leadership
from service.subscriptions.lifetimes import Lifetimes
from service.subscriptions.records import Fault, FaultKind, MailboxRecord
from service.subscriptions.requests import OpenRequests
from service.subscriptions.resync import Window, reckon_received_since
from service.subscriptions.schedule import Duty, DutyKind, Schedule
from service.subscriptions.silence import SilenceLimits, judge_silence
from tests.unit.subscriptions.fakes import START, MemoryLease, VirtualClock

# --- entries ---


def item(id_: str, kind: str = "", series: str = "", *, is_removed: bool = False) -> DeltaItem:
    return DeltaItem(
        id=id_,
        is_removed=is_removed,
        is_event_message=True,
        sent_at=None,
        event_type=kind,
        series_master_id=series,
    )


@pytest.mark.parametrize(
    ("items", "reads"),
    [
        pytest.param([item("a", "singleInstance")], [("a", "updated")], id="single"),
        pytest.param([item("a")], [("a", "updated")], id="sparse"),
        pytest.param([item("a", is_removed=True)], [("a", "deleted")], id="removed"),
        pytest.param(
            [item(f"o{number}", "occurrence", "m") for number in range(180)],
            [("m", "updated")],
            id="daily series",
        ),
        pytest.param(
            [item("x", "exception", "m"), item("o", "occurrence", "m")],
            [("m", "updated"), ("x", "updated")],
            id="exception after its master",
        ),
        pytest.param([item("o", "", "m")], [("m", "updated"), ("o", "updated")], id="of a kind not told"),
        pytest.param(
            [item("m", "seriesMaster"), item("o", "occurrence", "m")],
            [("m", "updated")],
            id="master listed too",
        ),
        pytest.param(
            [item("a", "singleInstance"), item("a", is_removed=True)], [("a", "deleted")], id="last wins"
        ),
    ],
)
def test_what_is_read_because_of_a_calendar_page(
    items: list[DeltaItem], reads: list[tuple[str, str]]
) -> None:
    entries = build_event_entries(
        items, mailbox=MailboxKey("alex"), origin=Origin.SWEEP, arrived_at="", fed=set()
    )
    assert [(one.item, one.change) for one in entries] == reads


def test_a_series_is_fed_once_per_round_however_many_pages_it_fills() -> None:
    fed: set[str] = set()
    fed_twice = [
        build_event_entries(
            [item(f"o{page}", "occurrence", "m")],
            mailbox=MailboxKey("alex"),
            origin=Origin.SWEEP,
            arrived_at="",
            fed=fed,
        )
        for page in range(2)
    ]
    assert [len(page) for page in fed_twice] == [1, 0]


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 10)), max_size=12))
def test_messages_are_fed_once_each_and_in_the_order_of_sending(told: list[tuple[str, int]]) -> None:
    items = [replace(item(name), sent_at=Instant(ns=ns, text="")) for name, ns in told]
    entries = build_message_entries(
        select_messages(items), mailbox=MailboxKey("adele"), origin=Origin.SWEEP, arrived_at=""
    )
    last = dict(told)
    assert sorted(one.item for one in entries) == sorted(last)
    sent = [last[one.item] for one in entries]
    assert sent == sorted(sent)


# --- faults ---


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (AccessError("Access to OData is disabled.", status=403), FaultKind.ACCESS, "access policy"),
        (AccessError("Access token validation failure.", status=401), FaultKind.PASSING, "401"),
        (AccessError("Quota limit reached", status=403), FaultKind.QUOTA, "full number"),
        (AccessError("the maximum of 1000 active subscriptions", status=403), FaultKind.QUOTA, "full number"),
        (GoneError("no", status=404, code="ResourceNotFound"), FaultKind.ABSENT, "licence"),
        (
            RefusedError("REST API is not yet supported for this mailbox", status=400),
            FaultKind.ABSENT,
            "on premises",
        ),
        (
            RefusedError("Subscription validation request timed out.", status=400),
            FaultKind.HANDSHAKE,
            "PUBLIC_URL",
        ),
        (RefusedError("odd {braces}", status=400), FaultKind.REFUSED, "odd {braces}"),
        (ConflictError("exists", status=409), FaultKind.REFUSED, "exists"),
        (TokenError("wrong secret", remedy="Make a new one."), FaultKind.CREDENTIAL, "Make a new one."),
        (UnavailableError("away", status=503, request_id="r-1"), FaultKind.PASSING, "r-1"),
        (ThrottledError("slow", retry_after_s=7), FaultKind.PASSING, "429"),
    ],
)
def test_a_fault_is_said_in_words(error: ServiceError, kind: FaultKind, words: str) -> None:
    fault = build_fault(error, None, subject="inbox/adele", now=START, backoff=Backoff())
    assert fault.kind is kind
    assert words in fault.words
    assert fault.retry_at > START


def chain(error: ServiceError, count: int) -> list[Fault]:
    faults: list[Fault] = []
    for _ in range(count):
        previous = faults[-1] if faults else None
        now = previous.retry_at if previous else START
        faults.append(build_fault(error, previous, subject="x", now=now, backoff=Backoff()))
    return faults


def test_waits_grow_to_their_most_and_never_beyond() -> None:
    for error, most_s in ((UnavailableError("away"), 30), (AccessError("no", status=403), 3600)):
        faults = chain(error, 40)
        waits = [
            (one.retry_at - before).total_seconds()
            for one, before in zip(faults, [START, *(one.retry_at for one in faults)], strict=False)
        ]
        assert max(waits) <= most_s
        assert min(waits[-10:]) >= most_s / 2
        assert waits[0] < waits[5] < waits[-1] * 1.1 or waits[5] > most_s / 2
        assert faults[-1].attempts == 40
        assert faults[-1].since == START


def test_graphs_own_wish_comes_first() -> None:
    fault = build_fault(
        ThrottledError("slow", retry_after_s=77.5), None, subject="x", now=START, backoff=Backoff()
    )
    assert fault.retry_at == START + timedelta(seconds=77.5)


def test_a_refused_lifetime_is_told_from_a_failed_handshake() -> None:
    assert is_lifetime_refusal(
        RefusedError("Subscription expiration can only be 4230 minutes in the future.")
    )
    assert not is_lifetime_refusal(RefusedError("Subscription validation request failed."))


# --- lifetimes ---


def test_shorter_lifetimes_are_tried_down_to_the_shortest() -> None:
    lifetimes = Lifetimes(asked_s=10_080 * 60)
    asked = [lifetimes.ask_s]
    while lifetimes.learn_refusal(lifetimes.ask_s):
        asked.append(lifetimes.ask_s)
    assert asked == [minutes * 60 - 60 for minutes in (10_080, 4_230, 1_440, 60)]


def test_a_lifetime_of_seconds_is_asked_for_as_it_is_wanted() -> None:
    assert Lifetimes(asked_s=90).ask_s == 45


# --- schedule ---


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 20), st.booleans()), max_size=30),
    st.integers(0, 20),
)
def test_a_schedule_gives_each_duty_once_and_the_longest_due_first(
    steps: list[tuple[str, int, bool]], until: int
) -> None:
    schedule, model = Schedule(), dict[str, int]()
    for name, at, is_set in steps:
        duty = Duty(DutyKind.SUBSCRIBE, name)
        moment = START + timedelta(seconds=at)
        if is_set:
            schedule.set(duty, moment)
            model[name] = at
        else:
            schedule.bring_forward(duty, moment)
            model[name] = min(at, model.get(name, at))
    now = START + timedelta(seconds=until)
    due = [duty.name for duty in schedule.pop_due(DutyKind.SUBSCRIBE, now, count=100)]
    assert due == sorted((n for n, at in model.items() if at <= until), key=lambda n: (model[n], n))
    assert schedule.pop_due(DutyKind.SUBSCRIBE, now, count=100) == []
    left = {name: schedule.due_at(Duty(DutyKind.SUBSCRIBE, name)) for name in model}
    assert {name for name, at in left.items() if at is not None} == {
        name for name, at in model.items() if at > until
    }


# --- requests ---


def test_a_request_ends_when_all_its_duties_were_done_after_it() -> None:
    requests = OpenRequests()
    one, other = Duty(DutyKind.READ_MESSAGES, "inbox/a"), Duty(DutyKind.READ_EVENTS, "calendar/b")
    early = requests.take(one)
    requests.attach("r", [one, other])
    assert requests.finish(one, early) == (), "it began before the request came"
    assert requests.finish(one, requests.take(one)) == ()
    failed = requests.take(other)
    requests.put_back(other, failed)
    assert requests.finish(other, requests.take(other)) == ("r",)
    assert "r" not in requests


# --- silence ---

LIMITS = SilenceLimits(after_s=300, slack_s=10)


def judge(record: MailboxRecord, *, found: bool, heard_s: float | None, at_s: float) -> MailboxRecord:
    return judge_silence(
        record,
        changed_after=START,
        has_found=found,
        heard_at=None if heard_s is None else START + timedelta(seconds=heard_s),
        now=START + timedelta(seconds=at_s),
        limits=LIMITS,
    )


@pytest.mark.parametrize(
    ("rounds", "is_silent"),
    [
        pytest.param([(False, None, 900), (False, None, 1800)], False, id="nothing happens"),
        pytest.param([(True, 850.0, 900)], False, id="notifications come"),
        pytest.param([(True, None, 900)], False, id="may only be late"),
        pytest.param([(True, None, 900), (False, None, 1300)], True, id="none came in time"),
        pytest.param([(True, None, 900), (False, 1000.0, 1300)], False, id="came late"),
        pytest.param([(True, -100.0, 900), (True, -100.0, 1300)], True, id="only old ones"),
        pytest.param([(True, -5.0, 900), (False, -5.0, 1300)], False, id="within the slack of the note"),
        pytest.param([(True, None, 900), (False, None, 1300), (True, 1400.0, 1500)], False, id="heard again"),
    ],
)
def test_when_a_mailbox_is_called_silent(
    rounds: list[tuple[bool, float | None, float]], is_silent: bool
) -> None:
    record = MailboxRecord()
    for found, heard_s, at_s in rounds:
        record = judge(record, found=found, heard_s=heard_s, at_s=at_s)
    assert record.is_silent is is_silent


# --- windows, leases ---


@pytest.mark.parametrize(("away_days", "days"), [(None, 7), (1, 7), (12, 12), (100, 30)])
def test_after_a_long_silence_messages_are_read_from_further_back(away_days: int | None, days: int) -> None:
    complete_at = None if away_days is None else START - timedelta(days=away_days)
    since = reckon_received_since(START, complete_at, Window())
    assert since == START - timedelta(days=days)


async def test_a_lease_ends_for_its_holder_no_later_than_for_the_others() -> None:
    clock = VirtualClock()
    lease = MemoryLease(clock)
    first = Leadership(lease=lease, clock=clock, holder="a", duration_s=5)
    second = Leadership(lease=lease, clock=clock, holder="b", duration_s=5)
    assert await first.renew()
    assert not await first.renew(), "the same term goes on"
    assert not await second.renew()
    clock.advance(5)
    assert not first.is_leading
    with pytest.raises(FencedError):
        _ = first.fence
    assert await second.renew()
    assert second.fence > 1
    await second.release()
    assert await first.renew()
