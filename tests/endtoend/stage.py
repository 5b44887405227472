"""Redis, sandbox and service as separate processes, and what a judge may look at: HTTP, Redis, logs.

Must never import what decides: no rule, no state, no reader of the service.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from redis.asyncio import Redis

from service.embedded import EmbeddedRedis, Listener, embedded_redis
from service.rich.keys import make_key_file
from tests.endtoend.people import Ready, Tenant
from tests.endtoend.processes import START_TIMEOUT_S, Ended, Running, run_to_end, start
from tests.integration.conftest import chosen_server
from tests.integration.waiting import wait_until
from tests.ports import choose_ports

STREAM = "responses"
ROLES = ("web", "worker", "keeper")
KEYS = "keys"
RICH = {"RESPONSE_SYNC_ENCRYPTION_KEY_FILE": KEYS}  # below the directory in which every process runs
SECRET_KEY = secrets.token_hex(32)

Entries = list[dict[str, str]]


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything that runs, and what is done with it.

    Attributes:
        redis_server: None where somebody else runs it.
        settings: of the service; each process gets an admin port besides.
        ports: public listener, and the admin listeners by command.
        running: processes of the service by command, those that were ended too.
    """

    directory: Path
    redis_server: EmbeddedRedis | None
    redis: Redis
    session: aiohttp.ClientSession
    tenant: Tenant
    settings: dict[str, str]
    ports: dict[str, int]
    running: dict[str, Running] = field(default_factory=dict)

    # --- processes ---

    async def start(self, command: str, *, name: str = "", **changes: str) -> Running:
        """Start `serve`, `web`, `worker` or `keeper`; does not wait for it.

        Args:
            name: of a second one beside another of the same command.
        """
        name = name or command
        settings = self.settings | {"RESPONSE_SYNC_ADMIN_PORT": str(self.ports[name])} | changes
        made = await start(name, [command], settings=settings, directory=self.directory)
        self.running[name] = made
        return made

    async def start_ready(self, *commands: str, **changes: str) -> None:
        """Start roles and wait until each can do its work."""
        for command in commands:
            await self.start(command, **changes)
        for command in commands:
            await self.wait_until_ready(command)

    async def ask_admin(self, command: str, path: str = "/readyz") -> tuple[int, str]:
        """Ask a role's admin listener; status 0 where nothing listens yet."""
        try:
            async with self.session.get(f"http://127.0.0.1:{self.ports[command]}{path}") as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def wait_until_ready(self, command: str, *, timeout_s: float = START_TIMEOUT_S) -> None:
        answered = (0, "")

        async def is_ready() -> bool:
            nonlocal answered
            ended = self.running[command].process.returncode
            assert ended is None, f"{command} ended ({ended}): {self.running[command].read_log()[-2000:]}"
            answered = await self.ask_admin(command)
            return answered[0] == 200

        try:
            await wait_until(is_ready, timeout_s=timeout_s, poll_s=0.05)
        except TimeoutError:
            raise AssertionError(f"{command} is not ready: {answered}") from None

    async def run(self, *arguments: str, **changes: str) -> Ended:
        """Run a command that ends by itself."""
        return await run_to_end(arguments, settings=self.settings | changes, directory=self.directory)

    async def run_json(self, *arguments: str, **changes: str) -> Any:
        """Run a command that prints JSON and succeeds."""
        ended = await self.run(*arguments, "--json", **changes)
        assert ended.code == 0, (arguments, ended)
        return json.loads(ended.output)

    async def end_all(self) -> None:
        """Kill whatever of the service still runs."""
        for one in self.running.values():
            if one.process.returncode is None:
                await one.kill()

    def read_logs(self) -> dict[str, str]:
        """Give what every process of the service wrote."""
        return {name: one.read_log() for name, one in self.running.items()}

    # --- what a judge looks at ---

    @property
    def public_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['public']}"

    async def read_stream(self) -> Entries:
        """Give the fields of every entry of the update stream, in order."""
        entries: Any = await self.redis.xrange(STREAM)
        return [fields for _, fields in entries]

    async def has_heard_all(self) -> bool:
        """Tell whether no notification is on its way."""
        return not any((await self.tenant.control("deliveries")).values())

    async def is_quiet(self) -> bool:
        """Tell whether all that Graph said is worked off: nothing is on its way, in hand, or to be retried.

        Must look from the source down: what is on its way may be on the intake stream a moment later.
        """
        if not await self.has_heard_all():
            return False
        async with self.redis.pipeline(transaction=True) as at_once:  # an entry is on one or both
            at_once.xlen(f"{STREAM}:intake")
            at_once.hkeys(f"{{{STREAM}}}:due-entries")
            unread, put_off = await at_once.execute()
        return not unread and not any(name.startswith("retry:") for name in put_off)

    async def count_waiting(self) -> int:
        """Count the entries of the intake stream that are not done yet."""
        return int(await self.redis.xlen(f"{STREAM}:intake"))

    async def list_dead(self) -> Entries:
        """Give the fields of every entry that was given up, in order."""
        entries: Any = await self.redis.xrange(f"{STREAM}:dead")
        return [fields for _, fields in entries]

    async def count_dead(self) -> int:
        return len(await self.list_dead())


