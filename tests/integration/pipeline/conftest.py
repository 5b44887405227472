"""A scene for each test: sandbox, Redis, web, worker and keeper are real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from service.sandbox.command import Sandbox
from service.sandbox.keys import KeyRing
from service.sandbox.options import SandboxOptions
from service.sandbox.outbox import OutboxLimits
from tests.integration.pipeline.scene import Scene
from tests.integration.sandbox.asking import Asking, trust
from tests.integration.subscriptions.stage import open_stage

QUICK = OutboxLimits(retry_first_s=0.2, retry_max_s=1)


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    """Signing keys for every sandbox: making one takes its time."""
    return KeyRing()


@pytest.fixture
def changes() -> dict[str, Any]:
    """Give further settings of the service; a module that wants some has a fixture of this name."""
    return {}


@pytest_asyncio.fixture
async def scene(
    keys: KeyRing, redis_url: str, prefix: str, tmp_path: Path, changes: dict[str, Any]
) -> AsyncIterator[Scene]:
    async with (
        Sandbox.start(SandboxOptions(seed=7, keys=keys, outbox=QUICK)) as sandbox,
        aiohttp.ClientSession(connector=trust(sandbox)) as session,
    ):
        asking = await Asking.prepare(sandbox, session)
        folder = tmp_path / "hook"
        async with open_stage(
            sandbox, asking, redis_url=redis_url, prefix=prefix, folder=folder, **changes
        ) as opened:
            yield Scene(stage=opened)
