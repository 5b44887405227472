"""State that was forgotten in Redis, and a meeting that comes back after that."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from service.pipeline.committer import Committer
from service.reconcile.decide import DecisionLimits
from service.reconcile.instant import instant_of
from service.reconcile.model import Address, EventFact, Fact
from service.roster import WatchedOwner
from service.streams.state import RedisStateStore
from tests.integration.pipeline.scene import Scene
from tests.integration.waiting import wait_until
from tests.unit.reconcile.build import MEETING, OWNER, event, response, row

ALEX = WatchedOwner(
    key=OWNER, roster_address=Address("alex@x"), address="alex@x", name="Alex", is_baselined=True
)


class PastClock:
    """A clock of two years ago, so that Redis forgets as soon as it may."""

    def now(self) -> datetime:
        return datetime(2024, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing waits here")


async def test_a_meeting_that_moves_after_it_was_forgotten_begins_a_new_epoch(scene: Scene) -> None:
    streams = scene.stage.streams
    await streams.generation.ensure()
    states = RedisStateStore(streams.link, streams.keys, state_lifetime_min_s=0.3)
    committer = Committer(states, PastClock(), decision_limits=DecisionLimits(retention_days=1))

    async def commit(*facts: Fact) -> None:
        await committer.commit(ALEX, MEETING, facts)

    async def is_forgotten() -> bool:
        return (await states.read(OWNER, MEETING)).version == 0

    ended = _ending_long_ago(event(1, row("ann", "accepted", 1)))
    await commit(ended, response("ann", "accepted", 1))
    await wait_until(is_forgotten)
    assert await states.list_meetings(OWNER) == ()
    assert await states.find_event(OWNER, ended.details.id) is None
    await commit(_ending_long_ago(event(50, row("ann"), place=9)))

    published = await streams.updates.read(dict.fromkeys(streams.updates.streams, "0-0"), block_s=0)
    told = [
        (one.fields["type"].removeprefix("responsesync."), int(one.fields["sequence"])) for one in published
    ]
    assert told == [
        ("attendee.added", 1),
        ("response.changed", 2),
        ("response.confirmed", 3),
        ("attendee.added", 1),
    ]
    epochs = [int(one.fields["epoch"]) for one in published]
    assert epochs[0] == epochs[1] == epochs[2] < epochs[3]


def _ending_long_ago(fact: EventFact) -> EventFact:
    long_ago = instant_of(datetime(2023, 1, 1, tzinfo=UTC))
    return replace(fact, details=replace(fact.details, ends_at=long_ago))
