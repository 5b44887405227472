"""Terms: one keeper acts, another takes over, a lost state comes back."""

from __future__ import annotations

import pytest

from service.entries import Origin
from service.errors import StreamError
from service.intake.client_state import ResourceKind
from service.ports import Book
from service.reconcile.model import MailboxKey
from service.subscriptions.assembly import KeeperOptions
from service.subscriptions.outage import OutageReader, WebReturn
from service.subscriptions.records import WEB_OUTAGE, Fault, FaultKind, MailboxRecord, encode
from tests.unit.subscriptions.play import (
    ADELE_INBOX,
    ALEX_EVENTS,
    Play,
    event,
    message,
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


async def test_a_term_that_redis_interrupted_as_it_began_begins_again() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    play.clock.advance(30)
    play.records.outages = [Book.MAILBOXES]
    with pytest.raises(StreamError):
        await keeper.tick()
    await play.run(keeper, seconds=2)
    read = {one.name: one.staleness_s for one in (await play.read_status()).resources}
    assert all(staleness_s is not None and staleness_s < 5 for staleness_s in read.values()), read


async def test_an_outage_is_written_down_by_the_keeper_that_ends_it_and_by_no_other() -> None:
    play = await watching()
    outages = OutageReader(records=play.records, messages=ResourceKind.INBOX)
    first = await outages.find_outage_end()
    leader, standby = play.build_keeper("keeper-2"), play.build_keeper("keeper-3")
    play.clock.advance(30)
    began_at = play.clock.now()
    await play.run(leader, seconds=0.5)
    assert (first != began_at, await outages.find_outage_end()) == (True, began_at)
    await standby.tick()
    await play.run(leader, seconds=2)
    await play.run(standby, seconds=30)
    assert play.lease.holder == "keeper-3"
    assert await outages.find_outage_end() == began_at


async def test_who_must_catch_up_learns_which_inboxes_were_read_since_or_cannot_be() -> None:
    play = await watching()
    outages = OutageReader(records=play.records, messages=ResourceKind.INBOX)
    adele, nobody = MailboxKey("id-adele"), MailboxKey("id-nobody")
    now = play.clock.now()
    assert await outages.find_read({adele, nobody}, since=now) == frozenset()
    play.clock.advance(30)
    await play.run(play.build_keeper("keeper-2"), seconds=2)
    assert await outages.find_read({adele, nobody}, since=now) == {adele}
    for kind, is_waited_for in ((FaultKind.ACCESS, False), (FaultKind.PASSING, True)):
        later = play.clock.now()
        fault = Fault(kind=kind, words="", attempts=1, since=later, retry_at=later)
        await play.records.write(Book.MAILBOXES, {"inbox/id-adele": encode(MailboxRecord(fault=fault))})
        assert await outages.find_read({adele}, since=later) == (set() if is_waited_for else {adele})


# --- web alone away ---


def build_return(play: Play, *, is_another_there: bool = False) -> WebReturn:
    async def is_there() -> bool:
        return is_another_there

    return WebReturn(
        records=play.records, generation=play.generation, is_another_there=is_there, clock=play.clock
    )


async def test_a_web_that_was_away_alone_has_everything_read_and_says_since_when() -> None:
    play = await watching()
    keeper = play.build_keeper("keeper-2")
    await play.run(keeper, seconds=6)
    outages = OutageReader(records=play.records, messages=ResourceKind.INBOX)
    assert await outages.find_web_return() is None
    play.clock.advance(60)
    play.tenant.put_item("calendar/id-alex", event("answered"))
    play.tenant.put_item("inbox/id-adele", message("answer"))
    await build_return(play).note()
    returned_at = await outages.find_web_return()
    assert returned_at is not None
    await play.run(keeper, seconds=3)
    assert [one.item for one in play.intake.entries] == ["answer", "answered"]
    assert await outages.find_read({MailboxKey("id-adele")}, since=returned_at) == {"id-adele"}
    assert play.records.books[Book.REQUESTS] == {}


async def test_a_web_beside_others_and_the_very_first_say_nothing() -> None:
    play = await watching()
    await build_return(play, is_another_there=True).note()
    play.generation.is_there = False
    await build_return(play).note()
    assert WEB_OUTAGE not in play.records.books[Book.OUTAGES]
    assert play.records.books[Book.REQUESTS] == {}


async def test_a_web_that_comes_back_while_redis_is_away_listens_all_the_same() -> None:
    play = await watching()
    play.records.is_away = True
    await build_return(play).note()
    play.records.is_away = False
    assert WEB_OUTAGE not in play.records.books[Book.OUTAGES]
