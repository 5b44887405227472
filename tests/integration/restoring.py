"""A server that can be put back to a backup as an operator does it: stopped, files replaced, started."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from service.embedded import EmbeddedRedis, embedded_redis
from tests.integration.conftest import chosen_server


@dataclass(kw_only=True)
class RestorableRedis:
    """A server on a socket file in a directory of its own, so that its URL stays the same."""

    directory: Path
    is_append_only: bool
    stack: AsyncExitStack
    server: EmbeddedRedis | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return self.server.url

    async def start(self) -> None:
        self.server = await self.stack.enter_async_context(
            embedded_redis(
                directory=self.directory, is_append_only=self.is_append_only, program=chosen_server()
            )
        )

    async def stop(self) -> None:
        await self.stack.aclose()
        self.server = None

    async def back_up(self, place: Path) -> None:
        """Have everything on disk, and copy it away."""
        async with Redis.from_url(self.url) as redis:
            await redis.save()
        shutil.copytree(self.directory, place, ignore=_leave_out)

    async def restore(self, place: Path) -> None:
        """Stop, put the backup in place of what there is, and start."""
        await self.stop()
        shutil.rmtree(self.directory)
        shutil.copytree(place, self.directory)
        await self.start()


def _leave_out(_: str, names: list[str]) -> list[str]:
    """Leave out what belongs to the running server."""
    return [name for name in names if name.endswith((".sock", ".pid", ".lock"))]


@asynccontextmanager
async def restorable_redis(directory: Path, *, is_append_only: bool) -> AsyncIterator[RestorableRedis]:
    """Run such a server."""
    async with AsyncExitStack() as stack:
        made = RestorableRedis(directory=directory, is_append_only=is_append_only, stack=stack)
        await made.start()
        yield made
