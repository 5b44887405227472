"""The processes of one history: they start, die, are replaced, and stop. Knows nothing of people."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final, TypeVar

from service.streams.keys import KEEPER
from tests.simulation.processes import KeeperProcess, Means, Process, Surroundings, WorkerProcess
from tests.simulation.story import Story
from tests.simulation.vitals import start_outside

P = TypeVar("P", bound=Process)

REPLACED_AFTER_S: Final = (0.5, 5.0, 60.0)


class Crew:
    """Keeps as many processes of each role alive as were started.

    Attributes:
        trouble: how likely and how often a process meets broken connections and its death; 0 to 1.
    """

    def __init__(self, around: Surroundings, story: Story) -> None:
        self.trouble = 0.0
        self._around = around
        self._chance = around.chance
        self._story = story
        self._names = 0
        self._living: set[Process] = set()
        self._nursing: dict[asyncio.Task[None], type[Process]] = {}

    def start(self, role: type[Process]) -> None:
        """Start one more, which is replaced when it dies by itself."""
        self._names += 1
        process = role(self._around, f"{role.__name__.removesuffix('Process').lower()}-{self._names}")
        process.vitals.on_death = lambda: self._nurse(process, role)
        if self.trouble:
            self._trouble(process)
        self._living.add(process)
        process.start()
        self._story.tell(f"{process.name} starts")

    def _trouble(self, process: Process) -> None:
        means = self._around.means
        process.line.breaks = self._chance.pick((0, 0, 0.01)) * self.trouble
        process.session.fails = self._chance.pick((0, 0.02, 0.1)) * self.trouble
        lifetime = 150 if means is Means.NOTIFICATIONS else 600
        is_spared = isinstance(process, KeeperProcess) and means is Means.NOTIFICATIONS
        if not is_spared and self._chance.happens(0.4 * self.trouble):
            process.vitals.steps_left = self._chance.count(1, lifetime)

    def _nurse(self, process: Process, role: type[Process]) -> None:
        """Start another after one died."""
        self._story.tell(f"{process.name} dies")
        self._living.discard(process)
        task = start_outside(self._replace(process, role))
        self._nursing[task] = role
        task.add_done_callback(lambda done: self._nursing.pop(done, None))

    async def _replace(self, process: Process, role: type[Process]) -> None:
        await process.vitals.rest()
        await asyncio.sleep(self._chance.pick(REPLACED_AFTER_S))
        self.start(role)

    # --- deaths ---

    def kill_somebody(self) -> None:
        """Let one die soon: between any two of its next steps."""
        role = WorkerProcess if self._around.means is Means.NOTIFICATIONS else Process
        if victims := list(self._find(role)):
            self._doom(self._chance.pick(victims))

    def kill_leader(self) -> None:
        """Let the keeper die that holds the lease; where nobody does, all is quiet."""
        holder = self._around.server.ask("GET", self._around.keys.lease(KEEPER))
        for keeper in self._find(KeeperProcess):
            if keeper.name == holder:
                self._doom(keeper)

    def _doom(self, process: Process) -> None:
        process.vitals.steps_left = self._chance.count(1, 60)
        self._story.tell(f"{process.name} is about to die")

    def _find(self, role: type[P]) -> Iterator[P]:
        for process in sorted(self._living, key=lambda one: one.name):
            if isinstance(process, role):
                yield process

    # --- all together ---

    def calm(self) -> None:
        """Let nothing happen to anybody any more."""
        self.trouble = 0.0
        for process in self._living:
            process.line.breaks = process.session.fails = 0.0
            process.vitals.steps_left = None

    async def stop(self) -> None:
        """Stop as an operator does; workers last, when they have done what the keepers' last sweeps fed."""
        for keeper in self._find(KeeperProcess):
            await keeper.leave()
        await self._around.server.wait_until_idle()
        for worker in self._find(WorkerProcess):
            await worker.leave()

    async def rest(self) -> list[type[Process]]:
        """End everybody at once, as a power cut does; gives whom to start again."""
        roles = [*self._nursing.values(), *(type(one) for one in self._find(Process))]
        for task in tuple(self._nursing):
            task.cancel()
        for process in self._find(Process):
            self._living.discard(process)
            await process.kill()
        await asyncio.sleep(0)
        return roles
