"""What is wrong, each in words with its remedy and its entry of the runbook. Pure: numbers in, words out.

`deploy/RUNBOOK.md` has an entry under each name; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from service.dashboard.clocks import find_skews
from service.preflight.finding import State
from service.pulse.reading import Process, Vitals
from service.sign_ins.record import SignInState
from service.streams.intake_stream import IntakeDepth
from service.streams.link import is_full
from service.streams.server_facts import ServerFacts
from service.subscriptions.status import KeeperStatus, ResourceStatus

LAG_S: Final = 120.0
DELAY_MINUTES: Final = 15
MEMORY_PART: Final = 0.85
ENDING_SOON_S: Final = 1_800.0
NAMED_MAX: Final = 5
_MS_PER_S: Final = 1_000
_REQUEST_ID: Final = re.compile(r" [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
"""What Graph calls a request by: no two faults would be alike with it."""
_ROLES: Final = ("web", "worker", "keeper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that is wrong.

    Attributes:
        words: what was found.
        remedy: one sentence that says what to do.
        runbook: name of the entry in the runbook, which is that of the alert.
    """

    state: State
    subject: str
    words: str
    remedy: str
    runbook: str


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
        *_judge_mailboxes(seen),
        *_judge_sign_ins(seen),
        *_judge_clocks(seen.vitals.processes),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda one: one.state is not State.FAULT))


