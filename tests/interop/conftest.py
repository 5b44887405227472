"""Keys made once: making one takes some tenths of a second."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from service.rich.keys import EncryptionKey, make_key_file
from tests.interop.publisher import Signer


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> EncryptionKey:
    """A key of ours."""
    directory = tmp_path_factory.mktemp("keys")
    return make_key_file(directory, now=datetime.now(UTC), bits=2048, days=30)


@pytest.fixture(scope="session")
def signer() -> Signer:
    """A signing key of the authority."""
    return Signer(key=rsa.generate_private_key(public_exponent=65537, key_size=2048), kid="first")


@pytest.fixture(scope="session")
def other_signer() -> Signer:
    """Another's."""
    return Signer(key=rsa.generate_private_key(public_exponent=65537, key_size=2048), kid="second")


@pytest.fixture
def key_directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"
