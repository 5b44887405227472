"""Installs ioredis by npm and lets the example in Node read a real server; fails where it told wrong."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from redis.asyncio import Redis

from service.embedded import Listener, embedded_redis
from tests.examples.told import EXPECTED, judge, judge_group, publish

EXAMPLE = Path(__file__).parents[2] / "deploy" / "examples" / "node"
DEADLINE_S = 60.0


def install(folder: Path) -> None:
    """Copy the example and install what it needs beside it.

    Raises:
        SystemExit: Node or npm is not there, or the installation failed.
    """
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"{' and '.join(missing)} not found: Node 18 or later is needed for this check")
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
    if subprocess.run(command, cwd=folder, check=False).returncode:
        sys.exit("npm could not install ioredis")


async def check(folder: Path) -> None:
    async with (
        embedded_redis(listener=Listener.LOOPBACK) as server,
        Redis.from_url(server.url, decode_responses=True) as redis,
    ):
        await publish(redis, "responses")
        node = await asyncio.create_subprocess_exec(
            "node",
            "who-is-coming.mjs",
            "--count",
            str(len(EXPECTED)),
            cwd=folder,
            env=os.environ | {"REDIS_URL": server.url},
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(DEADLINE_S):
            output, _ = await node.communicate()
        assert node.returncode == 0
        judge(output.decode())
        await judge_group(redis, "responses", "example-node")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="response-sync-examples-") as name:
        install(Path(name))
        asyncio.run(check(Path(name)))
