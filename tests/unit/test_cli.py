"""The command line: what each command says of itself, and the exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli import COMMANDS, app
from service.settings import Settings, setting_name
from tests.unit.test_docs import list_commands

FULL_NAMES = sorted(list_commands())
NEED_EVERYTHING = [["check"], ["web"], ["worker"], ["keeper"], ["serve"], ["subscriptions", "list"]]
REQUIRED = [
    "RESPONSE_SYNC_TENANT_ID",
    "RESPONSE_SYNC_CLIENT_ID",
    "RESPONSE_SYNC_CLIENT_SECRET",
    "RESPONSE_SYNC_PUBLIC_URL",
    "RESPONSE_SYNC_SECRET_KEY",
    "REDIS_URL",
]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(setting_name(field), raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("command", FULL_NAMES)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = run(*command.split(), "--help")

    assert result.exit_code == 0
    assert f"Example: response-sync {command}" in result.stdout.replace("PORT=8080 ", "")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_list_of_commands_says_of_each_what_it_says_of_itself(name: str) -> None:
    listed = COMMANDS[name]
    assert listed.load(name).help.splitlines()[0] == listed.summary


def test_what_the_plain_installation_lacks_is_named_with_its_remedy() -> None:
    script = (
        "import sys; sys.modules['trustme'] = None; from typer.testing import CliRunner; "
        "from service.cli import app; done = CliRunner().invoke(app, ['sandbox']); "
        "print(done.exit_code, done.stderr); CliRunner().invoke(app, ['tail']); "
        "import service.commands.roles, service.commands.demo"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.startswith("1 `sandbox` needs the package trustme"), done
    assert "[demo]" in done.stdout
    assert not done.stderr


def test_the_list_of_commands_imports_none_of_them() -> None:
    heavy = "{'aiohttp', 'redis', 'msal', 'pydantic', 'structlog', 'service.settings', 'service.bootstrap'}"
    script = (
        "import sys; from typer.testing import CliRunner; from service.cli import app; "
        "assert 'tail' in CliRunner().invoke(app, ['--help']).stdout; "
        f"assert not {heavy} & sys.modules.keys()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arguments", NEED_EVERYTHING, ids=" ".join)
def test_without_settings_every_one_that_is_missing_is_named_at_once(arguments: list[str]) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    said = result.stdout + result.stderr
    for name in REQUIRED:
        assert name in said


@pytest.mark.parametrize("arguments", [["owners", "list"], ["tail"], ["snapshot"], ["show", "a@b.c"]])
def test_reading_what_is_in_redis_needs_redis_alone(arguments: list[str]) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert "REDIS_URL is missing" in result.stderr
    assert "TENANT_ID" not in result.stderr


def test_check_gives_settings_faults_as_json_too() -> None:
    result = run("check", "--json")

    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert found["ok"] is False
    assert [one["subject"] for one in found["findings"]] == REQUIRED
    assert all(one["state"] == "fault" and one["remedy"] for one in found["findings"])


def test_serve_with_a_server_of_its_own_needs_neither_redis_nor_a_key() -> None:
    result = run("serve", "--embedded")

    assert result.exit_code == 2
    assert "RESPONSE_SYNC_TENANT_ID" in result.stderr
    assert "REDIS_URL" not in result.stderr
    assert "SECRET_KEY" not in result.stderr


def test_the_package_runs_as_the_command_does(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service", "no-such-command"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2
    assert "no-such-command" in done.stderr
    assert "Traceback" not in done.stderr
