"""Terms: one keeper acts, another takes over, a lost state comes back."""

from __future__ import annotations

from service.entries import Origin
from service.ports import Book
from service.subscriptions.assembly import KeeperOptions
from tests.unit.subscriptions.play import (
    ADELE_INBOX,
    ALEX_EVENTS,
    Play,
    event,
    walkthrough,
    watching,
)

# --- terms and losses ---


async def test_only_the_keeper_with_the_lease_acts() -> None:
    play = walkthrough()
    await play.add_owner("alex@contoso.com")
    first, second = play.build_keeper("keeper-1"), play.build_keeper("keeper-2")
    for _ in range(10):
        for keeper in (first, second):
            await keeper.tick()
            await keeper.settle()
        await play.work()
        play.clock.advance(0.5)
    assert len(play.calls("create")) == 2
    assert play.lease.holder == "keeper-1"


async def test_the_next_keeper_takes_over_within_the_lease() -> None:
    play = walkthrough()
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper("keeper-1"), seconds=0.5)
    await play.run(play.build_keeper("keeper-2"), seconds=8)
    assert play.lease.holder == "keeper-2"
    assert (await play.read_status()).is_ready
    assert len(play.tenant.living()) == 2


async def test_a_keeper_that_was_asleep_writes_nothing_under_its_old_number() -> None:
    play = walkthrough()
    await play.add_owner("alex@contoso.com")
    sleeper = play.build_keeper("keeper-1")
    await sleeper.tick()
    play.lease.number += 1
    await sleeper.settle()
    assert play.records.books[Book.OWNERS] == {}
    assert ("resolve", "fenced") in play.metrics.outcomes


async def test_a_flushed_redis_is_filled_again_from_memory() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper, seconds=6)
    play.tenant.put_item("calendar/id-alex", event("e-1"))
    play.records.flush()
    play.lease.flush()
    play.generation.is_there = False
    await play.run(keeper, seconds=10)
    assert play.generation.begun == 2
    assert [(one.item, one.origin) for one in play.intake.entries] == [("e-1", Origin.BASELINE)]
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    assert play.calls("create") == []
    assert (await play.read_status()).is_ready


async def test_a_standby_remembers_the_roster_as_well() -> None:
    play = await watching()
    leader, standby = play.build_keeper("keeper-2"), play.build_keeper("keeper-3")
    await play.run(leader, seconds=6)
    await standby.tick()
    play.records.flush()
    play.lease.flush()
    play.generation.is_there = False
    await play.run(standby, seconds=10)
    assert (await play.read_status()).is_ready
    assert play.resources() == [ADELE_INBOX, ALEX_EVENTS]
    assert play.calls("create") == []


async def test_redis_being_away_ends_nothing() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper, seconds=6)
    play.records.is_away = True
    play.clock.advance(30)
    await keeper._tick_safely()
    await keeper.settle()
    play.records.is_away = False
    await play.run(keeper)
    assert (await play.read_status()).is_ready


async def test_many_mailboxes_do_not_come_at_once() -> None:
    play = Play()
    for number in range(60):
        play.tenant.add_person(f"p{number}@contoso.com")
        await play.add_owner(f"p{number}@contoso.com", delegates=[])
    keeper = play.build_keeper()
    busiest = 0
    for _ in range(80):
        await keeper.tick()
        busiest = max(busiest, sum(keeper._crew._taken.values()))
        await keeper.settle()
        await play.work()
        play.clock.advance(0.5)
    assert len(play.tenant.living()) == 120
    assert (await play.read_status()).is_ready
    assert busiest <= sum(KeeperOptions().keeper.places.values())