@asynccontextmanager
async def open_stage(
    directory: Path,
    *,
    owners: Sequence[str] = ("alexw@contoso.onmicrosoft.com",),
    redis_url: str = "",
    more_processes: Sequence[str] = (),
    **changes: str,
) -> AsyncIterator[Stage]:
    """Start Redis and sandbox; the test starts the roles, and all end with the stage.

    Args:
        owners: addresses for the owners file.
        redis_url: of a server that runs already; none is started then.
        more_processes: names of processes besides one of each command.
        changes: further settings; with those of `RICH`, notifications carry their items and come over TLS.
    """
    owners_file = directory / "owners.toml"
    owners_file.write_text("".join(f"[[owners]]\naddress = {json.dumps(one)}\n" for one in owners))
    async with AsyncExitStack() as stack:
        server = None if redis_url else await _start_redis(stack)
        url = server.url if server else redis_url
        redis = Redis.from_url(url, decode_responses=True)
        stack.push_async_callback(redis.aclose)
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        line, found = await _start_sandbox(stack, directory)
        ports = choose_ports("public", "serve", "other", "other-public", *ROLES, *more_processes)
        stage = Stage(
            directory=directory,
            redis_server=server,
            redis=redis,
            session=session,
            tenant=Tenant(Ready.parse(line), session),
            settings={
                **found,
                "REDIS_URL": url,
                "HOST": "127.0.0.1",
                "PORT": str(ports["public"]),
                "RESPONSE_SYNC_PUBLIC_URL": f"http://127.0.0.1:{ports['public']}",
                "RESPONSE_SYNC_SECRET_KEY": SECRET_KEY,
                "RESPONSE_SYNC_OWNERS_FILE": str(owners_file),
                "RESPONSE_SYNC_STREAM": STREAM,
                "RESPONSE_SYNC_LOG_LEVEL": "debug",
                **(_enrich(directory, ports["public"]) if RICH.items() <= changes.items() else {}),
                **changes,
            },
            ports=ports,
        )
        stack.push_async_callback(stage.end_all)
        yield stage


async def _start_redis(stack: AsyncExitStack) -> EmbeddedRedis:
    return await stack.enter_async_context(
        embedded_redis(listener=Listener.LOOPBACK, program=chosen_server())
    )


async def _start_sandbox(stack: AsyncExitStack, directory: Path) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Start the sandbox by its command; gives its ready line, and the settings of its --env-file."""
    env_file, ready_file = directory / "sandbox.env", directory / "ready.json"
    arguments = ["sandbox", "--env-file", str(env_file), "--ready-file", str(ready_file)]
    arguments += ["--webhook-certificate", str(directory)]
    sandbox = await start("sandbox", arguments, settings={}, directory=directory, reads=True)
    stack.push_async_callback(_end, sandbox)
    assert sandbox.process.stdout is not None
    async with asyncio.timeout(START_TIMEOUT_S):
        line = await sandbox.process.stdout.readline()
    assert line, sandbox.read_log()
    ready = json.loads(line)
    assert json.loads(ready_file.read_text()) == ready
    pairs = [each.partition("=") for each in env_file.read_text().splitlines()]
    return ready, {name: value for name, _, value in pairs}


async def _end(running: Running) -> None:
    code, _ = await running.terminate()
    assert code == 0, (running.name, code, running.read_log()[-2000:])


def _enrich(directory: Path, port: int) -> dict[str, str]:
    """Make a key, and give the settings of a service that is told of items over TLS."""
    make_key_file(directory / KEYS, now=datetime.now(UTC), bits=2048, days=30)
    return {
        "RESPONSE_SYNC_PUBLIC_URL": f"https://localhost:{port}",
        "RESPONSE_SYNC_TLS_CERT_FILE": str(directory / "cert.pem"),
        "RESPONSE_SYNC_TLS_KEY_FILE": str(directory / "key.pem"),
    }
