"""The set-up script of Entra ID, with a stand-in for the Azure CLI that keeps what it is told."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from service.settings import Settings, setting_name

SCRIPT = Path(__file__).parents[2] / "deploy" / "entra" / "setup.sh"
AZ = """#!/bin/sh
echo "$*" >>"$AZ_LOG"
case "$*" in
"account show"*) echo tenant-1 ;;
"ad app list"*) [ ! -f "$AZ_LOG.made" ] || echo client-1 ;;
"ad app create"*) touch "$AZ_LOG.made"; echo client-1 ;;
"ad sp show --id client-1 --output none") [ -f "$AZ_LOG.principal" ] ;;
"ad sp create"*) touch "$AZ_LOG.principal" ;;
"ad sp show --id client-1"*) echo principal-1 ;;
"ad sp show --id 00000003"*) echo "$*" | sed "s/.*value=='\\([^']*\\)'.*/role-of-\\1/" ;;
esac
"""

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl on this machine")


class Setup:
    """Runs the script; `told` is what the Azure CLI was told since the last run."""

    def __init__(self, directory: Path) -> None:
        self.out = directory / "secrets"
        self._directory = directory
        self._log = directory / "az.log"
        az = directory / "az"
        az.write_text(AZ)
        az.chmod(0o700)

    def run(self, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        self._log.write_text("")
        environment = {"PATH": f"{self._directory}{os.pathsep}{os.environ['PATH']}", "AZ_LOG": str(self._log)}
        command = ["sh", str(SCRIPT), "--out", str(self.out), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return done, self._log.read_text().splitlines()


def list_granted(told: list[str]) -> list[str]:
    return [line.split("role-of-")[1].split("=")[0] for line in told if "permission add" in line]


def test_by_default_nothing_that_exchange_can_limit_is_consented_to(tmp_path: Path) -> None:
    done, told = Setup(tmp_path).run()
    assert done.returncode == 0, done.stderr
    assert list_granted(told) == ["User.Read.All"]
    assert any("admin-consent --id client-1" in line for line in told)
    assert "limit-mailboxes.ps1 -AppId client-1 -ObjectId principal-1" in done.stdout


def test_a_whole_tenant_is_opened_only_when_that_is_said(tmp_path: Path) -> None:
    done, told = Setup(tmp_path).run("--whole-tenant")
    assert done.returncode == 0, done.stderr
    assert list_granted(told) == ["User.Read.All", "Mail.Read", "Calendars.Read", "MailboxSettings.Read"]
    assert "every mailbox of the tenant" in done.stdout


def test_a_second_run_keeps_application_certificate_and_secret_key(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.run()
    before = {path.name: path.read_text() for path in setup.out.iterdir()}
    done, told = setup.run()
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_text() for path in setup.out.iterdir()} == before
    assert not [
        line for line in told if line.startswith(("ad app create", "ad sp create", "ad app credential"))
    ]


def test_what_it_writes_is_for_us_alone_and_what_the_service_takes(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.run()
    assert {stat.S_IMODE(path.stat().st_mode) for path in setup.out.iterdir()} == {0o600}
    settings = dict(line.split("=", 1) for line in (setup.out / "service.env").read_text().splitlines())
    assert settings.keys() <= {setting_name(name) for name in Settings.model_fields}
    assert len(settings["RESPONSE_SYNC_SECRET_KEY"]) == 64
    assert sorted(path.name for path in setup.out.iterdir()) == [
        "application.crt",
        "application.pem",
        "service.env",
    ]


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(["sh", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--out DIRECTORY" in done.stderr
    done, _ = Setup(tmp_path).run("--bogus")
    assert done.returncode == 2
