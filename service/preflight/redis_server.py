"""Is Redis there, and does it keep what it is given? Pure but for asking; writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, Protocol

from service.errors import StreamError
from service.intake.appender import Durability
from service.preflight.clocks import judge_clock
from service.preflight.finding import Finding, fault, ok, warning
from service.streams.keys import KeyNames
from service.streams.link import RedisLink, is_full
from service.streams.server_facts import ServerFacts, fetch_server_facts, fetch_server_time, probe_writes

_SUBJECT: Final = "Redis"
_LAYOUT: Final = "Redis keys"
_MIB: Final = 1 << 20
_FULL: Final = 0.8
"""From this share of maxmemory on somebody should look: without room Redis takes no writes."""


class RecordedLayout(Protocol):
    """What Redis says about how the keys there were written."""

    async def find_layout_fault(self) -> str:
        """Say how layout or partitions differ and what to do; empty where they fit. Raises `StreamError`."""


async def check_redis(link: RedisLink, keys: KeyNames, durability: Durability) -> list[Finding]:
    """Look at the server of REDIS_URL; a single fault where it cannot be reached."""
    try:
        facts = await fetch_server_facts(link, keys)
        refusal = await probe_writes(link, keys)
        clock = judge_clock("Redis", await fetch_server_time(link, keys), datetime.now(UTC))
    except StreamError as error:
        return [fault(_SUBJECT, str(error), "Check REDIS_URL, and that the server is up and lets us in.")]
    return [*judge_server(facts, durability, refusal=refusal), clock]


async def check_layout(generation: RecordedLayout) -> Finding:
    """Compare how the keys were written with how this release and these settings would write them."""
    try:
        difference = await generation.find_layout_fault()
    except StreamError as error:
        return fault(_LAYOUT, str(error), "Check REDIS_URL, and that the server is up and lets us in.")
    detail, _, remedy = difference.partition(": ")
    return fault(_LAYOUT, detail, remedy[:1].upper() + remedy[1:]) if difference else ok(_LAYOUT, "fits")


def judge_server(facts: ServerFacts, durability: Durability, *, refusal: str = "") -> Iterator[Finding]:
    """Judge a server by what it says of itself: version, eviction, memory, persistence, DURABILITY.

    Args:
        refusal: why it takes no writes; empty where it does.
    """
    version = f"{facts.product} {'.'.join(map(str, facts.version))}"
    if refusal:
        remedy = (
            "Raise maxmemory; if that cannot be, lower STREAM_MAXLEN or RETENTION_DAYS, or free memory."
            if is_full(refusal)
            else "Let REDIS_URL name the master, and a user who may write."
        )
        yield fault(_SUBJECT, f"{version}: {refusal}", remedy)
    elif facts.is_supported:
        yield ok(_SUBJECT, f"{version}, takes writes")
    else:
        yield fault(_SUBJECT, f"{version} is too old", "Use Redis 7.0 or later, or Valkey.")
    yield _judge_eviction(facts)
    yield _judge_memory(facts)
    yield _judge_persistence(facts)
    yield _judge_durability(facts, durability)


def _judge_eviction(facts: ServerFacts) -> Finding:
    subject = "Redis eviction"
    if facts.eviction is None:
        return warning(subject, "the server does not say", "Make sure that maxmemory-policy is noeviction.")
    if facts.eviction == "noeviction":
        return ok(subject, "noeviction")
    return fault(
        subject,
        f"maxmemory-policy is {facts.eviction}: state would vanish when memory is short",
        "Set maxmemory-policy to noeviction.",
    )


def _judge_memory(facts: ServerFacts) -> Finding:
    subject, used = "Redis memory", f"{facts.used_bytes / _MIB:.0f} MiB used"
    if not facts.limit_bytes:
        return ok(subject, f"{used}, no limit")
    detail = f"{used} of {facts.limit_bytes / _MIB:.0f} MiB"
    if facts.used_bytes < _FULL * facts.limit_bytes:
        return ok(subject, detail)
    return warning(subject, detail, "Raise maxmemory, or lower STREAM_MAXLEN and RETENTION_DAYS.")


def _judge_persistence(facts: ServerFacts) -> Finding:
    subject = "Redis persistence"
    if facts.is_append_only:
        return ok(subject, f"append-only file, fsync {facts.fsync or 'unknown'}")
    if facts.has_snapshots:
        return warning(
            subject,
            "snapshots only: a crash loses what came since the last one",
            "Set appendonly yes.",
        )
    if facts.is_append_only is None or facts.has_snapshots is None:
        return warning(subject, "the server does not say", "Make sure that it persists its data.")
    return warning(
        subject,
        "nothing is written to disk: a restart loses all, and everything is read anew",
        "Set appendonly yes.",
    )


def _judge_durability(facts: ServerFacts, durability: Durability) -> Finding:
    subject = "DURABILITY"
    if durability is Durability.FSYNC:
        is_synced = facts.is_append_only and (facts.fsync == "always" or facts.can_wait_for_disk)
        if not is_synced:
            return fault(
                subject,
                "fsync cannot be kept by this server",
                "Set appendonly yes with appendfsync always, or use Redis 7.2 or Valkey (WAITAOF).",
            )
    if durability is Durability.REPLICA and not facts.replicas:
        return fault(subject, "replica is asked for, and there is none", "Attach a replica.")
    return ok(subject, str(durability))
