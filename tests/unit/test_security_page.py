"""SECURITY.md names tests that there are, and settings that there are."""

from __future__ import annotations

import re
from pathlib import Path

from service.settings import Settings
from service.streams.keys import KEYS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()


def read_threats() -> list[list[str]]:
    """Give the rows of the table of threats: who, what, how stopped, which test."""
    section = PAGE.split("\n## Threats", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return rows[2:]


def test_each_threat_names_tests_that_there_are() -> None:
    threats = read_threats()
    assert len(threats) >= 15
    for row in threats:
        named = re.findall(r"`([^`]+)`", row[3])
        assert named, row
        assert all((ROOT / "tests" / name).is_file() for name in named), named


def test_every_setting_that_is_named_is_one() -> None:
    known = {name.upper() for name in Settings.model_fields} | {"GROUP", "PARTITION", "STREAM"}
    named = set(re.findall(r"`([A-Z][A-Z_]+[A-Z])`", PAGE))
    assert named - known == set()


def read_stored() -> dict[str, set[str]]:
    """Give what the page says each key holds of people, by the key's pattern."""
    section = PAGE.split("\n## What is stored", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {cells[0].strip("`"): set(re.findall(r"`(\w+)`", cells[1])) for cells in rows}


def test_every_kind_of_key_is_listed_with_what_it_holds_of_people() -> None:
    assert set(read_stored()) == {key.pattern for key in KEYS}
