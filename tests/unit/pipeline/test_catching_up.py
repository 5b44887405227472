"""After an outage: what waits until inboxes were read in order, for how long, and what never does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from service.pipeline.catching_up import CatchingUp, CatchUpLimits
from service.ports import Delivered
from service.reconcile.model import MailboxKey, OwnerKey
from service.roster import build_watch_list
from tests.unit.pipeline.fakes import MemoryIntake, StillClock
from tests.unit.pipeline.world import ALEX

BOB = replace(ALEX, inboxes=(MailboxKey("adele"), MailboxKey("bea")), key=OwnerKey("bob"))
WAIT_S = 60.0


@dataclass
class Keeper:
    """What a keeper tells: whether it leads, when an outage ended, whose messages it has fed since."""

    led_at: datetime | None = None
    outage_end: datetime | None = None
    web_return: datetime | None = None
    read: set[str] = field(default_factory=set)
    leads_after: int | None = None

    async def exists(self, *, led_at: datetime | None = None) -> bool:
        if self.leads_after is not None:
            self.leads_after -= 1
            if self.leads_after < 0:
                self.led_at = datetime(2026, 3, 2, tzinfo=UTC)
        return True

    async def ensure(self, *, meanwhile: object = None) -> bool:
        raise AssertionError("a worker begins no generation")

    async def disown(self) -> None:
        raise AssertionError("a worker ends no generation")

    async def find_outage_end(self) -> datetime | None:
        return self.outage_end

    async def find_web_return(self) -> datetime | None:
        return self.web_return

    async def find_read(self, mailboxes: Collection[MailboxKey], *, since: datetime) -> frozenset[MailboxKey]:
        assert since == (self.web_return or self.outage_end)
        return frozenset(one for one in mailboxes if one in self.read)


class Restart:
    """A worker's gate after a restart, with entries that come one after another."""

    def __init__(self, *, is_baselined: bool = True, wait_max_s: float = WAIT_S) -> None:
        owners = [replace(owner, is_baselined=is_baselined) for owner in (ALEX, BOB)]
        self.watch = build_watch_list(owners)
        self.intake = MemoryIntake()
        self.clock = StillClock()
        self.keeper = Keeper()
        self.gate = CatchingUp(
            intake=self.intake,
            generation=self.keeper,
            book=self.keeper,
            clock=self.clock,
            limits=CatchUpLimits(wait_max_s=wait_max_s),
        )
        self.last = 0

    async def give(self, *entries: str, origin: str = "notification") -> list[str]:
        """Let entries come, each `kind mailbox`; gives those that may go ahead."""
        taken = [self._deliver(entry, origin) for entry in entries]
        passed: Sequence[Delivered] = await self.gate.let_through(taken, self.watch)
        return [f"{one.fields['kind']} {one.fields['mailbox']}" for one in passed]

    def _deliver(self, entry: str, origin: str) -> Delivered:
        kind, mailbox = entry.split()
        self.last += 1
        fields = {"kind": kind, "mailbox": mailbox, "origin": origin, "item": "i", "attempt": "2"}
        return Delivered(id=f"{self.last}-0", fields=fields)

    def lead(self, *, outage_end: datetime | None) -> None:
        """A keeper has begun its term, and gone on for a tick."""
        self.keeper.outage_end = outage_end
        self.keeper.led_at = self.clock.now()

    def pass_time(self, seconds: float) -> None:
        self.clock.moment += timedelta(seconds=seconds)


async def begin_after_outage() -> Restart:
    restart = Restart()
    assert await restart.give() == []
    restart.lead(outage_end=restart.clock.now())
    restart.pass_time(1)
    return restart


async def test_notifications_wait_until_a_keeper_says_whether_there_was_an_outage() -> None:
    restart = Restart()
    assert await restart.give("event owner", "message adele") == []
    assert [entry.attempt for entry, _ in restart.intake.deferred] == ["2", "2"]
    restart.lead(outage_end=None)
    assert await restart.give("event owner", "message adele") == ["event owner", "message adele"]


async def test_a_worker_that_was_alone_away_puts_nothing_off() -> None:
    restart = Restart()
    restart.keeper.leads_after = 5
    assert await restart.give("message adele", "event owner") == ["message adele", "event owner"]
    assert restart.intake.deferred == []


async def test_after_an_outage_an_event_waits_for_every_inbox_and_a_message_for_its_own() -> None:
    restart = await begin_after_outage()
    assert await restart.give("event bob", "message adele", "message bea") == []
    restart.keeper.read = {"adele"}
    restart.intake.waiting = [Delivered(id="3-0", fields={})]
    assert await restart.give("event bob", "message adele", "message bea") == ["message adele"]
    restart.keeper.read = {"adele", "bea"}
    restart.intake.waiting = [Delivered(id="6-0", fields={})]
    assert await restart.give("event bob", "message bea") == ["event bob", "message bea"]


