"""What the dashboard calls wrong: each case alone, in words with a remedy, and silence where all is well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.cloud_events import build_redactor
from service.dashboard.picture import redact_status
from service.dashboard.troubles import Observed, find_troubles, redis_away
from service.preflight.finding import State
from service.pulse.reading import Minute, Process, Vitals
from service.pulse.record import ProcessRecord
from service.reconcile.model import Address, OwnerKey
from service.streams.intake_stream import IntakeDepth
from service.streams.server_facts import ServerFacts
from service.subscriptions.status import KeeperStatus, OwnerStatus, ResourceStatus

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
DENIED = "Access denied (403 ErrorAccessDenied): give the application Mail.Read."


def process(*roles: str, silent_s: float = 1, **members: Any) -> Process:
    started_at = members.pop("started_at", NOW - timedelta(hours=1))
    record = ProcessRecord(roles=roles, started_at=started_at, **{"is_leader": "keeper" in roles, **members})
    return Process(name=f"{roles[0]}-1", record=record, heard_at=NOW, silent_s=silent_s)


def resource(**members: Any) -> ResourceStatus:
    usual: dict[str, Any] = {
        "name": "calendar/alex", "mailbox": "alex@contoso.com", "owners": ("alex@contoso.com",),
        "subscription_id": "s", "expires_at": NOW,
        "left_s": 90_000.0, "heard_at": NOW, "staleness_s": 60.0, "is_silent": False, "is_full_round": False,
        "pages": 0, "items": 0, "faults": (), "is_watchable": True, "waits_for": "",
    }  # fmt: skip
    return ResourceStatus(**{**usual, **members})


def owner(**members: Any) -> OwnerStatus:
    usual: dict[str, Any] = {
        "roster_address": Address("alex@contoso.com"), "key": OwnerKey("alex"), "name": "Alex",
        "delegates_named": False, "inboxes": (), "is_baselined": True, "fault": "", "waits_for": "",
    }  # fmt: skip
    return OwnerStatus(**{**usual, **members})


def redis(**members: Any) -> ServerFacts:
    usual: dict[str, Any] = {
        "product": "valkey", "version": (9, 0, 0), "eviction": "noeviction", "is_append_only": True,
        "fsync": "everysec", "has_snapshots": True, "replicas": 0, "used_bytes": 10, "limit_bytes": 100,
    }  # fmt: skip
    return ServerFacts(**{**usual, **members})


def depth(**members: Any) -> IntakeDepth:
    usual: dict[str, Any] = {
        "entries": 0, "pending": 0, "oldest_ms": None, "due": 0, "first_due_ms": None, "dead": 0
    }  # fmt: skip
    return IntakeDepth(**{**usual, **members})


ALL = (process("web"), process("worker"), process("keeper"))
WELL = Observed(
    vitals=Vitals(at=NOW, processes=ALL, minutes=(Minute(minute=1, counts={}),)),
    depth=depth(),
    status=KeeperStatus(owners=(owner(),), resources=(resource(),)),
    has_generation=True,
    redis=redis(),
    refusal="",
    sweep_interval_s=900,
)


def with_vitals(*processes: Process, **counts: int) -> Observed:
    minutes = (Minute(minute=1, counts=counts),)
    return replace(WELL, vitals=Vitals(at=NOW, processes=processes or ALL, minutes=minutes))


def with_resource(**members: Any) -> Observed:
    return replace(WELL, status=KeeperStatus(owners=(owner(),), resources=(resource(**members),)))


def test_where_all_is_well_nothing_is_said() -> None:
    assert find_troubles(WELL) == ()


OLD_MS = NOW_MS - 300_000
FULL = "Redis is full and takes no writes: command not allowed."
CASES: list[tuple[Observed, str, str]] = [
    (replace(WELL, refusal=FULL), "ResponseSyncRedisFull", "Redis is full"),
    (replace(WELL, refusal="Redis refused: READONLY"), "ResponseSyncNotStored", "READONLY"),
    (replace(WELL, refusal="Redis is away: no answer"), "ResponseSyncRedisAway", "no answer"),
    (with_vitals(redis_full=3), "ResponseSyncRedisFull", "takes writes again; 3 notifications"),
    (replace(WELL, redis=redis(used_bytes=90)), "ResponseSyncRedisMemory", "90% of its memory"),
    (replace(WELL, redis=redis(eviction="allkeys-lru")), "ResponseSyncRedisMemory", "allkeys-lru"),
    (replace(WELL, has_generation=False), "ResponseSyncStateLost", "no state"),
    (with_vitals(process("web"), process("keeper")), "ResponseSyncNoWorker", "No worker is running"),
    (with_vitals(process("worker"), process("keeper")), "ResponseSyncNoWeb", "No web is running"),
    (with_vitals(process("worker"), process("web")), "ResponseSyncNoKeeper", "No keeper is running"),
    (with_vitals(*ALL, process("worker", silent_s=40)), "ResponseSyncNoWorker", "last heard of 40 s ago"),
    (
        with_vitals(*ALL[:2], process("keeper", is_leader=False)),
        "ResponseSyncNoLeader",
        "No keeper leads",
    ),
    (
        with_vitals(*ALL[1:], process("web", unready={"web": "Redis is full"})),
        "ResponseSyncNoWeb",
        "web-1 is not ready: Redis is full",
    ),
    (
        replace(WELL, depth=depth(entries=7, oldest_ms=OLD_MS)),
        "ResponseSyncIntakeLag",
        "7 entries has waited 5 m",
    ),
    (replace(WELL, depth=depth(due=1, first_due_ms=OLD_MS)), "ResponseSyncDueOverdue", "are not released"),
    (replace(WELL, depth=depth(dead=2)), "ResponseSyncDeadLetters", "2 entries were given up"),
    (with_vitals(missed=9), "ResponseSyncNotificationsMissed", "no notification at all came"),
    (with_vitals(token_refused=2), "ResponseSyncTokenRefused", "2 access tokens"),
    (with_vitals(throttled=4, graph=90), "ResponseSyncGraphThrottles", "4 times"),
    (with_vitals(graph=9, graph_failed=8), "ResponseSyncGraphAway", "8 of 9 requests"),
    (with_resource(faults=(DENIED,)), "ResponseSyncMailboxFaulty", "Access denied (403 ErrorAccessDenied)"),
    (with_resource(is_silent=True), "ResponseSyncMailboxSilent", "calendar of alex@contoso.com"),
    (with_resource(is_silent=True, is_on_trial=True), "ResponseSyncMailboxSilent", "none has come since"),
    (with_resource(left_s=0.0), "ResponseSyncSubscriptionMissing", "calendar of alex@contoso.com"),
    (with_resource(staleness_s=2_000.0), "ResponseSyncMailboxStale", "calendar of alex@contoso.com"),
    (
        replace(WELL, status=KeeperStatus(owners=(owner(fault="Nobody has that address."),), resources=())),
        "ResponseSyncMailboxFaulty",
        "Nobody has that address",
    ),
    (
        with_vitals(*ALL[1:], process("web", clocks={"redis": -61.0, "graph": 0.4})),
        "ResponseSyncClockSkew",
        "Redis' clock is 61 s behind Graph's",
    ),
]


@pytest.mark.parametrize(
    ("seen", "runbook", "words"), CASES, ids=[f"{at}-{one[1]}" for at, one in enumerate(CASES)]
)
def test_each_fault_is_said_alone_with_its_remedy(seen: Observed, runbook: str, words: str) -> None:
    (trouble,) = find_troubles(seen)
    assert trouble.runbook == runbook
    assert words in trouble.words
    assert trouble.remedy.endswith(".")


@pytest.mark.parametrize(
    "seen",
    [
        replace(WELL, depth=depth(entries=7, oldest_ms=NOW_MS - 100_000)),
        replace(WELL, depth=depth(due=1, first_due_ms=NOW_MS + 300_000)),
        replace(WELL, redis=redis(used_bytes=10**12, limit_bytes=0)),
        replace(WELL, redis=redis(eviction=None)),
        with_vitals(missed=5),
        with_vitals(graph=9, graph_failed=4),
        with_resource(staleness_s=1_900.0),
        with_resource(left_s=0.0, deleted_at=NOW),
        with_resource(staleness_s=None),
        with_vitals(process("web", "worker", "keeper")),
        with_vitals(*ALL, process("web", silent_s=14)),
        with_vitals(*ALL[:2], process("keeper", unready={"keeper": "a mailbox waits"})),
        with_vitals(*ALL[1:], process("web", unready={"web": "not connected yet"}, started_at=NOW)),
    ],
)
def test_what_is_ordinary_is_not_called_wrong(seen: Observed) -> None:
    assert find_troubles(seen) == ()


def test_a_redis_that_is_full_is_the_one_thing_to_repair() -> None:
    idle = process("keeper", is_leader=False)
    stuck = process("web", unready={"web": FULL})
    (trouble,) = find_troubles(replace(with_vitals(idle, stuck, process("worker")), refusal=FULL))
    assert (trouble.state, trouble.runbook) == (State.FAULT, "ResponseSyncRedisFull")


def test_a_redis_that_has_no_room_left_for_large_writes_is_still_full() -> None:
    found = find_troubles(replace(with_vitals(redis_full=1), redis=redis(used_bytes=99)))
    assert [(one.state, one.runbook) for one in found] == [
        (State.FAULT, "ResponseSyncRedisFull"),
        (State.WARNING, "ResponseSyncRedisMemory"),
    ]


def test_changes_that_were_not_announced_point_at_the_public_url_only_where_little_comes() -> None:
    (cut_off,) = find_troubles(with_vitals(missed=9, stored=1))
    (lossy,) = find_troubles(with_vitals(missed=9, stored=400))
    assert "PUBLIC_URL" in cut_off.remedy
    assert "PUBLIC_URL" not in lossy.remedy
    assert "400 notifications came" in lossy.words


def test_changes_that_were_not_announced_trouble_nobody_once_notifications_come_again() -> None:
    counts = [{"missed": 9}, *[{}] * 4, {"stored": 2}]
    minutes = tuple(Minute(minute=at, counts=one) for at, one in enumerate(counts))
    seen = replace(WELL, vitals=replace(WELL.vitals, minutes=minutes))
    (trouble,) = find_troubles(seen)
    assert "none in the last 5, in which 2 notifications came" in trouble.words
    assert trouble.remedy.startswith("Nothing to do")


def test_a_fault_of_a_delegates_inbox_names_the_delegate_and_whom_it_serves() -> None:
    owners = tuple(f"o{at}@contoso.com" for at in range(7))
    adele = resource(name="inbox/id-adele", mailbox="adele@contoso.com", owners=owners, faults=(DENIED,))
    (trouble,) = find_troubles(replace(WELL, status=KeeperStatus(owners=(owner(),), resources=(adele,))))
    served = ", ".join(owners[:5])
    assert trouble.subject == f"inbox of adele@contoso.com (read for {served} and 2 more)"


def test_the_same_fault_of_thousands_is_said_once_and_names_a_few() -> None:
    resources = tuple(
        resource(
            name=f"inbox/d{at}",
            mailbox=f"d{at}@contoso.com",
            owners=(),
            faults=(DENIED.replace("Denied)", f"Denied 00000000-0000-0000-0000-{at:012d})"),),
        )
        for at in range(4_000)
    )
    assert len({one.faults for one in resources}) == 4_000
    (trouble,) = find_troubles(replace(WELL, status=KeeperStatus(owners=(owner(),), resources=resources)))
    assert trouble.subject.startswith("inbox of d0@contoso.com, inbox of d1@contoso.com")
    assert trouble.subject.endswith("and 3995 more")
    assert trouble.words == "Access denied (403 ErrorAccessDenied)"


def test_one_fault_of_inbox_and_calendar_is_said_once() -> None:
    both = (resource(faults=(DENIED,)), resource(name="inbox/alex", faults=(DENIED,)))
    (trouble,) = find_troubles(replace(WELL, status=KeeperStatus(owners=(), resources=both)))
    assert trouble.subject == "calendar and inbox of alex@contoso.com"
    assert trouble.remedy == "Give the application Mail.Read."


def test_faults_come_before_warnings() -> None:
    seen = replace(WELL, depth=depth(dead=2), has_generation=False)
    assert [one.state for one in find_troubles(seen)] == [State.FAULT, State.WARNING]


def test_a_silent_process_is_not_asked_about_its_clock() -> None:
    late = process("web", silent_s=600, clocks={"redis": 900.0})
    assert [one.runbook for one in find_troubles(with_vitals(*ALL, late))] == ["ResponseSyncNoWeb"]


def test_redis_away_has_a_remedy_too() -> None:
    assert redis_away("Redis is away: refused").runbook == "ResponseSyncRedisAway"


def test_redact_hides_addresses_and_names_of_owners_and_mailboxes() -> None:
    words = "Graph refuses (400): no mailbox of <Alex@contoso.com>, nor of lidia@contoso.com."
    inbox = resource(name="inbox/adele@contoso.com", faults=(words,), waits_for=f"inbox/x: {words}")
    status = KeeperStatus(owners=(owner(fault=words),), resources=(inbox, resource()))
    redacted = redact_status(status, build_redactor({"addresses"}, b"k"))
    assert "contoso" not in repr(redacted)
    assert "Alex'" not in repr(redacted)
    assert redacted.owners[0].roster_address in redacted.resources[0].faults[0]
    assert redacted.resources[0].faults[0].endswith(".")
    assert redacted.resources[1].name == "calendar/alex"
    assert redact_status(status, build_redactor({"subject"}, b"k")) is status


def test_the_time_of_a_picture_is_redis_own() -> None:
    assert WELL.now_s == (NOW - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
