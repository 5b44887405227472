"""Finds secrets in what was written. Must never print one: it says where, and of which kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

SHORTEST: Final = 8
_PATTERNS: Final = {
    "an access token or an assertion": re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"),
    "a bearer token": re.compile(r"(?i)\bbearer\s+[\w.~+/-]{16,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a password in a URL": re.compile(r"\b(?:redis|rediss|https?)://[^/@\s:]*:(?!\*\*\*)[^/@\s]+@"),
}
_SECRET_NAMES: Final = re.compile(r"SECRET|TOKEN|PASSWORD")


def find_leaks(places: Mapping[str, str], secrets: Iterable[str] = ()) -> list[str]:
    """Say where a secret stands, and what it looks like.

    Args:
        places: texts by where they are from.
        secrets: known ones; the short ones are left out.
    """
    known = [one for one in secrets if len(one) >= SHORTEST]
    found = [
        f"{place}: a known secret" for place, text in places.items() if any(one in text for one in known)
    ]
    return found + [
        f"{place}: {kind}"
        for place, text in places.items()
        for kind, pattern in _PATTERNS.items()
        if pattern.search(text)
    ]


def read_secrets(env_files: Iterable[Path]) -> set[str]:
    """Give the values of settings that are secrets by their names; none of those that name a file."""
    pairs = [line.partition("=") for file in env_files for line in file.read_text().splitlines()]
    return {
        value
        for name, _, value in pairs
        if _SECRET_NAMES.search(name) and not name.endswith("_FILE") and len(value) >= SHORTEST
    }
