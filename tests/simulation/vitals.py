"""Whether a process lives: every step that it takes outside may be its last. Knows nothing of the service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any, Final

from tests.simulation.chance import Chance
from tests.simulation.virtual_time import OrderedTask, VirtualLoop

_ALIVE: Final[ContextVar[Vitals | None]] = ContextVar("process", default=None)


class Vitals:
    """The life of one process: all tasks that it started, and when it ends.

    Attributes:
        name: of the process.
        steps_left: it dies when it has taken so many steps more; None: it does not.
        is_dead: nothing that it does has an effect any more.
        on_death: called once, when it dies by itself.
    """

    def __init__(self, name: str, chance: Chance) -> None:
        self.name = name
        self.steps_left: int | None = None
        self.is_dead = False
        self.on_death: Callable[[], None] = lambda: None
        self._chance = chance
        self._tasks: set[asyncio.Task[Any]] = set()

    def enter(self) -> None:
        """Count every task that is started from here on as one of this process."""
        _ALIVE.set(self)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def step(self, *, is_long_way: bool = False) -> None:
        """Take a step, after which others may have gone first, and this process may be dead.

        Raises:
            CancelledError: it is.
        """
        self._perish()
        await self._chance.pause(is_long_way=is_long_way)
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left <= 0 and not self.is_dead:
                self.die()
                self.on_death()
        self._perish()

    def _perish(self) -> None:
        if self.is_dead:
            raise asyncio.CancelledError

    def die(self) -> None:
        """End at once: no task of the process gets any further than to its end."""
        self.is_dead = True
        for task in tuple(self._tasks):
            task.cancel()

    async def rest(self) -> None:
        """Wait until every task has ended; what one does on its way out has no effect."""
        while alive := [task for task in self._tasks if not task.done()]:
            for task in alive:
                task.cancel()
            await asyncio.wait(alive, timeout=1)


def start_task(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
    """Start a task as asyncio does, and tell the process to which it belongs."""
    assert isinstance(loop, VirtualLoop)
    task: asyncio.Task[Any] = OrderedTask(work, loop=loop, **more)
    context = more.get("context")
    vitals = _ALIVE.get() if context is None else context.get(_ALIVE)
    if vitals is not None:
        vitals.adopt(task)
    return task


def start_outside(work: Any) -> asyncio.Task[Any]:
    """Start a task that belongs to no process, whoever asks for it."""
    return asyncio.get_running_loop().create_task(work, context=Context())
