"""The search for secrets in what the suite wrote, which `tests/conftest.py` makes when all tests are over."""

from __future__ import annotations

from tests.leaks import find_leaks


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
