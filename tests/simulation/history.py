"""One history from its seed: people act, everything goes wrong, then faults stop and all must come right."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from traceback import format_exception
from typing import Any, Final

from service.errors import ServiceError
from service.intake.client_state import ResourceKind
from service.sandbox.beliefs import Beliefs
from service.streams.keys import KeyNames
from tests.simulation.chance import Chance
from tests.simulation.crew import Crew
from tests.simulation.deeds import Deeds
from tests.simulation.facts import FactsBook
from tests.simulation.judge import Judge
from tests.simulation.operator import Operator
from tests.simulation.people import gather
from tests.simulation.processes import (
    FULL_S,
    GRACE_S,
    SWEEP_S,
    KeeperProcess,
    Means,
    Surroundings,
    Web,
    WorkerProcess,
)
from tests.simulation.server import Server
from tests.simulation.story import Story
from tests.simulation.tenant import Tenant
from tests.simulation.trouble import Trouble
from tests.simulation.virtual_time import VirtualClock, VirtualLoop
from tests.simulation.vitals import start_task
from tests.simulation.wire import Wire

PAUSES_S: Final = (0.2, 0.2, 1.0, 3.0, 3.0, 3.0, 10.0, 40.0, 100.0)
LONG_PAUSES_S: Final = (3.0, 60.0, 900.0, 3600.0)
AWAY_DAYS: Final = (3, 12, 40, 70)
RECOVERING_S: Final = 120.0
"""Until a keeper has noticed that Redis lost everything, and has written back what roster it knows."""
SETTLING_S: Final = 2 * SWEEP_S + FULL_S + GRACE_S + 120.0
"""Also longer than the sandbox ever waits before it sends a notification again."""


class HistoryError(AssertionError):
    """A history that did not come right; its text is the story."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a history that came right amounted to.

    Attributes:
        updates: how many were published.
        story: everything that happened, and what was published, without what Redis' own clock gave.
    """

    updates: int
    story: str


def play(seed: int, wire: Wire) -> Played:
    """Play one history on a server that is shared with others.

    Raises:
        HistoryError: an invariant does not hold.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.get_loop().set_task_factory(start_task)
        runner.get_loop().set_exception_handler(_pass_over)
        return runner.run(_play(seed, wire))


async def _play(seed: int, wire: Wire) -> Played:
    history = History(seed, wire)
    try:
        return await history.play()
    except Exception as error:
        what = f"{error}" if isinstance(error, AssertionError) else "".join(format_exception(error))
        raise HistoryError(f"seed {seed}: {what}\n{history.story}") from error
    finally:
        await history.clear_away()


RICH_SEEDS: Final = 10**15
"""Added to a history's seed to draw whether its notifications are rich."""


