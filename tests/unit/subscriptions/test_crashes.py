"""Keepers that die anywhere while Graph misbehaves: once it is quiet, all is well and nothing is lost."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace

import pytest

from service.errors import AccessError, GoneError, GraphError, ThrottledError, UnavailableError
from service.ports import DeltaItem
from service.reconcile.instant import Instant
from service.reconcile.matching import normalize_address
from service.roster import RosterEntry
from service.subscriptions.assembly import KeeperOptions
from service.subscriptions.comparing import ComparingLimits
from service.subscriptions.keeper import Keeper
from service.subscriptions.owners import OwnerLimits
from service.subscriptions.reading import ReadingLimits
from tests.unit.subscriptions.play import Play, event, message

OPTIONS = KeeperOptions(
    reading=ReadingLimits(sweep_interval_s=30),
    owners=OwnerLimits(resolve_interval_s=30),
    comparing=ComparingLimits(interval_s=30),
    pages_per_turn=2,
)
SEED = tuple(RosterEntry(address=normalize_address(f"{name}@c.com")) for name in ("anna", "bert"))
ERRORS: tuple[GraphError, ...] = (
    UnavailableError("away", status=503),
    ThrottledError("slow", retry_after_s=3),
    AccessError("no", status=403),
    GoneError("not there", status=404),
)


class Story:
    """One seeded history: things change, calls fail, keepers die between any two steps."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.play = Play(options=OPTIONS)
        self.put: Counter[str] = Counter()
        self.fed: set[str] = set()
        self.started = 0
        for name in ("anna", "bert"):
            for number in (1, 2):
                self.play.tenant.add_person(f"{name}-d{number}@c.com")
            self.play.tenant.add_person(
                f"{name}@c.com", delegates=[f"{name}-d{number}@c.com" for number in (1, 2)]
            )

    def start(self) -> Keeper:
        """Start a keeper with an OWNERS_FILE: one that never saw the roster could not bring it back."""
        self.started += 1
        return self.play.build_keeper(f"keeper-{self.started}", seed=SEED)

    def change(self) -> None:
        """Let something happen in Graph."""
        tenant, rng = self.play.tenant, self.rng
        owner = rng.choice(("anna", "bert"))
        number = self.put.total()
        self.put[owner] += 1
        sent = Instant(ns=rng.randrange(10**6), text="")
        item: DeltaItem = replace(message(f"m-{number}"), sent_at=sent)
        tenant.put_item(f"inbox/id-{owner}-d{rng.choice((1, 2))}", item)
        tenant.put_item(f"calendar/id-{owner}", event(f"e-{number}"))

    def disturb(self) -> None:
        """Let Graph misbehave in some way."""
        tenant, rng = self.play.tenant, self.rng
        tenant.failing.clear()
        for name in rng.sample(["id-anna", "id-bert-d1", "inbox/id-anna-d2", "calendar/id-bert", "list"], 2):
            if rng.random() < 0.4:
                tenant.failing[name] = rng.choice(ERRORS)
        tenant.handshakes_fail = rng.choice((0, 0, 3))
        tenant.expire_deltas = rng.choice((0, 0, 1))
        self.play.intake.fails_left = rng.choice((0, 0, 1))
        if rng.random() < 0.15 and tenant.subscriptions:
            del tenant.subscriptions[rng.choice(sorted(tenant.subscriptions))]
        if rng.random() < 0.05:
            self.play.records.flush()
            self.play.lease.flush()
            self.play.generation.is_there = False

    async def step(self, keeper: Keeper) -> Keeper:
        """Tick, let duties come some way, and now and then kill the keeper."""
        await keeper._tick_safely()
        for _ in range(self.rng.randrange(30)):
            await asyncio.sleep(0)
        if self.rng.random() < 0.2:
            await keeper._crew.cancel_all()
            keeper = self.start()
        await self.work()
        self.play.clock.advance(self.rng.choice((0.1, 0.5, 2.0, 20.0)))
        return keeper

    async def work(self) -> None:
        await self.play.work()
        self.fed |= {entry.item for entry in self.play.intake.take()}

    async def calm_down(self, keeper: Keeper) -> Keeper:
        """Let the faults end and the longest waits pass."""
        tenant = self.play.tenant
        tenant.failing.clear()
        tenant.handshakes_fail = tenant.expire_deltas = self.play.intake.fails_left = 0
        self.play.clock.advance(4000)
        for _ in range(60):
            await keeper._tick_safely()
            await keeper.settle()
            await self.work()
            self.play.clock.advance(2)
        return keeper


@pytest.mark.parametrize("seed", range(25))
async def test_whatever_happens_all_is_well_once_it_is_quiet(seed: int) -> None:
    story = Story(seed)
    play = story.play
    keeper = story.start()
    for _ in range(60):
        if story.rng.random() < 0.5:
            story.change()
        story.disturb()
        keeper = await story.step(keeper)
    keeper = await story.calm_down(keeper)

    status = await play.read_status()
    assert status.is_ready, status.waits_for
    assert [one.faults for one in status.resources if one.faults] == []
    resources = play.resources()
    assert len(resources) == len(set(resources)) == 6
    held = {one.subscription_id for one in status.resources}
    assert held == {one.id for one in play.tenant.living()}
    total = story.put.total()
    assert story.fed >= {f"{kind}-{number}" for kind in "me" for number in range(total)}
    assert play.states.forgotten == []
    await keeper._crew.cancel_all()
