"""What integration tests share: one real Redis-compatible server for the session, one key prefix per test.

`RESPONSE_SYNC_TEST_REDIS_SERVER=/path/to/redis-server` runs the tests against that server instead of the
embedded default.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from service.cli import app
from service.embedded import EmbeddedRedis, Listener, embedded_redis
from service.settings import Settings, setting_name
from tests.integration.commanding import Run
from tests.integration.surroundings import Surroundings, open_surroundings


def chosen_server() -> Path | None:
    """Give the server program that the tests were asked to run against; None for the default."""
    path = os.environ.get("RESPONSE_SYNC_TEST_REDIS_SERVER")
    return Path(path) if path else None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def redis_server() -> AsyncIterator[EmbeddedRedis]:
    """One server for all tests; a test that stops, fills or flushes a server starts its own."""
    async with embedded_redis(listener=Listener.LOOPBACK, program=chosen_server()) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """The URL of the shared server."""
    return redis_server.url


@pytest.fixture
def prefix() -> str:
    """A name for `STREAM` that no other test uses: every key of the test begins with it."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest_asyncio.fixture
async def surroundings(tmp_path: Path, redis_url: str, prefix: str) -> AsyncIterator[Surroundings]:
    """A fresh tenant, the shared server, and free ports, for commands in processes of their own."""
    async with open_surroundings(tmp_path, redis_url, prefix) as surroundings:
        yield surroundings


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, redis_url: str, prefix: str
) -> dict[str, str]:
    """Settings that lead to the server of the tests and to nobody else's keys."""
    for field in Settings.model_fields:
        monkeypatch.delenv(setting_name(field), raising=False)
    given = {"REDIS_URL": redis_url, "RESPONSE_SYNC_STREAM": prefix}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return given


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Run a command in this process."""
    assert environment

    def invoke(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=typed)

    return invoke
