"""Roles side by side: one signal or one failure stops all, and none is waited for without an end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from service.errors import ConfigError
from service.roles import running
from service.roles.running import run_roles
from tests.integration.waiting import PATIENCE_S


class PlayedRole:
    """A role that does what a test says."""

    def __init__(self, name: str, work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        self.name = name
        self._work = work
        self.is_finished = False

    async def run(self, stop: asyncio.Event) -> None:
        await self._work(stop)
        self.is_finished = True

    async def find_unready(self) -> str:
        return ""


async def until_stopped(stop: asyncio.Event) -> None:
    await stop.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_every_role_finish(number: signal.Signals) -> None:
    roles = [PlayedRole("web", until_stopped), PlayedRole("worker", until_stopped)]

    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
    with capture_logs() as logs:
        await run_roles(roles, drain_s=1)

    assert all(role.is_finished for role in roles)
    assert [entry["event"] for entry in logs].count("role.stopped") == 2
    assert {"event": "role.stopping", "signal": number.name, "log_level": "info"} in logs


async def test_a_role_that_fails_stops_the_others_and_is_told_in_its_own_words() -> None:
    async def fail(_: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(raise_fault())

    async def raise_fault() -> None:
        raise ConfigError(["PORT is taken"])

    other = PlayedRole("worker", until_stopped)
    with pytest.raises(ConfigError, match="PORT is taken"):
        await run_roles([PlayedRole("web", fail), other], drain_s=1)

    assert other.is_finished


async def test_a_role_that_does_not_stop_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_STOP_MARGIN_S", 0.0)

    async def hang(_: asyncio.Event) -> None:
        await asyncio.Event().wait()

    hanging = PlayedRole("worker", hang)

    async def end(_: asyncio.Event) -> None:
        return

    async with asyncio.timeout(PATIENCE_S):
        await run_roles([PlayedRole("web", end), hanging], drain_s=0.01)

    assert not hanging.is_finished
