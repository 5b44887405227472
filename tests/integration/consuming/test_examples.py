"""The examples of `deploy/examples` tell a short stream rightly; that in Node: `make examples-check`."""

from __future__ import annotations

import asyncio
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from service.settings import read_bare_environment
from tests.examples.told import EXPECTED, judge, judge_group, publish

EXAMPLES = Path(__file__).parents[3] / "deploy" / "examples"
DEADLINE_S = 60.0


@pytest_asyncio.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


async def try_to_run(*command: str | Path, **environment: str) -> int:
    """Run an example that fails; gives its exit code."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**read_bare_environment(), **environment}, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(DEADLINE_S):
        await process.communicate()
    return process.returncode or 0


async def run(*command: str | Path, **environment: str) -> str:
    """Run an example to its end; gives what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**read_bare_environment(), **environment}, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_the_example_in_python_tells_who_is_coming(redis: Redis, redis_url: str, prefix: str) -> None:
    await publish(redis, prefix)
    script = EXAMPLES / "python" / "who_is_coming.py"
    count = str(len(EXPECTED))
    output = await run(sys.executable, script, "--stream", prefix, "--count", count, REDIS_URL=redis_url)
    judge(output)
    await judge_group(redis, prefix, "example-python")
    await redis.delete(*await redis.keys(f"*{prefix}*"))


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="there is no redis-cli on this machine")
async def test_the_example_with_redis_cli_alone_prints_each_change_once(
    redis: Redis, redis_url: str, prefix: str
) -> None:
    await publish(redis, prefix)
    script = EXAMPLES / "shell" / "who-is-coming.sh"
    place = urlsplit(redis_url)
    given = {
        "REDIS_CLI": f"redis-cli -h {place.hostname} -p {place.port}",
        "REDISCLI_AUTH": place.password or "",
    }
    output = await run("sh", script, prefix, **given)
    told = [line.split("\t")[1:] for line in output.splitlines()]
    assert len(told) == await redis.xlen(prefix)
    assert ["responsesync.response.changed", "ann@contoso.com", "declined"] in told
    assert ["responsesync.event.deleted", "", ""] in told
    await judge_group(redis, prefix, "example-shell")
    assert await run("sh", script, prefix, **given) == ""
    refused = await try_to_run("sh", script, prefix, **{**given, "REDISCLI_AUTH": "wrong"})
    assert refused != 0
    await redis.delete(prefix)
