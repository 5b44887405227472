"""One running service for the tests that change nothing for each other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.endtoend.stage import Stage, open_stage
from tests.integration.waiting import wait_until

WITHOUT_MAILBOX = "nobody@contoso.com"
HASTE = {
    "RESPONSE_SYNC_RETRY_FIRST_WAIT_S": "0.05",  # what Graph refuses is tried four times
    "RESPONSE_SYNC_BODY_TIMEOUT_S": "2",  # which hostile bodies are given that never end
}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """`serve` for Alex and for an owner who has no mailbox, beside him on the roster."""
    owners = ("alexw@contoso.onmicrosoft.com", WITHOUT_MAILBOX)
    async with open_stage(tmp_path_factory.mktemp("stage"), owners=owners) as stage:
        await stage.start_ready("serve", **HASTE)
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def serving(session_stage: Stage) -> AsyncIterator[Stage]:
    """The same service for each test, at rest; it must still be there, and ready, after every one of them."""
    await wait_until(session_stage.is_quiet)
    yield session_stage
    assert session_stage.running["serve"].process.returncode is None
    await session_stage.wait_until_ready("serve")
