"""What shellcheck, hadolint, systemd and Kubernetes' schemas say of `deploy/`; each skips where it lacks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.tools import find_tool

ROOT = Path(__file__).parents[2]
SCRIPTS = [
    *sorted((ROOT / "deploy").rglob("*.sh")),
    ROOT / ".ci" / "run",
    ROOT / ".ci" / "check",
]
EXPOSURE_MAX = 2.0
"""As `systemd-analyze security` counts it, 0 to 10; below 2 it says OK."""


def run(tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    found = find_tool(tool)
    if found is None:
        pytest.skip(f"there is no {tool} on this machine; see `make deploy-tools`")
    return subprocess.run([found, *arguments], capture_output=True, text=True, check=False)


def test_shellcheck_finds_no_fault() -> None:
    done = run("shellcheck", "--severity=warning", "--external-sources", *SCRIPTS)
    assert done.returncode == 0, done.stdout


def test_hadolint_finds_no_fault() -> None:
    done = run("hadolint", ROOT / "deploy" / "Dockerfile")
    assert done.returncode == 0, done.stdout


def test_systemd_takes_the_units_and_finds_them_closed(tmp_path: Path) -> None:
    """The program is replaced by one that is here: `verify` looks for it."""
    units = []
    for unit in sorted((ROOT / "deploy" / "systemd").glob("*.service")):
        text = unit.read_text().replace("/opt/response-sync/bin/response-sync", "/bin/true")
        units.append(tmp_path / unit.name)
        units[-1].write_text(text)
    assert len(units) == 3
    done = run("systemd-analyze", "verify", *units)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = run(
        "systemd-analyze", "security", "--offline=true", f"--threshold={int(EXPOSURE_MAX * 10)}", *units
    )
    assert done.returncode == 0, done.stdout


def test_kubernetes_takes_the_plain_manifest() -> None:
    manifest = ROOT / "deploy" / "kubernetes.yaml"
    for version in ("1.29.0", "1.37.0"):
        done = run("kubernetes-validate", "--strict", "--kubernetes-version", version, manifest)
        assert done.returncode == 0, done.stdout + done.stderr
