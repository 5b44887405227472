"""One history from its seed: people act, everything goes wrong, then faults stop and all must come right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from traceback import format_exception
from typing import Any, Final

import redis

from service.errors import ServiceError
from service.sandbox.beliefs import Beliefs
from service.sandbox.faults import Faults
from service.streams.keys import KeyNames
from tests.simulation.chance import Chance
from tests.simulation.deeds import Deeds
from tests.simulation.facts import FactsBook
from tests.simulation.judge import Judge
from tests.simulation.people import gather
from tests.simulation.processes import (
    FULL_S,
    GRACE_S,
    SWEEP_S,
    KeeperProcess,
    Means,
    Process,
    Surroundings,
    Web,
    WorkerProcess,
)
from tests.simulation.server import Server
from tests.simulation.story import Story
from tests.simulation.tenant import Tenant
from tests.simulation.virtual_time import VirtualClock, VirtualLoop
from tests.simulation.vitals import start_outside, start_task

PAUSES_S: Final = (0.2, 0.2, 1.0, 3.0, 3.0, 3.0, 10.0, 40.0, 100.0)
SETTLING_S: Final = 2 * SWEEP_S + FULL_S + GRACE_S + 120.0
"""Also longer than the sandbox ever waits before it sends a notification again."""
LAST_WORK_S: Final = 60.0
DELIVERIES: Final = ("sendToDelegateOnly", "sendToDelegateAndPrincipal")


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


def play(seed: int, client: redis.Redis) -> Played:
    """Play one history on a server that is shared with others.

    Raises:
        HistoryError: an invariant does not hold.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.get_loop().set_task_factory(start_task)
        runner.get_loop().set_exception_handler(_pass_over)
        return runner.run(_play(seed, client))


async def _play(seed: int, client: redis.Redis) -> Played:
    history = History(seed, client)
    try:
        return await history.play()
    except Exception as error:
        what = f"{error}" if isinstance(error, AssertionError) else "".join(format_exception(error))
        raise HistoryError(f"seed {seed}: {what}\n{history.story}") from error
    finally:
        await history.clear_away()


