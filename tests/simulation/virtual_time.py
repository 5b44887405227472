"""An event loop whose time moves only when nothing is left to do: hours pass in milliseconds. No I/O.

Must never wait for the machine: what a simulation talks to answers at once, in the same thread.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, copy_context
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, TypeVarTuple
from weakref import WeakSet

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_log: Final = logging.getLogger("asyncio")

START: Final = datetime(2031, 3, 3, 8, 0, tzinfo=UTC)
"""A Monday. Later than any run of the tests, so that what is kept until then is kept in Redis too."""


class OrderedTask(asyncio.Task[T]):
    """A task whose place in a set depends on how many were started before it, not on its address in memory.

    Sets of tasks are cancelled and waited for in the order in which they give their items.
    """

    def __init__(self, work: Coroutine[Any, Any, T], *, loop: VirtualLoop, **options: Any) -> None:
        self._place = loop.take_place()
        super().__init__(work, loop=loop, **options)

    def __hash__(self) -> int:
        return self._place


class StandstillError(Exception):
    """Nothing is ready and nothing is planned: somebody waits for ever."""


class _Step(asyncio.TimerHandle):
    """A call that is to be made; asyncio's own handles cost three times as much."""

    __slots__ = ()

    def __init__(
        self, when_s: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> None:
        self._when = when_s
        self._callback = callback
        self._args = args
        self._context = copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = self._args = ()  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<step at {self._when}>"


class VirtualLoop(asyncio.AbstractEventLoop):
    """An event loop in virtual time, which begins at 0; of what is due at one moment the first asked for runs
    first.

    Has what a program without files, sockets and threads uses. What is meant for a thread is done at once:
    how long a thread takes is no matter of the seed.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._ready: deque[_Step] = deque()
        self._later: list[tuple[float, int, _Step]] = []
        self._count = self._places = 0
        self._is_stopping = self._is_running = self._is_closed = False
        self._start_task: Any = None
        self._on_error: Any = None
        self._generators: WeakSet[AsyncGenerator[Any, Any]] = WeakSet()

    # --- time ---

    def time(self) -> float:
        return self._now_s

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        step = _Step(self._now_s, callback, args, context)
        self._ready.append(step)
        return step

    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        step = _Step(when, callback, args, context)
        self._count += 1
        heapq.heappush(self._later, (when, self._count, step))
        return step

    def _run_once(self) -> None:
        """Run all that is ready; where nothing is, move the time to what is due next."""
        later, ready = self._later, self._ready
        while later and later[0][2]._cancelled:
            heapq.heappop(later)
        if not ready:
            if not later:
                raise StandstillError
            self._now_s = max(self._now_s, later[0][0])
        while later and later[0][0] <= self._now_s:
            ready.append(heapq.heappop(later)[2])
        for _ in range(len(ready)):
            step = ready.popleft()
            if step._cancelled:
                continue
            try:
                step._context.run(step._callback, *step._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self.call_exception_handler({"message": "a callback failed", "exception": error})

    # --- running ---

    def run_forever(self) -> None:
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._generators.add, finalizer=self._end_generator)
        asyncio._set_running_loop(self)
        self._is_running = True
        try:
            while not self._is_stopping:
                self._run_once()
        finally:
            self._is_running = self._is_stopping = False
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def run_until_complete(self, future: Any) -> Any:
        task = asyncio.ensure_future(future, loop=self)
        task.add_done_callback(self._stop_after)
        try:
            self.run_forever()
        finally:
            task.remove_done_callback(self._stop_after)
        return task.result()

    def _stop_after(self, _: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._is_stopping = True

    def is_running(self) -> bool:
        return self._is_running

    def is_closed(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        self._is_closed = True
        self._ready.clear()
        self._later.clear()

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None: ...

    def _end_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        if not self._is_closed:
            self.call_soon(self.create_task, generator.aclose())

    async def shutdown_asyncgens(self) -> None:
        for generator in tuple(self._generators):
            await generator.aclose()

    async def shutdown_default_executor(self, *_: Any, **__: Any) -> None:
        """There are no threads to wait for."""

    # --- tasks and futures ---

    def take_place(self) -> int:
        """Give the number of the next task."""
        self._places += 1
        return self._places

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, T], **options: Any) -> asyncio.Task[T]:  # type: ignore[override]
        if self._start_task is None:
            return OrderedTask(coro, loop=self, **options)
        task: asyncio.Task[T] = self._start_task(self, coro, **options)
        return task

    def set_task_factory(self, factory: Any) -> None:
        self._start_task = factory

    def get_task_factory(self) -> Any:
        return self._start_task

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    # --- errors that nobody looks at ---

    def set_exception_handler(self, handler: Any) -> None:
        self._on_error = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._on_error is None:
            self.default_exception_handler(context)
        else:
            self._on_error(self, context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        _log.error("%s", context.get("message"), exc_info=context.get("exception"))


class VirtualClock:
    """The clock of the service and of the sandbox alike.

    Args:
        ahead_s: how far it is ahead of the loop's time; machines differ.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, ahead_s: float = 0.0) -> None:
        self._loop = loop
        self._start = self._now = START + timedelta(seconds=ahead_s)
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        elapsed_s = self._loop.time()
        if elapsed_s != self._elapsed_s:
            self._elapsed_s, self._now = elapsed_s, self._start + timedelta(seconds=elapsed_s)
        return self._now

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
