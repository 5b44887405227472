"""A steady mixed load in virtual time: ten ordinary mails for each answer, and what the worker asks of Graph.

Nothing fails here, and nothing but the seed decides on the order, so that the requests can be counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from yarl import URL

from service.intake.client_state import ResourceKind
from service.reconcile.model import Address
from service.roster import RosterEntry
from service.sandbox.beliefs import Beliefs
from service.sandbox.items import Event
from service.sandbox.mailbox import Mailbox
from service.sandbox.occurrences import occurrence_of
from service.sandbox.people import User
from service.streams.keys import KeyNames
from tests.simulation.chance import Chance
from tests.simulation.deeds import path_of, spell, spell_attendee, weekly
from tests.simulation.facts import FactsBook
from tests.simulation.processes import (
    KeeperProcess,
    Means,
    Process,
    Surroundings,
    Web,
    WorkerProcess,
)
from tests.simulation.server import Server
from tests.simulation.tenant import Tenant
from tests.simulation.virtual_time import VirtualClock, VirtualLoop
from tests.simulation.vitals import start_task
from tests.simulation.wire import Wire

MAILS_PER_ANSWER: Final = 10
BASELINE_S: Final = 120.0
LAST_WORK_S: Final = 30.0
WEEKS: Final = 4
MOVED_WEEK: Final = 1
_STREAM: Final = "steady-load"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Who answers, and how mail arrives.

    Attributes:
        pace: answers per second.
        is_burst: an answer and its mails arrive at one moment in one inbox; else in all inboxes in turn.
        is_series: the meetings are weekly and one occurrence of each was moved; answers are to the series, to
            an occurrence and to the moved one in turn.
    """

    owners: int
    answers: int
    pace: float
    is_burst: bool = False
    is_series: bool = False
    is_rich: bool = False
    window_s: float = 0.25


