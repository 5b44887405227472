"""Commands that need the whole surroundings: check, serve, subscriptions, owners, against the sandbox."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import ssl
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio
from redis.asyncio import Redis

from service.sandbox.command import Sandbox
from service.settings import read_bare_environment

DEADLINE_S = 60.0
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
                _, errors = await output
        assert process.returncode == 0, errors.decode()

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


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest_asyncio.fixture
async def surroundings(tmp_path: Path, redis_url: str, prefix: str) -> AsyncIterator[Surroundings]:
    """A fresh tenant, the shared server, and free ports."""
    ports = {"public": find_free_port(), "admin": find_free_port()}
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
        yield Surroundings(sandbox=sandbox, directory=tmp_path, settings=settings, ports=ports)


def find(findings: dict[str, Any], subject: str) -> dict[str, Any]:
    return next(one for one in findings["findings"] if one["subject"].startswith(subject))


async def test_check_finds_nothing_wrong_where_all_is_well(surroundings: Surroundings) -> None:
    code, found, errors = await surroundings.run("check")

    assert code == 0, (found, errors)
    assert found["ok"]
    assert find(found, "token")["state"] == "ok"
    assert find(found, f"person {OWNER}")["detail"].startswith("Alex Wilber")
    assert find(found, f"owner {OWNER}, delegates")["detail"] == "1 discovered"
    assert find(found, "inbox ")["state"] == "ok"
    assert find(found, "public URL")["detail"] == "the handshake came back"


async def test_check_names_the_remedy_of_a_wrong_secret(surroundings: Surroundings) -> None:
    code, found, _ = await surroundings.run("check", RESPONSE_SYNC_CLIENT_SECRET="s~wrong-secret")

    assert code == 1
    token = find(found, "token")
    assert token["state"] == "fault"
    assert "AADSTS7000215" in token["detail"]
    assert "secret" in token["remedy"]
    assert "s~wrong-secret" not in json.dumps(found)


async def test_check_tells_an_owner_without_mailbox_and_a_public_url_that_leads_elsewhere(
    surroundings: Surroundings,
) -> None:
    (surroundings.directory / "owners.toml").write_text('[[owners]]\naddress = "nobody@contoso.com"\n')
    elsewhere = f"http://127.0.0.1:{find_free_port()}"

    code, found, _ = await surroundings.run("check", RESPONSE_SYNC_PUBLIC_URL=elsewhere)

    assert code == 1
    assert "No mailbox" in find(found, "person nobody@contoso.com")["detail"]
    assert find(found, "public URL")["state"] == "fault"


async def test_check_tells_of_redis_that_is_away_and_of_all_else(surroundings: Surroundings) -> None:
    code, found, _ = await surroundings.run(
        "check",
        "--before-start",
        REDIS_URL=f"redis://127.0.0.1:{find_free_port()}",
        RESPONSE_SYNC_REDIS_RETRIES_MAX="0",
    )

    assert code == 1
    assert find(found, "Redis")["state"] == "fault"
    assert find(found, "token")["state"] == "ok"


async def test_serve_is_ready_once_subscriptions_and_baseline_stand_and_purges_who_is_removed(
    surroundings: Surroundings, redis_url: str, prefix: str
) -> None:
    async with surroundings.running("serve"):
        await wait_for(surroundings.is_ready)

        code, rows, errors = await surroundings.run("subscriptions", "list")
        assert code == 0, errors
        assert [row["resource"].partition("/")[0] for row in rows] == ["calendar", "inbox"]
        assert all(row["graph"] and row["leftS"] > 0 and not row["faults"] for row in rows)
        (alex,) = (await surroundings.run("owners", "list"))[1]
        assert (alex["state"], alex["name"]) == ("watched", "Alex Wilber")

        code, removed, errors = await surroundings.run("owners", "remove", OWNER)
        assert (code, removed) == (0, {"removed": [OWNER], "purged": True}), errors
        assert (await surroundings.run("subscriptions", "list"))[1] == []
        assert await list_keys_naming(redis_url, prefix, (alex["id"], OWNER)) == []


async def list_keys_naming(redis_url: str, prefix: str, names: tuple[str, ...]) -> list[str]:
    """Give every key of the test whose name or content holds one of the names."""
    found = []
    async with Redis.from_url(redis_url) as redis:
        async for key in redis.scan_iter(f"*{prefix}*"):
            text = f"{key!r} {await redis.dump(key)!r}".lower()
            found += [text for name in names if name.lower() in text]
    return found


async def test_web_goes_on_while_redis_is_away_and_says_so(surroundings: Surroundings) -> None:
    public = f"http://127.0.0.1:{surroundings.ports['public']}"

    async def is_listening() -> bool:
        return (await surroundings.fetch_ready())[0] == 503

    async with (
        surroundings.running("web", REDIS_URL=f"redis://127.0.0.1:{find_free_port()}"),
        aiohttp.ClientSession(trust_env=False) as session,
    ):
        await wait_for(is_listening)
        _, ready = await surroundings.fetch_ready()
        assert "Redis is away" in ready["probes"]["web"]["reason"]
        async with session.post(f"{public}/graph/notifications?validationToken=a%20b%2Bc") as answer:
            assert (answer.status, await answer.text()) == (200, "a b+c")
        async with session.post(f"{public}/graph/notifications", json={"value": []}) as answer:
            assert answer.status == 202


async def test_a_port_that_is_taken_is_a_settings_fault(surroundings: Surroundings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", surroundings.ports["public"]))
        taken.listen()
        process = await surroundings.start("web")
        async with asyncio.timeout(DEADLINE_S):
            _, errors = await process.communicate()

    assert process.returncode == 2
    assert f"cannot listen on 127.0.0.1:{surroundings.ports['public']}" in errors.decode()
    assert "Traceback" not in errors.decode()


async def count_subscriptions(sandbox: Sandbox) -> int:
    """Ask the control API how many subscriptions there are."""
    trust = ssl.create_default_context(cafile=sandbox.ready.ca_bundle)
    url = f"{sandbox.ready.control_url}/subscriptions"
    async with aiohttp.ClientSession(trust_env=False) as session, session.get(url, ssl=trust) as answer:
        return len(await answer.json())


async def test_the_data_of_an_embedded_server_outlive_it(surroundings: Surroundings) -> None:
    data = surroundings.directory / "d"
    without = {"REDIS_URL": "", "RESPONSE_SYNC_SECRET_KEY": ""}

    for _ in range(2):
        async with surroundings.running("serve", "--embedded", "--data", "d", **without):
            await wait_for(surroundings.is_ready)

    assert (data / "secret-key").stat().st_mode & 0o777 == 0o600
    assert await count_subscriptions(surroundings.sandbox) == 2
