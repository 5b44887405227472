"""A stage for each test, on the shared server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from service.streams.connection import RedisTarget, connect
from service.streams.keys import KeyNames
from tests.integration.consuming.stage import Stage


@pytest_asyncio.fixture
async def stage(redis_url: str, prefix: str) -> AsyncIterator[Stage]:
    link = connect(RedisTarget(url=redis_url))
    yield Stage(url=redis_url, link=link, keys=KeyNames(stream=prefix))
    await link.aclose()
