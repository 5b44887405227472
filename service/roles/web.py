"""The role `web`: listens for Graph, and stores what comes. Goes on listening while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from service.intake.appender import Appender
from service.intake.listener import PublicListener
from service.roles.witness import Witness


class WebRole:
    """The public listener and the one connection over which it stores; beside it a witness of the state.

    Args:
        settle: work of the start, beside the listener, whose storing waits for it. Ends by itself.
    """

    name = "web"

    def __init__(
        self,
        *,
        listener: PublicListener,
        appender: Appender,
        witness: Witness,
        settle: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._listener = listener
        self._appender = appender
        self._witness = witness
        self._settle = settle

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then let requests under way be stored and answered.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        async with asyncio.TaskGroup() as group:
            appending = group.create_task(self._appender.run())
            group.create_task(self._witness.run(stop))
            group.create_task(self._settle())
            await self._listener.start()
            try:
                await stop.wait()
            finally:
                await self._listener.stop()
                appending.cancel()

    async def find_unready(self) -> str:
        """Say why Redis does not take writes; empty where it does."""
        return await self._appender.check()
