"""An event loop whose time moves only when nothing is left to do: hours pass in milliseconds. No I/O.

Must never wait for the machine: what a simulation talks to answers at once, in the same thread.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

T = TypeVar("T")

START: Final = datetime(2031, 3, 3, 8, 0, tzinfo=UTC)
"""A Monday. Later than any run of the tests, so that what is kept until then is kept in Redis too."""


class StandstillError(Exception):
    """Nothing is ready and nothing is planned: somebody waits for ever."""


class _NoFiles(selectors.BaseSelector):
    """Instead of waiting for files, moves the time ahead."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = selectors.SelectorKey(fileobj, number, events, data)
        self._keys[number] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StandstillError
        if timeout > 0:
            self.elapsed_s += timeout
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class _NoThreads(ThreadPoolExecutor):
    """Does at once what is meant for a thread: how long a thread takes is no matter of the seed."""

    def submit(self, work: Callable[..., T], /, *args: Any, **more: Any) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(work(*args, **more))
        except Exception as error:
            done.set_exception(error)
        return done


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, which begins at 0."""

    def __init__(self) -> None:
        self._files = _NoFiles()
        super().__init__(self._files)
        self.set_default_executor(_NoThreads())

    def time(self) -> float:
        return self._files.elapsed_s

    async def shutdown_default_executor(self, *_: Any) -> None:
        """There are no threads to wait for."""


class VirtualClock:
    """The clock of the service and of the sandbox alike.

    Args:
        ahead_s: how far it is ahead of the loop's time; machines differ.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, ahead_s: float = 0.0) -> None:
        self._loop = loop
        self._start = START + timedelta(seconds=ahead_s)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
