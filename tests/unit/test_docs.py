"""The documentation says what the code does: settings, commands, log events, metrics."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from service.cli import COMMANDS
from service.log_events import EVENTS
from service.metrics import Metrics
from service.settings import Settings, setting_name
from service.tracing.spans import ATTRIBUTES, SPANS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}


def read_table(heading: str) -> dict[str, list[str]]:
    """Give the rows of all tables under a heading, by their first cell without backticks."""
    section = README.split(f"\n{heading}\n", 1)[1]
    level = heading.split(" ", maxsplit=1)[0]
    section = re.split(rf"\n#{{1,{len(level)}}} ", section, maxsplit=1)[0]
    rows = [line.strip().strip("|").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in rows}


def format_default(field: str) -> str:
    """Give a default as README writes it."""
    value: Any = Settings.model_fields[field].default
    if field in ("graph_url", "authority_url", "subscription_minutes"):
        return {"subscription_minutes": "10080 (1440 rich)"}.get(field, "by cloud")
    text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    match text:
        case "":
            return "-"
        case bool():
            return str(text).lower()
        case frozenset():
            return ", ".join(sorted(text)) or "none"
        case float():
            return f"{text:g}" if text < 10**6 else f"{text:.0f}"
        case _:
            return str(text)


def test_readme_lists_every_setting_with_its_default_and_meaning() -> None:
    expected = {
        setting_name(name).removeprefix("RESPONSE_SYNC_"): [format_default(name), str(field.description)]
        for name, field in Settings.model_fields.items()
    }

    assert read_table("## Settings") == expected


def list_commands() -> dict[str, str]:
    """Give what each command says of itself, by its full name."""
    found: dict[str, str] = {}
    for name, listed in COMMANDS.items():
        command = listed.load(name)
        children = {f"{name} {child}": one for child, one in getattr(command, "commands", {}).items()}
        found |= {full: one.help.splitlines()[0] for full, one in (children or {name: command}).items()}
    return found


def test_readme_lists_every_command_and_nothing_else() -> None:
    listed = {
        name.split(" [")[0].split(" OWNER")[0]: cells[0] for name, cells in read_table("## Commands").items()
    }

    assert listed == list_commands()


def list_logged() -> set[str]:
    """Give every event name that some code logs."""
    found = set()
    for path in (ROOT / "service").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="_log" | "_LOG"), attr=method), args=[first, *_]
                ) if method in LOG_METHODS:
                    named = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                    for name in named:
                        assert isinstance(name, ast.Constant), f"{path}: an event name is no expression"
                        found.add(str(name.value))
    return found


def test_every_logged_event_is_registered_and_every_registered_one_is_logged() -> None:
    assert list_logged() | {"library.logged"} == set(EVENTS)


def test_readme_lists_every_log_event() -> None:
    assert read_table("## Logs") == {name: [meaning] for name, meaning in EVENTS.items()}


def test_readme_lists_every_span_and_what_spans_tell() -> None:
    listed = {name: cells[0] for name, cells in read_table("## Traces").items() if "OTEL_" not in name}

    assert listed == {str(name): meaning for name, meaning in SPANS.items()} | dict(ATTRIBUTES)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_event_names_are_a_noun_and_a_past_verb(name: str) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", name)


def test_readme_lists_every_metric() -> None:
    expected = {one.name: [", ".join(one.labels) or "-", one.text] for one in Metrics().descriptions}

    assert read_table("## Metrics") == expected


def test_changelog_begins_with_what_is_not_released_yet_or_the_present_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    first = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first[1] in ("Unreleased", version[1])
