"""Runs duties in the background, so many of a kind at a time, so that one slow mailbox holds up no other.

Must never run one duty twice at the same time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping

from service.subscriptions.schedule import Duty, DutyKind


class Crew:
    """Background tasks, one per duty.

    Args:
        places: how many duties of each kind may run at a time.
        on_free: told when a place has become free, except while everything is being stopped.
    """

    def __init__(self, places: Mapping[DutyKind, int], *, on_free: Callable[[], None]) -> None:
        self._places = dict(places)
        self._on_free = on_free
        self._is_cancelling = False
        self._tasks: dict[Duty, asyncio.Task[None]] = {}
        self._taken: Counter[DutyKind] = Counter()

    def room(self, kind: DutyKind) -> int:
        """Give how many more duties of this kind may be begun."""
        return max(self._places[kind] - self._taken[kind], 0)

    def is_busy(self, duty: Duty) -> bool:
        """Tell whether this duty is running."""
        return duty in self._tasks

    def begin(self, duty: Duty, work: Coroutine[None, None, None]) -> None:
        """Run a duty in the background; `work` handles its own errors."""
        assert duty not in self._tasks
        self._taken[duty.kind] += 1
        task = asyncio.create_task(work, name=f"{duty.kind} {duty.name}")
        self._tasks[duty] = task
        task.add_done_callback(lambda _: self._leave(duty))

    async def cancel_all(self) -> None:
        """Stop everything and wait for it."""
        self._is_cancelling = True
        try:
            for task in self._tasks.values():
                task.cancel()
            await self.settle()
        finally:
            self._is_cancelling = False

    async def settle(self) -> None:
        """Wait until nothing runs."""
        while tasks := list(self._tasks.values()):
            await asyncio.wait(tasks)
            await asyncio.sleep(0)  # lets the callbacks take finished tasks off the books

    def _leave(self, duty: Duty) -> None:
        task = self._tasks.pop(duty)
        self._taken[duty.kind] -= 1
        if not task.cancelled():
            task.exception()  # duties report their own errors; this keeps the loop from reporting twice
        if not self._is_cancelling:
            self._on_free()
