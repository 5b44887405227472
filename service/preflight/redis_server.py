"""Is Redis there, and does it keep what it is given? Pure but for asking; writes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from service.errors import StreamError
from service.intake.appender import Durability
from service.preflight.finding import Finding, fault, ok, warning
from service.streams.keys import KeyNames
from service.streams.link import RedisLink
from service.streams.server_facts import ServerFacts, fetch_server_facts, probe_writes

_SUBJECT = "Redis"


async def check_redis(link: RedisLink, keys: KeyNames, durability: Durability) -> list[Finding]:
    """Look at the server of REDIS_URL; a single fault where it cannot be reached."""
    try:
        facts = await fetch_server_facts(link, keys)
        refusal = await probe_writes(link, keys)
    except StreamError as error:
        return [fault(_SUBJECT, str(error), "Check REDIS_URL, and that the server is up and lets us in.")]
    if refusal:
        return [fault(_SUBJECT, refusal, "Make the server take writes: free memory, or name the master.")]
    return list(judge_server(facts, durability))


def judge_server(facts: ServerFacts, durability: Durability) -> Iterator[Finding]:
    """Judge a server by what it says of itself: version, eviction, persistence, DURABILITY."""
    version = f"{facts.product} {'.'.join(map(str, facts.version))}"
    if facts.is_supported:
        yield ok(_SUBJECT, f"{version}, takes writes")
    else:
        yield fault(_SUBJECT, f"{version} is too old", "Use Redis 7.0 or later, or Valkey.")
    yield _judge_eviction(facts)
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
