"""An authority that signs certificates for loopback, and trust in it; a sandbox of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from service.sandbox.command import Sandbox
from service.sandbox.keys import KeyRing
from service.sandbox.options import SandboxOptions


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    """Signing keys for every sandbox: making one takes its time."""
    return KeyRing()


@pytest_asyncio.fixture
async def sandbox(keys: KeyRing) -> AsyncIterator[Sandbox]:
    async with Sandbox.start(SandboxOptions(seed=7, keys=keys)) as running:
        yield running
