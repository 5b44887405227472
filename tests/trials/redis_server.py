"""A Redis-compatible server at a fixed port, which dies, loses everything and goes back in time when told."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.embedded import find_server_program
from tests.endtoend.processes import build_tie_to_parent
from tests.integration.conftest import chosen_server
from tests.integration.waiting import wait_until

START_TIMEOUT_S = 20.0


class RedisServer:
    """One server process at a time; its data lie in a directory of their own.

    Attributes:
        url: the same for as long as the object lives.
    """

    def __init__(self, program: Path, place: Path, *, port: int, is_append_only: bool) -> None:
        password = secrets.token_urlsafe(16)
        self._program = program
        self._data, self._copy = place / "redis", place / "redis-copy"
        self._settings = {
            "bind": "127.0.0.1",
            "port": str(port),
            "requirepass": password,
            "dir": str(self._data),
            "save": "''",
            "appendonly": "yes" if is_append_only else "no",
            "maxmemory-policy": "noeviction",
        }
        self._process: Process | None = None
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"

    async def start(self) -> None:
        """Start it on whatever lies in its directory, and wait until it answers.

        Raises:
            TimeoutError: it does not.
        """
        self._data.mkdir(exist_ok=True)
        lines = [word for name, value in self._settings.items() for word in (f"--{name}", value)]
        self._process = await asyncio.create_subprocess_exec(
            self._program,
            *lines,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            cwd=self._data,
            start_new_session=True,
            preexec_fn=build_tie_to_parent(),
        )
        async with Redis.from_url(self.url) as client:
            await wait_until(lambda: _answers(client), timeout_s=START_TIMEOUT_S)

    async def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def lose_everything(self) -> None:
        """Leave an empty directory behind; only while it does not run."""
        shutil.rmtree(self._data)

    async def keep_copy(self) -> None:
        """Keep a copy of its data as an operator's backup does: SAVE, then the files."""
        async with Redis.from_url(self.url) as client:
            await client.save()
        shutil.copytree(self._data, self._copy)

    def go_back(self) -> None:
        """Put the copy in the place of the data; only while it does not run."""
        shutil.rmtree(self._data)
        shutil.move(self._copy, self._data)


async def _answers(client: Redis) -> bool:
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False


@asynccontextmanager
async def open_redis(place: Path, *, port: int, is_append_only: bool = True) -> AsyncIterator[RedisServer]:
    """Run a server until the block ends."""
    program = await find_server_program(chosen_server())
    server = RedisServer(program.path, place, port=port, is_append_only=is_append_only)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
