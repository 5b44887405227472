"""What is wrong, each in words with its remedy and its entry of the runbook. Pure: numbers in, words out.

`deploy/RUNBOOK.md` has an entry under each name; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from service.dashboard.clocks import find_skews
from service.dashboard.mailbox_troubles import judge_mailboxes, judge_sign_ins
from service.dashboard.trouble import Trouble, fault, warning
from service.preflight.finding import State
from service.pulse.reading import Process, Vitals
from service.streams.intake_stream import IntakeDepth
from service.streams.link import is_full
from service.streams.server_facts import ServerFacts
from service.subscriptions.status import KeeperStatus

LAG_S: Final = 120.0
DELAY_MINUTES: Final = 15
LATELY_MINUTES: Final = 5
MEMORY_PART: Final = 0.85
_STARTING: Final = timedelta(seconds=15)
_MS_PER_S: Final = 1_000
_ROLES: Final = ("web", "worker", "keeper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that is looked at, at one moment.

    Attributes:
        sweep_interval_s: between two delta queries of a mailbox.
        refusal: why Redis takes no writes; empty where it does.
    """

    vitals: Vitals
    depth: IntakeDepth
    status: KeeperStatus
    has_generation: bool
    redis: ServerFacts
    refusal: str
    sweep_interval_s: float

    @property
    def now_s(self) -> float:
        return self.vitals.at.timestamp()


def find_troubles(seen: Observed) -> tuple[Trouble, ...]:
    """Give everything that is wrong, faults before warnings."""
    found = [
        *_judge_redis(seen),
        *_judge_processes(seen),
        *_judge_work(seen),
        *_judge_graph(seen),
        *judge_mailboxes(seen.status, stale_s=2 * seen.sweep_interval_s + LAG_S),
        *judge_sign_ins(seen.status),
        *_judge_clocks(seen.vitals.processes),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda one: one.state is not State.FAULT))


def redis_away(words: str) -> Trouble:
    """Say that nothing can be seen, because Redis is away."""
    return fault(
        "Redis",
        words,
        "Start Redis or repair the way to it; Graph repeats what got no answer, and all go on by themselves.",
        "ResponseSyncRedisAway",
    )


# --- Redis ---


def _judge_redis(seen: Observed) -> Iterator[Trouble]:
    redis = seen.redis
    is_short = bool(redis.limit_bytes) and redis.used_bytes > MEMORY_PART * redis.limit_bytes
    yield from _judge_writes(seen, is_short=is_short)
    if is_short and not seen.refusal:
        yield warning(
            "Redis",
            f"{redis.used_bytes / redis.limit_bytes:.0%} of its memory is used.",
            "Raise maxmemory, or lower STREAM_MAXLEN or RETENTION_DAYS, before it is full.",
            "ResponseSyncRedisMemory",
        )
    if redis.eviction not in (None, "noeviction"):
        yield fault(
            "Redis",
            f"maxmemory-policy is {redis.eviction}: state would vanish when memory is short.",
            "Set maxmemory-policy to noeviction.",
            "ResponseSyncRedisMemory",
        )
    if not seen.has_generation:
        yield fault(
            "State",
            "Redis holds no state of ours that a keeper has begun.",
            "Start a keeper; after a loss it reads all calendars anew and publishes snapshots by itself.",
            "ResponseSyncStateLost",
        )


def _judge_writes(seen: Observed, *, is_short: bool) -> Iterator[Trouble]:
    """Tell a Redis that takes no writes from one that takes them again; what it refused, Graph repeats.

    Args:
        is_short: it is nearly full, so the next large write may be refused although a small one is not.
    """
    turned_away = seen.vitals.sum_up("redis_full", minutes=2)
    if seen.refusal.startswith("Redis is away"):
        yield redis_away(seen.refusal)
    elif seen.refusal and not is_full(seen.refusal):
        yield fault(
            "Redis",
            seen.refusal,
            "Let REDIS_URL name the master, and a user who may write: `response-sync check` looks at both.",
            "ResponseSyncNotStored",
        )
    elif seen.refusal or (turned_away and is_short):
        yield fault(
            "Redis",
            seen.refusal or f"{_count(turned_away)} found Redis full within two minutes.",
            "Give it more memory (maxmemory) or free some; Graph repeats what was refused for hours.",
            "ResponseSyncRedisFull",
        )
    elif turned_away:
        yield warning(
            "Redis",
            f"It takes writes again; {_count(turned_away)} found it full within two minutes.",
            "Nothing to do: Graph repeats what was refused, and this line goes by itself.",
            "ResponseSyncRedisFull",
        )


def _count(notifications: int) -> str:
    return f"{notifications} notification{'' if notifications == 1 else 's'}"


# --- Processes ---