async def test_what_lies_before_the_messages_that_were_fed_goes_behind_them_at_once() -> None:
    restart = await begin_after_outage()
    restart.keeper.read = {"adele"}
    restart.intake.waiting = [Delivered(id="7-0", fields={})]
    assert await restart.give("event owner") == []
    assert [due_at for _, due_at in restart.intake.deferred] == [restart.clock.now()]
    restart.last = 7
    assert await restart.give("event owner") == ["event owner"]


async def test_messages_of_a_round_and_all_that_is_no_change_go_ahead() -> None:
    restart = await begin_after_outage()
    entries = ["message adele", "lifecycle adele", "due owner", "snapshot owner"]
    assert await restart.give(*entries, origin="sweep") == entries
    assert await restart.give("message stranger", "event stranger", "nonsense adele") == [
        "message stranger",
        "event stranger",
        "nonsense adele",
    ]


async def test_a_first_sight_waits_for_nothing() -> None:
    restart = Restart(is_baselined=False)
    assert await restart.give("event owner", "message adele") == ["event owner", "message adele"]


async def test_nobody_waits_longer_than_the_limit_whether_a_keeper_comes_or_not() -> None:
    restart = Restart()
    assert await restart.give("event owner") == []
    restart.pass_time(WAIT_S)
    assert await restart.give("event owner") == ["event owner"]
    restart = await begin_after_outage()
    assert await restart.give("event owner") == []
    restart.pass_time(WAIT_S)
    assert await restart.give("event owner") == ["event owner"]


async def test_a_keeper_whose_clock_goes_ahead_makes_nobody_wait_longer() -> None:
    restart = Restart()
    await restart.give()
    restart.lead(outage_end=restart.clock.now() + timedelta(days=1))
    assert await restart.give("event owner") == []
    restart.pass_time(WAIT_S)
    assert await restart.give("event owner") == ["event owner"]


async def test_an_outage_of_long_ago_is_over() -> None:
    restart = Restart()
    await restart.give()
    restart.lead(outage_end=restart.clock.now() - timedelta(seconds=WAIT_S))
    assert await restart.give("event owner") == ["event owner"]


async def test_an_entry_that_waits_is_looked_at_ever_more_seldom() -> None:
    restart = await begin_after_outage()
    waits = []
    for _ in range(6):
        await restart.give("event owner")
        wait_s = (restart.intake.deferred[-1][1] - restart.clock.now()).total_seconds()
        waits.append(wait_s)
        restart.pass_time(wait_s * 2)
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.5, 5.0)


async def test_a_limit_of_zero_lets_everything_through() -> None:
    restart = Restart(wait_max_s=0)
    assert await restart.give("event owner", "message adele") == ["event owner", "message adele"]


async def test_when_web_was_away_a_worker_that_lived_through_it_waits_for_the_inboxes_too() -> None:
    restart = Restart()
    restart.keeper.leads_after = 2
    assert await restart.give("event owner") == ["event owner"]
    restart.pass_time(3600)
    restart.keeper.web_return = restart.clock.now()
    assert await restart.give("event owner", "message adele") == []
    restart.keeper.read = {"adele"}
    restart.intake.waiting = [Delivered(id=f"{restart.last + 2}-0", fields={})]
    assert await restart.give("event owner", "message adele") == []
    assert await restart.give("event owner", "message adele") == ["event owner", "message adele"]


async def test_for_a_web_that_came_back_nobody_waits_longer_than_the_limit_and_only_once() -> None:
    restart = Restart()
    restart.keeper.leads_after = 2
    await restart.give("event owner")
    restart.keeper.web_return = restart.clock.now()
    assert await restart.give("event owner") == []
    restart.pass_time(WAIT_S)
    assert await restart.give("event owner") == ["event owner"]
    assert await restart.give("event owner") == ["event owner"]


async def test_a_web_that_came_back_long_ago_makes_nobody_wait() -> None:
    restart = Restart()
    restart.keeper.leads_after = 2
    restart.keeper.web_return = restart.clock.now() - timedelta(seconds=WAIT_S)
    assert await restart.give("event owner") == ["event owner"]


async def test_a_worker_that_starts_long_after_an_outage_takes_what_lies_there_as_it_lies() -> None:
    restart = Restart()
    restart.keeper.leads_after = 2
    restart.keeper.outage_end = restart.clock.now() - timedelta(seconds=WAIT_S / 2)
    restart.keeper.read = {"adele"}
    restart.intake.waiting = [Delivered(id="1000-0", fields={})]
    entries = ["message adele", "event owner", "message adele"]
    assert await restart.give(*entries) == entries
    assert await restart.give("event bob") == [], "an inbox that was not read is waited for"
