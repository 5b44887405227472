"""One running service for the tests that change nothing for each other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.endtoend.stage import Stage, open_stage

WITHOUT_MAILBOX = "nobody@contoso.com"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def session_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """`serve` for Alex and for an owner who has no mailbox, beside him on the roster."""
    owners = ("alexw@contoso.onmicrosoft.com", WITHOUT_MAILBOX)
    async with open_stage(tmp_path_factory.mktemp("stage"), owners=owners) as stage:
        await stage.start_ready("serve")
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def serving(session_stage: Stage) -> AsyncIterator[Stage]:
    """The same service for each test: it must still be there, and ready, after every one of them."""
    yield session_stage
    assert session_stage.running["serve"].process.returncode is None
    await session_stage.wait_until_ready("serve")