def redis_away(words: str) -> Trouble:
    """Say that nothing can be seen, because Redis is away."""
    return _fault(
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
        yield _warning(
            "Redis",
            f"{redis.used_bytes / redis.limit_bytes:.0%} of its memory is used.",
            "Raise maxmemory, or lower STREAM_MAXLEN or RETENTION_DAYS, before it is full.",
            "ResponseSyncRedisMemory",
        )
    if redis.eviction not in (None, "noeviction"):
        yield _fault(
            "Redis",
            f"maxmemory-policy is {redis.eviction}: state would vanish when memory is short.",
            "Set maxmemory-policy to noeviction.",
            "ResponseSyncRedisMemory",
        )
    if not seen.has_generation:
        yield _fault(
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
        yield _fault(
            "Redis",
            seen.refusal,
            "Let REDIS_URL name the master, and a user who may write: `response-sync check` looks at both.",
            "ResponseSyncNotStored",
        )
    elif seen.refusal or (turned_away and is_short):
        yield _fault(
            "Redis",
            seen.refusal or f"{_count(turned_away)} found Redis full within two minutes.",
            "Give it more memory (maxmemory) or free some; Graph repeats what was refused for hours.",
            "ResponseSyncRedisFull",
        )
    elif turned_away:
        yield _warning(
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
            yield _fault(
                role, f"No {role} is running.", f"Start one: `response-sync {role}`.", _missing(role)
            )
    for process in seen.vitals.processes:
        if not process.is_alive:
            yield _warning(
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
        yield _warning(
            "keeper",
            "No keeper leads.",
            "Wait for LEASE_S; then look at the keepers' logs for what holds them back.",
            "ResponseSyncNoLeader",
        )
    for process in seen.vitals.processes:
        for role, why in process.record.unready.items() if process.is_alive else ():
            if role != "keeper":
                yield _warning(
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
        yield _fault(
            "Intake",
            f"The oldest of {depth.entries} entries has waited {lag_s / 60:.0f} minutes.",
            "Start more workers, unless Graph throttles or is away; nothing is lost meanwhile.",
            "ResponseSyncIntakeLag",
        )
    if depth.first_due_ms is not None and seen.now_s - depth.first_due_ms / _MS_PER_S > LAG_S:
        yield _fault(
            "Due list",
            "Timers and retries are not released although they are due.",
            "Start a worker, or look at the workers' logs.",
            "ResponseSyncDueOverdue",
        )
    if depth.dead:
        yield _warning(
            "Dead letters",
            f"{depth.dead} {'entry was' if depth.dead == 1 else 'entries were'} given up.",
            "Read the reasons under Dead letters, repair the cause, then requeue.",
            "ResponseSyncDeadLetters",
        )
    missed = seen.vitals.sum_up("missed", minutes=DELAY_MINUTES)
    came = seen.vitals.sum_up("stored", minutes=DELAY_MINUTES)
    if missed > 5:
        yield _warning(
            "Notifications",
            f"Sweeps found {missed} changes in {DELAY_MINUTES} minutes that no notification had brought; "
            f"{_count(came) if came else 'no notification at all'} came meanwhile.",
            "Look for a mailbox that is silent, and at what web refused: most notifications do arrive."
            if came > missed
            else "Check that Graph reaches PUBLIC_URL: `response-sync check`.",
            "ResponseSyncNotificationsMissed",
        )


# --- Graph ---


def _judge_graph(seen: Observed) -> Iterator[Trouble]:
    vitals = seen.vitals
    if refused := vitals.sum_up("token_refused", minutes=5):
        yield _fault(
            "Entra ID",
            f"{refused} access tokens were refused or not to be had in five minutes.",
            "Renew or correct the credential (`response-sync check` says what is wrong); this line goes five "
            "minutes after the last refusal.",
            "ResponseSyncTokenRefused",
        )
    asked, failed = vitals.sum_up("graph", minutes=5), vitals.sum_up("graph_failed", minutes=5)
    throttled = vitals.sum_up("throttled", minutes=5)
    if throttled:
        yield _warning(
            "Graph",
            f"It asked to wait {throttled} times in five minutes.",
            "Nothing to do if it passes; else lower GRAPH_REQUESTS_MAX, or see what else asks as this app.",
            "ResponseSyncGraphThrottles",
        )
    if failed and failed * 2 > asked:
        yield _fault(
            "Graph",
            f"{failed} of {asked} requests failed in five minutes: Graph is away, or the way to it.",
            "Check the network and Microsoft's service health; the work waits and goes on by itself.",
            "ResponseSyncGraphAway",
        )


# --- Mailboxes ---


def _judge_sign_ins(seen: Observed) -> Iterator[Trouble]:
    for one in seen.status.sign_ins:
        if one.state is SignInState.GOOD:
            continue
        found, _, remedy = one.words.partition(": ")
        tell = _fault if one.state is SignInState.ENDED else _warning
        yield tell("Sign-ins", f"{found}.", f"{remedy[:1].upper()}{remedy[1:]}", "ResponseSyncSignInEnding")


def _judge_faulty(status: KeeperStatus) -> Iterator[Trouble]:
    """Say once what is the same of many: a consent that is missing may stop thousands of mailboxes."""
    same: dict[str, list[tuple[str, str, str]]] = {}

    def say(name: str, served: str, words: str) -> None:
        same.setdefault(_REQUEST_ID.sub("", words), []).append((name, served, words))

    for owner in status.owners:
        if owner.fault:
            say(owner.name or owner.roster_address, "", owner.fault)
    faulty: dict[tuple[str, str], list[tuple[ResourceStatus, str]]] = {}
    for one in status.resources:
        for words in one.faults:
            faulty.setdefault((one.mailbox, _REQUEST_ID.sub("", words)), []).append((one, words))
    for found in faulty.values():  # inbox and calendar of one mailbox often say the same
        resources = [one for one, _ in found]
        say(_name(*resources), _name_served(*resources), found[0][1])
    for common, told in same.items():
        if len(told) == 1:
            ((name, served, words),) = told
            yield _of_mailbox(name + served, words)
        else:
            yield _of_mailbox(_few([name for name, _, _ in told]), common)


def _judge_mailboxes(seen: Observed) -> Iterator[Trouble]:
    yield from _judge_faulty(seen.status)
    silent = [one for one in seen.status.resources if one.is_silent]
    if silent:
        yield _warning(
            "Subscriptions",
            f"Notifications stay away although things change: {_list(silent)}.",
            "The keeper makes them anew; if it stays so, check PUBLIC_URL with `response-sync check`.",
            "ResponseSyncMailboxSilent",
        )
    watchable = [
        one for one in seen.status.resources if one.is_watchable and not one.faults and one.deleted_at is None
    ]
    missing = [one for one in watchable if one.left_s <= 0]
    if missing:
        yield _warning(
            "Subscriptions",
            f"Not subscribed: {_list(missing)}.",
            "Wait a minute after a start; else `response-sync subscriptions recreate` and the keeper's log.",
            "ResponseSyncSubscriptionMissing",
        )
    stale = [one for one in watchable if (one.staleness_s or 0) > 2 * seen.sweep_interval_s + LAG_S]
    if stale:
        yield _warning(
            "Mailboxes",
            f"Not read for more than two sweeps: {_list(stale)}.",
            "Look at the keeper's log; `response-sync resync` reads everything now.",
            "ResponseSyncMailboxStale",
        )


def _of_mailbox(subject: str, words: str) -> Trouble:
    """Split what the keeper says at its first colon or stop: what is wrong, then what to do."""
    found, _, remedy = words.partition(": ")
    if not remedy:
        found, _, remedy = words.partition(". ")
    remedy = remedy or "`response-sync check` looks at it again and says more."
    return _fault(subject, found.rstrip("."), remedy[:1].upper() + remedy[1:], "ResponseSyncMailboxFaulty")


def _name(*resources: ResourceStatus) -> str:
    """Name what is read of one mailbox."""
    kinds = dict.fromkeys(one.name.partition("/")[0] for one in resources)
    return f"{' and '.join(kinds)} of {resources[0].mailbox}"


def _name_served(*resources: ResourceStatus) -> str:
    """Say for whom a mailbox is read, where that is somebody else; else nothing."""
    mailbox = resources[0].mailbox
    others = dict.fromkeys(owner for one in resources for owner in one.owners if owner != mailbox)
    return f" (read for {_few(list(others))})" if others else ""


def _list(resources: Iterable[ResourceStatus]) -> str:
    return _few([_name(one) for one in resources])


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more


# --- Clocks ---


def _judge_clocks(processes: Iterable[Process]) -> Iterator[Trouble]:
    for skew in find_skews(processes):
        whose = "the machine of each" if skew.processes else "Redis' machine"
        yield _fault(
            "Clock",
            skew.words,
            f"Let {whose} take its time from NTP (`timedatectl`, `chronyc tracking`).",
            "ResponseSyncClockSkew",
        )


def _fault(subject: str, words: str, remedy: str, runbook: str) -> Trouble:
    return Trouble(state=State.FAULT, subject=subject, words=words, remedy=remedy, runbook=runbook)


def _warning(subject: str, words: str, remedy: str, runbook: str) -> Trouble:
    return Trouble(state=State.WARNING, subject=subject, words=words, remedy=remedy, runbook=runbook)
