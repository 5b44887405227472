"""Runs roles side by side until told to stop; each may finish what it has taken. Knows no concrete class."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

import structlog

_LOG: Final = structlog.get_logger(__name__)
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_STOP_MARGIN_S: Final = 5.0


class Role(Protocol):
    """One of web, worker and keeper."""

    @property
    def name(self) -> str:
        """The command that runs it alone."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what was taken."""

    async def find_unready(self) -> str:
        """Say in words why the role cannot do its work; empty where it can."""


async def run_roles(roles: Sequence[Role], *, drain_s: float) -> None:
    """Run roles until SIGTERM or SIGINT, or until one of them fails; then all stop.

    Args:
        drain_s: what each role grants itself; a role that takes much longer is cancelled.

    Raises:
        ServiceError: what made a role fail.
    """
    stop = asyncio.Event()
    async with _signals_set(stop):
        tasks = [asyncio.create_task(_run_one(role, stop), name=role.name) for role in roles]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            await _gather_within(tasks, drain_s + _STOP_MARGIN_S)


async def _run_one(role: Role, stop: asyncio.Event) -> None:
    _LOG.info("role.started", role=role.name)
    outcome = "failed"
    try:
        await role.run(stop)
        outcome = "stopped"
    finally:
        _LOG.info("role.stopped", role=role.name, outcome=outcome)


async def _gather_within(tasks: Sequence[asyncio.Task[None]], timeout_s: float) -> None:
    """Wait for all; cancel those that take too long; raise the first failure."""
    _, late = await asyncio.wait(tasks, timeout=timeout_s)
    for task in late:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise _unwrap(result)


def _unwrap(error: BaseException) -> BaseException:
    """Give the first cause of a task group's failure, so that it is told in its own words."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@asynccontextmanager
async def _signals_set(stop: asyncio.Event) -> AsyncIterator[None]:
    """Let the first signal ask for a stop; what comes later finds the system's own way."""
    loop = asyncio.get_running_loop()

    def ask(number: signal.Signals) -> None:
        _LOG.info("role.stopping", signal=number.name)
        stop.set()
        loop.remove_signal_handler(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, ask, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
