"""The constraints file pins with digests what pyproject.toml declares with ranges, and names no host."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "deploy" / "constraints.txt").read_text()
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def read_pins() -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in PIN.findall(TEXT)}


def read_declared() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    traced = project["optional-dependencies"]["otel"]  # an image that is built from it can send traces
    return [Requirement(one) for one in (*project["dependencies"], *traced)]


def test_every_declared_package_has_a_lower_bound_and_is_pinned_within_its_range() -> None:
    pins = read_pins()
    for declared in read_declared():
        assert any(one.operator in (">=", "==", "~=") for one in declared.specifier), declared
        assert declared.specifier.contains(pins[canonicalize_name(declared.name)]), declared


def test_every_pin_has_digests() -> None:
    blocks = re.split(r"^(?=[A-Za-z0-9._-]+==)", TEXT, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(read_pins())
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)


def test_no_host_and_no_option_says_where_packages_come_from() -> None:
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    assert not [line for line in lines if "://" in line or " @ " in line or line.startswith("-")]


def test_the_image_installs_what_is_pinned() -> None:
    assert "--require-hashes -r deploy/constraints.txt" in (ROOT / "deploy" / "Dockerfile").read_text()