class History:
    """One history; everything in it follows from the seed."""

    def __init__(self, seed: int, client: redis.Redis) -> None:
        self.chance = Chance(seed)
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.story = Story(self.clock.now)
        keys = KeyNames(stream=f"history-{seed}")
        self.server = Server(client, keys, self.clock.now)
        self.server.flush()
        self.facts = FactsBook()
        self.server.on_commit = self.facts.note_commit
        self.web = Web(self.server, self.chance, self.clock, keys)
        self.tenant = Tenant(self.clock, draw_beliefs(self.chance), self.web, seed=seed)
        owners = self.chance.pick((1, 1, 2, 3))
        self.people = gather(self.tenant.world, owners=owners, delivery=self.chance.pick(DELIVERIES))
        self.deeds = Deeds(self.tenant, self.people, self.chance, self.story)
        self.means = self.chance.pick((Means.ALL, Means.NOTIFICATIONS, Means.SWEEPS))
        self.around = Surroundings(
            means=self.means,
            server=self.server,
            tenant=self.tenant,
            clock=self.clock,
            chance=self.chance,
            facts=self.facts,
            keys=keys,
            window_s=self.chance.pick((0, 0.25)),
            roster=self.people.roster,
        )
        self.trouble = self.chance.pick((0.0, 0.5, 1.0, 1.0))
        self._backup: FactsBook | None = None
        self._last_epochs: dict[str, int] = {}
        self._epochs_then: dict[str, int] = {}
        self._names = 0
        self._living: set[Process] = set()
        self._nursing: set[asyncio.Task[None]] = set()
        self._delivering: asyncio.Task[None] | None = None

    # --- the course of it ---

    async def play(self) -> Played:
        self.story.tell(f"by {self.means}; {self.tenant.world.beliefs}")
        self.tenant.faults.active = Faults(drop=self._draw_loss() if self.means is not Means.ALL else 0.0)
        self._delivering = asyncio.create_task(self.tenant.delivery.run())
        for _ in range(self.chance.count(0, 4)):  # what a baseline will find
            await self._live_through(self.deeds.do_something)
        for _ in range(self.chance.pick((1, 1, 2))):
            self._start(KeeperProcess)
        for _ in range(self.chance.pick((1, 1, 2))):
            self._start(WorkerProcess)
        count = self.chance.count(10, 40)
        for _ in range(count):
            await self._live_through(self.deeds.do_something)
            self._make_trouble()
        self._calm_down()
        await asyncio.sleep(SETTLING_S)
        judge = Judge(self.around, self.people, self.deeds, last_epochs=self._last_epochs)
        await judge.read_all_again()
        await self._stop_all()
        assert not self.web.refused, f"the web refused what Graph sent: {self.web.refused}"
        updates = judge.judge()
        return Played(updates=updates, story=f"{self.story}\n{judge.list_told()}")

    async def _live_through(self, deed: Callable[[], object]) -> None:
        await asyncio.sleep(self.chance.pick(PAUSES_S))
        await deed()  # type: ignore[misc]

    async def _stop_all(self) -> None:
        """Stop as an operator does; workers last, when they have done what the keepers' last sweeps fed."""
        for process in sorted(self._living, key=lambda one: one.name):
            if isinstance(process, WorkerProcess):
                await asyncio.sleep(LAST_WORK_S)
            await process.leave()

    async def clear_away(self) -> None:
        """Leave nothing behind, whatever happened."""
        for task in [*self._nursing, *([self._delivering] if self._delivering else [])]:
            task.cancel()
        for process in self._living:
            await process.kill()
        await asyncio.sleep(0)
        self.server.flush()
        self.server.drop_backup()

    # --- processes ---

    def _start(self, role: type[Process]) -> None:
        self._names += 1
        process = role(self.around, f"{role.__name__.removesuffix('Process').lower()}-{self._names}")
        process.vitals.on_death = lambda: self._nurse(process, role)
        if self.trouble:
            self._trouble_process(process)
        self._living.add(process)
        process.start()
        self.story.tell(f"{process.name} starts")

    def _trouble_process(self, process: Process) -> None:
        process.line.breaks = self.chance.pick((0, 0, 0.01)) * self.trouble
        process.session.fails = self.chance.pick((0, 0.02, 0.1)) * self.trouble
        lifetime = 150 if self.means is Means.NOTIFICATIONS else 600
        is_spared = isinstance(process, KeeperProcess) and self.means is Means.NOTIFICATIONS
        if not is_spared and self.chance.happens(0.4 * self.trouble):
            process.vitals.steps_left = self.chance.count(1, lifetime)

    def _nurse(self, process: Process, role: type[Process]) -> None:
        """Start another after one died."""
        self.story.tell(f"{process.name} dies")
        self._living.discard(process)
        task = start_outside(self._replace(process, role))
        self._nursing.add(task)
        task.add_done_callback(self._nursing.discard)

    async def _replace(self, process: Process, role: type[Process]) -> None:
        await process.vitals.rest()
        await asyncio.sleep(self.chance.pick((0.5, 5.0, 60.0)))
        self._start(role)

    # --- trouble ---

    def _make_trouble(self) -> None:
        if not self.chance.happens(0.35 * self.trouble):
            return
        kinds = [self._disturb_graph, self._disturb_graph, self._kill_somebody, self._stop_web]
        if self.means is not Means.NOTIFICATIONS:
            kinds += [self._lose_subscriptions, self._forget_deltas, self._end_lease, self._report_missed]
        if self.means is Means.ALL:
            kinds += [self._lose_redis, self._back_up_or_restore, self._back_up_or_restore]
        self.chance.pick(kinds)()

    def _disturb_graph(self) -> None:
        faults = Faults(
            drop=self._draw_loss(),
            duplicate=self.chance.pick((0, 0.3)),
            reorder=self.chance.pick((0, 0.5)),
            throttle=self.chance.pick((0, 0.2)),
            unavailable=self.chance.pick((0, 0.2)),
            handshake=self.chance.pick((0, 0.8)),
            delay_s=self.chance.pick((0, 0, 20)),
            lifetime_s=self.chance.pick((None, None, 400)) if self.means is Means.ALL else None,
        )
        self.tenant.faults.active = faults
        self.story.tell(f"trouble: {faults}")

    def _draw_loss(self) -> float:
        """Draw how many notifications are lost: none or all where nothing or only sweeps would find them."""
        match self.means:
            case Means.NOTIFICATIONS:
                return 0.0
            case Means.SWEEPS:
                return 1.0
            case Means.ALL:
                return self.chance.pick((0, 0.3, 1.0))

    def _lose_subscriptions(self) -> None:
        if self.chance.happens(0.5):
            count = self.tenant.lifecycle.remove_at_random(self.chance.count(1, 3))
            self.story.tell(f"{count} subscriptions are removed")
            return
        for subscription in tuple(self.tenant.book.list_all())[:2]:
            self.tenant.book.remove(subscription)
        self.story.tell("two subscriptions vanish without a word")

    def _forget_deltas(self) -> None:
        count = self.tenant.world.expire_delta_tokens(self.chance.count(1, 6))
        self.story.tell(f"{count} delta tokens expire")

    def _report_missed(self) -> None:
        self.tenant.lifecycle.report_missed_at_random(2)
        self.story.tell("Graph says that notifications were missed")

    def _kill_somebody(self) -> None:
        role = WorkerProcess if self.means is Means.NOTIFICATIONS else Process
        victims = [one for one in self._living if isinstance(one, role)]
        if victims:
            victim = self.chance.pick(sorted(victims, key=lambda one: one.name))
            victim.vitals.steps_left = self.chance.count(1, 60)
            self.story.tell(f"{victim.name} is about to die")

    def _stop_web(self) -> None:
        self.web.is_down = not self.web.is_down
        self.web.loses_replies = self.chance.pick((0, 0.3))
        self.story.tell(f"web is down: {self.web.is_down}")

    def _end_lease(self) -> None:
        self.server.end_lease()
        self.story.tell("the lease is lost")

    def _lose_redis(self) -> None:
        if self.chance.happens(0.7):
            return
        for _, fields in self.server.read_stream(self.around.keys.updates(0)):
            held = self._last_epochs.get(fields["source"], 0)
            self._last_epochs[fields["source"]] = max(held, int(fields["epoch"]))
        self.server.flush()
        self.facts.clear()
        self.story.tell("Redis loses everything")

    def _back_up_or_restore(self) -> None:
        if self._backup is None:
            self.server.back_up()
            self._backup, self._epochs_then = self.facts.copy(), dict(self._last_epochs)
            self.story.tell("a backup of Redis is made")
        elif self.chance.happens(0.5):
            self.server.restore()
            self.facts.restore(self._backup)
            self._last_epochs.clear()
            self._last_epochs.update(self._epochs_then)
            self.story.tell("Redis goes back to its backup")

    def _calm_down(self) -> None:
        self.trouble = 0.0
        self.tenant.faults.active = Faults(drop=1.0 if self.means is Means.SWEEPS else 0.0)
        self.web.is_down, self.web.loses_replies = False, 0.0
        for process in self._living:
            process.line.breaks = process.session.fails = 0.0
            process.vitals.steps_left = None
        self.story.tell("all is calm")


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
    )
