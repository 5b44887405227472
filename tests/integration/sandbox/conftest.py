"""A sandbox of its own for each test, somebody to ask it, and a webhook that it can call. All of it real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from service.sandbox.command import Sandbox
from service.sandbox.keys import KeyRing
from service.sandbox.options import SandboxOptions
from service.sandbox.outbox import OutboxLimits
from tests.integration.sandbox.asking import Asking, trust
from tests.integration.sandbox.hook import Hook, serve_hook

QUICK = OutboxLimits(retry_first_s=0.05, retry_max_s=0.2)


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    """Signing keys for every sandbox that does not rotate them: making one takes its time."""
    return KeyRing()


@pytest_asyncio.fixture
async def sandbox(keys: KeyRing) -> AsyncIterator[Sandbox]:
    async with Sandbox.start(SandboxOptions(seed=7, keys=keys, outbox=QUICK)) as running:
        yield running


@pytest_asyncio.fixture
async def asking(sandbox: Sandbox) -> AsyncIterator[Asking]:
    async with aiohttp.ClientSession(connector=trust(sandbox)) as session:
        yield await Asking.prepare(sandbox, session)


@pytest_asyncio.fixture
async def hook(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Hook]:
    """A webhook over TLS, with a certificate of the sandbox's authority."""
    async with serve_hook(sandbox.authority.issue_leaf(tmp_path / "hook")) as running:
        yield running
