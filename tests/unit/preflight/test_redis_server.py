"""What the preflight says of a server, from what the server says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.intake.appender import Durability
from service.preflight.finding import State
from service.preflight.redis_server import judge_server
from service.streams.server_facts import ServerFacts

GOOD = ServerFacts(
    product="valkey",
    version=(9, 1, 2),
    eviction="noeviction",
    is_append_only=True,
    fsync="everysec",
    has_snapshots=False,
    replicas=0,
    used_bytes=1,
    limit_bytes=0,
)
OLD = replace(GOOD, product="redis", version=(7, 0, 15))


def states(facts: ServerFacts, durability: Durability = Durability.MEMORY) -> dict[str, State]:
    return {finding.subject: finding.state for finding in judge_server(facts, durability)}


def test_a_good_server_has_no_fault() -> None:
    assert set(states(GOOD).values()) == {State.OK}


@pytest.mark.parametrize(
    ("facts", "durability", "subject", "state"),
    [
        (replace(OLD, version=(6, 2, 0)), Durability.MEMORY, "Redis", State.FAULT),
        (replace(GOOD, eviction="allkeys-lru"), Durability.MEMORY, "Redis eviction", State.FAULT),
        (replace(GOOD, eviction=None), Durability.MEMORY, "Redis eviction", State.WARNING),
        (replace(GOOD, is_append_only=False), Durability.MEMORY, "Redis persistence", State.WARNING),
        (
            replace(GOOD, is_append_only=False, has_snapshots=True),
            Durability.MEMORY,
            "Redis persistence",
            State.WARNING,
        ),
        (replace(GOOD, is_append_only=None), Durability.MEMORY, "Redis persistence", State.WARNING),
        (OLD, Durability.FSYNC, "DURABILITY", State.FAULT),
        (replace(OLD, fsync="always"), Durability.FSYNC, "DURABILITY", State.OK),
        (GOOD, Durability.FSYNC, "DURABILITY", State.OK),
        (replace(GOOD, is_append_only=False), Durability.FSYNC, "DURABILITY", State.FAULT),
        (GOOD, Durability.REPLICA, "DURABILITY", State.FAULT),
        (replace(GOOD, replicas=1), Durability.REPLICA, "DURABILITY", State.OK),
    ],
)
def test_each_weakness_has_its_own_line(
    facts: ServerFacts, durability: Durability, subject: str, state: State
) -> None:
    assert states(facts, durability)[subject] is state


def test_every_line_that_is_not_ok_says_what_to_do() -> None:
    weak = replace(GOOD, version=(6, 0, 0), eviction="volatile-ttl", is_append_only=False)

    for finding in judge_server(weak, Durability.REPLICA):
        assert (finding.remedy != "") is (finding.state is not State.OK)
