"""A steady mixed load in virtual time: ten ordinary mails for each answer, and what the worker asks of Graph.

Nothing fails here, and nothing but the seed decides on the order, so that the requests can be counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from yarl import URL

from service.intake.client_state import ResourceKind
from service.reconcile.model import Address
from service.roster import RosterEntry
from service.sandbox.beliefs import Beliefs
from service.sandbox.people import User
from service.streams.keys import KeyNames
from tests.simulation.chance import Chance
from tests.simulation.deeds import spell, spell_attendee
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
_STREAM: Final = "steady-load"


def play(
    wire: Wire,
    *,
    owners: int,
    answers: int,
    pace: float,
    is_burst: bool = False,
    window_s: float = 0.25,
) -> tuple[Counter[str], int]:
    """Let everybody answer once, with ordinary mail around each answer.

    Args:
        pace: answers per second.
        is_burst: an answer and its mails arrive at one moment in one inbox; else in all inboxes in turn.

    Returns:
        The worker's HTTP requests, batches and others, and how many `response.changed` it published.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.get_loop().set_task_factory(start_task)
        return runner.run(_play(wire, owners, answers, pace, is_burst=is_burst, window_s=window_s))


async def _play(
    wire: Wire, owners: int, answers: int, pace: float, *, is_burst: bool, window_s: float
) -> tuple[Counter[str], int]:
    load = SteadyLoad(wire, owners=owners, window_s=window_s)
    try:
        await load.begin(guests=-(-answers // owners))
        await load.run(answers, pace, is_burst=is_burst)
        return load.worker.asked, load.count_changed()
    finally:
        await load.end()


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


class SteadyLoad:
    """Owners with a delegate each, guests who answer, and strangers who write."""

    def __init__(self, wire: Wire, *, owners: int, window_s: float) -> None:
        chance, clock = _Punctual(7), VirtualClock(asyncio.get_running_loop())
        keys = KeyNames(stream=_STREAM)
        self._server = Server(wire, keys, clock.now)
        self._server.flush()
        self._keys = keys
        web = Web(self._server, chance, clock, keys)
        self._tenant = Tenant(clock, Beliefs(), web, seed=7)
        world = self._tenant.world
        self._delegates = [world.add_user(f"D {at}", f"d{at}@contoso.com") for at in range(owners)]
        self._owners = [
            world.add_user(f"O {at}", f"o{at}@contoso.com", delegates=[self._delegates[at].id])
            for at in range(owners)
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
            window_s=window_s,
            messages=ResourceKind.INBOX,
            roster=tuple(RosterEntry(address=Address(owner.address)) for owner in self._owners),
        )
        self.worker = _CountedWorker(around, "worker")
        self._processes: list[Process] = [KeeperProcess(around, "keeper"), self.worker]
        self._delivering = asyncio.create_task(self._tenant.delivery.run())

    async def begin(self, *, guests: int) -> None:
        """Invite all guests to one meeting of each owner, then let the service read what there is."""
        world = self._tenant.world
        invited = [world.add_user(f"G {at}", f"g{at}@contoso.com") for at in range(guests)]
        start = self._tenant.clock.now() + timedelta(days=3)
        body = {"subject": "Load", "start": spell(start), "end": spell(start + timedelta(hours=1))}
        uids = []
        for owner in self._owners:
            attendees = [spell_attendee(guest) for guest in invited]
            made = await self._tenant.ask(owner, "POST", "/me/events", {**body, "attendees": attendees})
            uids.append(made.body["iCalUId"])
        for guest in invited:
            copies = [world.mailbox(guest.id).find_by_uid(uid) for uid in uids]
            self._invited += [(guest, quote(copy.id, safe="")) for copy in copies if copy is not None]
        for process in self._processes:
            process.start()
        await asyncio.sleep(BASELINE_S)
        self.worker.asked.clear()

    async def run(self, answers: int, pace: float, *, is_burst: bool) -> None:
        """Let it rain, and wait until all is worked off."""
        gap_s = 1 / pace / (MAILS_PER_ANSWER + 1)
        for number, (guest, event) in enumerate(self._invited[:answers]):
            for at in range(MAILS_PER_ANSWER):
                turn = number if is_burst else number * MAILS_PER_ANSWER + at
                to = self._delegates[turn % len(self._delegates)]
                self._tenant.world.send_mail(to.address, "shop@fabrikam.example", "Accepted: an offer")
                await asyncio.sleep(0 if is_burst else gap_s)
            answered = await self._tenant.ask(
                guest, "POST", f"/me/events/{event}/accept", {"sendResponse": True}
            )
            assert answered.status == 202, answered.body
            await asyncio.sleep(1 / pace if is_burst else gap_s)
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
