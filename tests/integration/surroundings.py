"""The whole command line in processes of its own, before a real sandbox and a real Redis."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from service.sandbox.command import Sandbox
from service.settings import read_bare_environment
from tests.ports import choose_ports

DEADLINE_S = 90.0
OWNER = "alexw@contoso.onmicrosoft.com"


@dataclass(kw_only=True)
class Surroundings:
    """A sandbox, a Redis, and settings that lead to both."""

    sandbox: Sandbox
    directory: Path
    settings: dict[str, str]
    ports: dict[str, int] = field(default_factory=dict)

    async def start(self, *arguments: str, **changes: str) -> Process:
        """Start a command; names in `changes` are settings."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service",
            *arguments,
            cwd=self.directory,
            env={**read_bare_environment(), **self.settings, **changes},
            stdout=PIPE,
            stderr=PIPE,
        )

    async def run(self, *arguments: str, **changes: str) -> tuple[int, Any, str]:
        """Run a command with `--json`; gives exit code, what it printed, and its standard error."""
        process = await self.start(*arguments, "--json", **changes)
        async with asyncio.timeout(DEADLINE_S):
            output, errors = await process.communicate()
        self._keep(output, errors)
        return process.returncode or 0, json.loads(output) if output else None, errors.decode()

    @asynccontextmanager
    async def running(self, *arguments: str, **changes: str) -> AsyncIterator[Process]:
        """Run a role until the block ends; it must then end by itself, without a fault."""
        process = await self.start(*arguments, **changes)
        output = asyncio.create_task(process.communicate())
        try:
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(DEADLINE_S):
                written, errors = await output
            self._keep(written, errors)
        assert process.returncode == 0, errors.decode()

    def _keep(self, *written: bytes) -> None:
        """Keep what was written for the test that looks for secrets in it."""
        with (self.directory / "commands.log").open("ab") as log:
            log.writelines(written)

    async def fetch_ready(self) -> tuple[int, dict[str, Any]]:
        """Ask the admin listener; status 0 where nothing listens yet."""
        url = f"http://127.0.0.1:{self.ports['admin']}/readyz"
        async with aiohttp.ClientSession(trust_env=False) as session:
            try:
                async with session.get(url) as answer:
                    return answer.status, await answer.json()
            except aiohttp.ClientError:
                return 0, {}

    async def is_ready(self) -> bool:
        """Tell whether the role can do its work."""
        return (await self.fetch_ready())[0] == 200


async def wait_for(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until a condition holds, at most for the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.1)


@asynccontextmanager
async def open_surroundings(tmp_path: Path, redis_url: str, prefix: str) -> AsyncIterator[Surroundings]:
    """Start a fresh tenant; gives it with the shared server, and free ports."""
    ports = choose_ports("public", "admin")
    owners = tmp_path / "owners.toml"
    owners.write_text(f'[[owners]]\naddress = "{OWNER}"\n')
    async with Sandbox.start() as sandbox:
        ready = sandbox.ready
        settings = {
            "REDIS_URL": redis_url,
            "HOST": "127.0.0.1",
            "PORT": str(ports["public"]),
            "RESPONSE_SYNC_ADMIN_PORT": str(ports["admin"]),
            "RESPONSE_SYNC_STREAM": prefix,
            "RESPONSE_SYNC_TENANT_ID": ready.tenant_id,
            "RESPONSE_SYNC_CLIENT_ID": ready.client_id,
            "RESPONSE_SYNC_CLIENT_SECRET": ready.client_secret,
            "RESPONSE_SYNC_GRAPH_URL": ready.graph_url,
            "RESPONSE_SYNC_AUTHORITY_URL": ready.authority_url,
            "RESPONSE_SYNC_CA_BUNDLE": ready.ca_bundle,
            "RESPONSE_SYNC_PUBLIC_URL": f"http://127.0.0.1:{ports['public']}",
            "RESPONSE_SYNC_SECRET_KEY": "k" * 40,
            "RESPONSE_SYNC_OWNERS_FILE": str(owners),
        }
        (tmp_path / "secrets.env").write_text(
            "".join(f"{name}={value}\n" for name, value in settings.items() if "SECRET" in name)
        )
        yield Surroundings(sandbox=sandbox, directory=tmp_path, settings=settings, ports=ports)