def play(wire: Wire, load: Load) -> tuple[Counter[str], int]:
    """Let everybody answer once, with ordinary mail around each answer.

    Returns:
        The worker's HTTP requests, batches and others, and how many `response.changed` it published.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.get_loop().set_task_factory(start_task)
        return runner.run(_play(wire, load))


async def _play(wire: Wire, load: Load) -> tuple[Counter[str], int]:
    company = Company(wire, load)
    try:
        await company.begin()
        await company.run()
        return company.worker.asked, company.count_changed()
    finally:
        await company.end()


class _Punctual(Chance):
    """Everything takes no time, so that what happens at one moment stays together."""

    async def pause(self, *, is_long_way: bool = False) -> None:
        await asyncio.sleep(0)


class _CountedWorker(WorkerProcess):
    """A worker whose requests are counted."""

    def __init__(self, surroundings: Surroundings, name: str) -> None:
        super().__init__(surroundings, name)
        self.asked: Counter[str] = Counter()
        self._send = self.session.request
        self.session.request = self._count  # type: ignore[method-assign]

    def _count(
        self, method: str, url: URL, *, headers: Mapping[str, str], data: bytes | None, **more: Any
    ) -> Any:
        self.asked["batch" if url.path.endswith("/$batch") else "single"] += 1
        return self._send(method, url, headers=headers, data=data, **more)


class Company:
    """Owners with a delegate each, guests who answer, and strangers who write."""

    def __init__(self, wire: Wire, load: Load) -> None:
        self._load = load
        chance, clock = _Punctual(7), VirtualClock(asyncio.get_running_loop())
        keys = KeyNames(stream=_STREAM)
        self._server = Server(wire, keys, clock.now)
        self._server.flush()
        self._keys = keys
        web = Web(self._server, chance, clock, keys)
        self._tenant = Tenant(clock, Beliefs(), web, seed=7)
        world = self._tenant.world
        self._delegates = [world.add_user(f"D {at}", f"d{at}@contoso.com") for at in range(load.owners)]
        self._owners = [
            world.add_user(f"O {at}", f"o{at}@contoso.com", delegates=[self._delegates[at].id])
            for at in range(load.owners)
        ]
        self._invited: list[tuple[User, str]] = []
        around = Surroundings(
            means=Means.NOTIFICATIONS,
            server=self._server,
            tenant=self._tenant,
            clock=clock,
            chance=chance,
            facts=FactsBook(),
            keys=keys,
            window_s=load.window_s,
            messages=ResourceKind.INBOX,
            is_rich=load.is_rich,
            roster=tuple(RosterEntry(address=Address(owner.address)) for owner in self._owners),
        )
        self.worker = _CountedWorker(around, "worker")
        self._processes: list[Process] = [KeeperProcess(around, "keeper"), self.worker]
        self._delivering = asyncio.create_task(self._tenant.delivery.run())

    async def begin(self) -> None:
        """Invite all guests to one meeting of each owner, then let the service read what there is."""
        world, guests = self._tenant.world, -(-self._load.answers // self._load.owners)
        invited = [world.add_user(f"G {at}", f"g{at}@contoso.com") for at in range(guests)]
        uids = [await self._make_meeting(owner, invited) for owner in self._owners]
        for guest in invited:
            box = world.mailbox(guest.id)
            copies = [copy for uid in uids if (copy := box.find_by_uid(uid)) is not None]
            parts = [self._choose_part(box, copy, at) for at, copy in enumerate(copies)]
            self._invited += [(guest, path_of(part)) for part in parts]
        for process in self._processes:
            process.start()
        await asyncio.sleep(BASELINE_S)
        self.worker.asked.clear()

    async def _make_meeting(self, owner: User, invited: Sequence[User]) -> str:
        """Let an owner invite all to a meeting; gives its iCalUId."""
        start = self._tenant.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=3)
        body = {
            "subject": "Load",
            "start": spell(start),
            "end": spell(start + timedelta(hours=1)),
            "attendees": [spell_attendee(guest) for guest in invited],
            **({"recurrence": weekly(start, WEEKS)} if self._load.is_series else {}),
        }
        made = await self._tenant.ask(owner, "POST", "/me/events", body)
        box = self._tenant.world.mailbox(owner.id)
        if self._load.is_series:
            held = box.events[made.body["id"]]
            moved = self._find_occurrence(box, held, MOVED_WEEK)
            later = {"start": spell(start + timedelta(weeks=MOVED_WEEK, hours=2))}
            later["end"] = spell(start + timedelta(weeks=MOVED_WEEK, hours=3))
            assert (await self._tenant.ask(owner, "PATCH", path_of(moved), later)).status == 200
        return str(made.body["iCalUId"])

    def _choose_part(self, box: Mailbox, copy: Event, at: int) -> Event:
        """Choose what is answered: of a series by turns the whole, an occurrence and the moved one."""
        week = (None, 0, MOVED_WEEK)[at % 3]
        if not self._load.is_series or week is None:
            return copy
        return self._find_occurrence(box, copy, week)

    def _find_occurrence(self, box: Mailbox, series: Event, week: int) -> Event:
        assert series.recurrence is not None
        found = occurrence_of(box, series, [*series.recurrence.dates()][week])
        assert found is not None
        return found

    async def run(self) -> None:
        """Let it rain, and wait until all is worked off."""
        load = self._load
        gap_s = 0 if load.is_burst else 1 / load.pace / (MAILS_PER_ANSWER + 1)
        for number, (guest, event) in enumerate(self._invited[: load.answers]):
            for at in range(MAILS_PER_ANSWER):
                turn = number if load.is_burst else number * MAILS_PER_ANSWER + at
                to = self._delegates[turn % len(self._delegates)]
                self._tenant.world.send_mail(to.address, "shop@fabrikam.example", "Accepted: an offer")
                await asyncio.sleep(gap_s)
            answered = await self._tenant.ask(guest, "POST", f"{event}/accept", {"sendResponse": True})
            assert answered.status == 202, answered.body
            await asyncio.sleep(1 / load.pace if load.is_burst else gap_s)
        await asyncio.sleep(LAST_WORK_S)

    def count_changed(self) -> int:
        told = self._server.read_stream(self._keys.updates(0))
        return sum(fields["type"] == "responsesync.response.changed" for _, fields in told)

    async def end(self) -> None:
        """Leave nothing behind."""
        self._delivering.cancel()
        for process in self._processes:
            await process.kill()
        self._server.flush()