class History:
    """One history; everything in it follows from the seed."""

    def __init__(self, seed: int, wire: Wire) -> None:
        self.chance = Chance(seed)
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.story = Story(self.clock.now)
        keys = KeyNames(stream=f"history-{seed}", partitions=self.chance.pick((1, 1, 1, 2, 3)))
        self.server = Server(wire, keys, self.clock.now)
        self.server.flush()
        self.facts = FactsBook()
        self.server.on_commit = self.facts.note_commit
        self.web = Web(self.server, self.chance, self.clock, keys)
        self.tenant = Tenant(self.clock, draw_beliefs(self.chance), self.web, seed=seed)
        self.means = self.chance.pick((Means.ALL, Means.NOTIFICATIONS, Means.SWEEPS))
        messages = self.chance.pick(
            (ResourceKind.INBOX, ResourceKind.INBOX, ResourceKind.INBOX, ResourceKind.MAILBOX_MESSAGES)
        )
        self.people = gather(self.tenant.world, self.chance)
        self.around = Surroundings(
            means=self.means,
            messages=messages,
            server=self.server,
            tenant=self.tenant,
            clock=self.clock,
            chance=self.chance,
            facts=self.facts,
            keys=keys,
            window_s=self.chance.pick((0, 0.25)),
            roster=self.people.roster,
            is_rich=Chance(RICH_SEEDS + seed).happens(0.4),  # so that nothing else in a history depends on it
        )
        self.deeds = Deeds(self.around, self.people, self.story)
        self.operator = Operator(self.server, self.chance, keys, self.people, self.story)
        self.crew = Crew(self.around, self.story)
        self.trouble = Trouble(self.around, self.web, self.crew, self.story)
        self._delivering: asyncio.Task[None] | None = None

    # --- the course of it ---

    async def play(self) -> Played:
        keys = self.around.keys
        self.story.tell(f"by {self.means}; {keys.partitions} partitions; {self.around.messages}")
        self.story.tell(f"{self.tenant.world.beliefs}; {'rich' if self.around.is_rich else 'basic'}")
        self.trouble.begin()
        self._delivering = asyncio.create_task(self.tenant.delivery.run())
        for _ in range(self.chance.count(0, 4)):  # what a baseline will find
            await self._live_through(self.deeds.do_something)
        for _ in range(self.chance.pick((1, 1, 2, 3))):
            self.crew.start(KeeperProcess)
        for _ in range(self.chance.pick((1, 1, 2))):
            self.crew.start(WorkerProcess)
        for _ in range(self.chance.count(10, 40)):
            await self._live_through(self.deeds.do_something)
            self.trouble.make()
            await self._be_away()
        self.trouble.calm_down()
        await asyncio.sleep(RECOVERING_S)
        await self.operator.settle(keeps_all=self.chance.happens(0.5))
        await asyncio.sleep(SETTLING_S)
        judge = Judge(
            self.around,
            self.people,
            self.deeds,
            self.operator,
            last_epochs=self.trouble.last_epochs,
            born_again_from=self.trouble.born_again_from,
        )
        await judge.read_all_again()
        await self.crew.stop()
        assert not self.web.refused, f"the web refused what Graph sent: {self.web.refused}"
        updates = judge.judge()
        return Played(updates=updates, story=f"{self.story}\n{judge.list_told()}")

    async def _live_through(
        self, deed: Callable[[], Awaitable[None]], pauses_s: tuple[float, ...] = PAUSES_S
    ) -> None:
        await asyncio.sleep(self.chance.pick(pauses_s))
        await deed()

    # --- absences ---

    async def _be_away(self) -> None:
        """Change the roster, or let the whole service be away for hours, or for weeks; mostly nothing."""
        if self.chance.happens(0.02):
            await self.operator.change_roster()
        if self.means is not Means.NOTIFICATIONS and self.chance.happens(0.02 * self.trouble.level):
            await self._stop_for_hours()
        if self.means is Means.ALL and self.chance.happens(0.01):
            await self._stop_for_weeks()

    async def _stop_for_hours(self) -> None:
        """Let people go on while nothing of the service runs."""
        roles, was_down = await self.crew.rest(), self.web.is_down
        self.web.is_down = True
        self.story.tell("the whole service stops")
        for _ in range(self.chance.count(1, 6)):
            await self._live_through(self.deeds.do_something, LONG_PAUSES_S)
        self.web.is_down = was_down
        for role in roles:
            self.crew.start(role)

    async def _stop_for_weeks(self) -> None:
        """Let meetings pass, and their state be forgotten."""
        roles, was_down = await self.crew.rest(), self.web.is_down
        self.web.is_down = True
        days = self.chance.pick(AWAY_DAYS)
        await asyncio.sleep(timedelta(days=days).total_seconds())
        self.server.expire()
        self.deeds.note_absence(timedelta(days=days))
        self.story.tell(f"{days} days later")
        self.web.is_down = was_down
        for role in roles:
            self.crew.start(role)

    async def clear_away(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self._delivering is not None:
            self._delivering.cancel()
        await self.crew.rest()
        self.server.flush()
        self.server.drop_backup()


def _pass_over(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Say nothing of errors that a dead process did not live to look at."""
    if not isinstance(context.get("exception"), ServiceError):
        loop.default_exception_handler(dict(context))


def draw_beliefs(chance: Chance) -> Beliefs:
    """Draw a position for every switch."""
    return Beliefs(
        reset_on_reschedule=chance.happens(0.5),
        sequence_on_agenda_change=chance.happens(0.5),
        external_not_tallied=chance.happens(0.5),
        received_representing=chance.happens(0.5),
        legacy_dn=chance.happens(0.15),
        clock_skew_s=chance.pick((0.0, 0.0, 0.0, 1.5, -30.0, 30.0)),
        event_before_message=chance.happens(0.5),
        shared_ical_uid=chance.happens(0.3),
        null_ical_uid=chance.happens(0.15),
    )