def _judge_processes(seen: Observed) -> Iterator[Trouble]:
    alive = seen.vitals.count_alive()
    for role in _ROLES:
        if not alive[role]:
            yield fault(role, f"No {role} is running.", f"Start one: `response-sync {role}`.", _missing(role))
    for process in seen.vitals.processes:
        if not process.is_alive:
            yield warning(
                "Processes",
                f"{process.name} ({', '.join(process.record.roles)}) was last heard of "
                f"{process.silent_s:.0f} s ago and did not say goodbye.",
                "Look at its log; if it was killed, another does its work, and this line goes by itself.",
                _missing(process.record.roles[0] if process.record.roles else "web"),
            )
    leaders = sum(process.record.is_leader for process in seen.vitals.processes if process.is_alive)
    if seen.refusal:
        return  # nobody can lead or be ready while Redis takes no writes, and that is said
    if alive["keeper"] and not leaders:
        yield warning(
            "keeper",
            "No keeper leads.",
            "Wait for LEASE_S; then look at the keepers' logs for what holds them back.",
            "ResponseSyncNoLeader",
        )
    for process in seen.vitals.processes:
        for role, why in process.record.unready.items() if process.is_alive else ():
            if role != "keeper" and seen.vitals.at - process.record.started_at > _STARTING:
                yield warning(
                    role,
                    f"{process.name} is not ready: {why}",
                    "Repair what it says; /readyz of that process tells the same.",
                    _missing(role),
                )


def _missing(role: str) -> str:
    return {"web": "ResponseSyncNoWeb", "worker": "ResponseSyncNoWorker"}.get(role, "ResponseSyncNoKeeper")


# --- Work ---


def _judge_work(seen: Observed) -> Iterator[Trouble]:
    depth = seen.depth
    lag_s = seen.now_s - depth.oldest_ms / _MS_PER_S if depth.oldest_ms is not None else 0.0
    if lag_s > LAG_S:
        yield fault(
            "Intake",
            f"The oldest of {depth.entries} entries has waited {lag_s / 60:.0f} minutes.",
            "Start more workers, unless Graph throttles or is away; nothing is lost meanwhile.",
            "ResponseSyncIntakeLag",
        )
    if depth.first_due_ms is not None and seen.now_s - depth.first_due_ms / _MS_PER_S > LAG_S:
        yield fault(
            "Due list",
            "Timers and retries are not released although they are due.",
            "Start a worker, or look at the workers' logs.",
            "ResponseSyncDueOverdue",
        )
    if depth.dead:
        yield warning(
            "Dead letters",
            f"{depth.dead} {'entry was' if depth.dead == 1 else 'entries were'} given up.",
            "Read the reasons under Dead letters, repair the cause, then requeue.",
            "ResponseSyncDeadLetters",
        )
    missed = seen.vitals.sum_up("missed", minutes=DELAY_MINUTES)
    if missed > 5:
        yield _say_missed(seen.vitals, missed)


def _say_missed(vitals: Vitals, missed: int) -> Trouble:
    """Tell a way that is shut from one that loses some, and from one that is open again."""
    came, lately = (vitals.sum_up("stored", minutes=minutes) for minutes in (DELAY_MINUTES, LATELY_MINUTES))
    found = f"Sweeps found {missed} changes in {DELAY_MINUTES} minutes that no notification had brought"
    if lately and not vitals.sum_up("missed", minutes=LATELY_MINUTES):
        words = f"{found}, but none in the last {LATELY_MINUTES}, in which {_count(lately)} came."
        remedy = "Nothing to do unless it grows: notifications come again, and this line goes by itself."
    elif came > missed:
        words = f"{found}; {_count(came)} came meanwhile."
        remedy = "Look for a mailbox that is silent, and at what web refused: most notifications do arrive."
    else:
        words = f"{found}; {_count(came) if came else 'no notification at all'} came meanwhile."
        remedy = "Check that Graph reaches PUBLIC_URL: `response-sync check`."
    return warning("Notifications", words, remedy, "ResponseSyncNotificationsMissed")


# --- Graph ---


def _judge_graph(seen: Observed) -> Iterator[Trouble]:
    vitals = seen.vitals
    if refused := vitals.sum_up("token_refused", minutes=5):
        yield fault(
            "Entra ID",
            f"{refused} access tokens were refused or not to be had in five minutes.",
            "Renew or correct the credential (`response-sync check` says what is wrong); this line goes five "
            "minutes after the last refusal.",
            "ResponseSyncTokenRefused",
        )
    asked, failed = vitals.sum_up("graph", minutes=5), vitals.sum_up("graph_failed", minutes=5)
    throttled = vitals.sum_up("throttled", minutes=5)
    if throttled:
        yield warning(
            "Graph",
            f"It asked to wait {throttled} times in five minutes.",
            "Nothing to do if it passes; else lower GRAPH_REQUESTS_MAX, or see what else asks as this app.",
            "ResponseSyncGraphThrottles",
        )
    if failed and failed * 2 > asked:
        yield fault(
            "Graph",
            f"{failed} of {asked} requests failed in five minutes: Graph is away, or the way to it.",
            "Check the network and Microsoft's service health; the work waits and goes on by itself.",
            "ResponseSyncGraphAway",
        )


# --- Clocks ---


def _judge_clocks(processes: Iterable[Process]) -> Iterator[Trouble]:
    for skew in find_skews(processes):
        whose = "the machine of each" if skew.processes else "Redis' machine"
        yield fault(
            "Clock",
            skew.words,
            f"Let {whose} take its time from NTP (`timedatectl`, `chronyc tracking`).",
            "ResponseSyncClockSkew",
        )
