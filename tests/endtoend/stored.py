"""Which notifications a service stored meanwhile: not what sweeps, timers and new tries put beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio.client import Monitor

from tests.endtoend.stage import Stage

END = "end-of-what-was-watched"


@asynccontextmanager
async def notifications_stored(stage: Stage) -> AsyncIterator[list[str]]:
    """Watch the intake stream; when the block ends, the list given holds each XADD of a notification in it.

    An entry leaves the stream as soon as it is processed, so the server itself is asked what it was sent
    (https://redis.io/docs/latest/commands/monitor/).
    """
    stored: list[str] = []
    async with stage.redis.monitor() as monitor:
        yield stored
        await stage.redis.echo(END)
        stored += [command async for command in _until_end(monitor) if _is_notification(command)]


async def _until_end(monitor: Monitor) -> AsyncIterator[str]:
    async for seen in monitor.listen():
        if END in seen["command"]:
            return
        yield seen["command"]


def _is_notification(command: str) -> bool:
    new = command.startswith("XADD responses:intake ") and " origin notification " in f"{command} "
    return new and " tries " not in command
