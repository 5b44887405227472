"""Runs last: nothing that the suite made the service write holds a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leaks import find_leaks, read_secrets

CAPTURED = pytest.StashKey[dict[str, str]]()
"""What each test that is over wrote to standard output and error and logged, by its name."""


def test_a_secret_that_stands_anywhere_is_found() -> None:
    """The search itself, tried on what it must find and on what it must not."""
    token = ".".join(["eyJhbGciOiJub25lIn0", "eyJzdWIiOiJ4eCJ9", "c2ln"])
    hidden = {
        "log": f"got {token}",
        "header": "Authorization: Bearer abcdefghijklmnop",
        "key": "-----BEGIN PRIVATE KEY-----",
        "url": "redis://user:pass@host",
        "known": "it is swordfish-swordfish",
        "clean": "redis://***@host, Bearer ***, a...@contoso.com",
    }
    assert {line.partition(":")[0] for line in find_leaks(hidden, ["swordfish-swordfish"])} == {*hidden} - {
        "clean"
    }


@pytest.mark.last
def test_no_log_of_any_test_so_far_holds_a_secret(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp()
    secrets = read_secrets(root.rglob("*.env"))
    places = {str(path.relative_to(root)): read(path) for path in root.rglob("*.log")}
    captured = request.config.stash.get(CAPTURED, {})
    assert find_leaks(places | captured, secrets) == []


def read(path: Path) -> str:
    return path.read_text(errors="replace")
