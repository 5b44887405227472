"""The rules of the code's layout, read from the source by `ast`: who may import whom, sizes, names."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service"
LINES_MAX = 400
FUNCTION_LINES_MAX = 45
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "base", "core", "manager"}
PURE_FORBIDDEN = {"aiohttp", "redis", "msal", "requests", "asyncio", "os", "time"}
PURE_MODULES = {
    "entries.py",
    "roster.py",
    "cloud_events.py",
    "graph/payloads.py",
    "graph/requests.py",
    "graph/parse.py",
    "intake/notification.py",
    "pipeline/retry.py",
    "subscriptions/plan.py",
}
ISOLATED = ("graph", "streams", "intake")
SANDBOX_MAY_IMPORT = {"service.graph.payloads", "service.clock", "service.errors"}
FOREIGN_ERRORS = {"aiohttp": "graph", "redis": "streams", "msal": "graph"}


def list_modules(folder: Path = SERVICE) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def is_pure(path: Path) -> bool:
    name = path.relative_to(SERVICE).as_posix()
    return name.startswith("reconcile/") or name in PURE_MODULES or "no i/o" in _docstring(path).lower()


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def list_imports(path: Path) -> Iterator[str]:
    """Give every imported module, absolute, wherever in the file the import stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide who depends on whom"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


MODULES = list_modules()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_pure_modules_ask_nothing_of_the_outside(path: Path) -> None:
    if not is_pure(path):
        return
    taken = {name.split(".")[0] for name in list_imports(path)}
    assert not taken & PURE_FORBIDDEN


def test_every_module_that_is_said_to_be_pure_exists() -> None:
    assert {name for name in PURE_MODULES if not (SERVICE / name).is_file()} == set()


def test_reconcile_imports_nothing_from_the_rest_of_the_service() -> None:
    for path in list_modules(SERVICE / "reconcile"):
        foreign = {
            name
            for name in list_imports(path)
            if name.startswith("service") and not name.startswith("service.reconcile")
        }
        assert foreign - {"service"} == set(), name_of(path)


@pytest.mark.parametrize("package", ISOLATED)
def test_graph_streams_and_intake_do_not_know_one_another(package: str) -> None:
    others = tuple(f"service.{other}" for other in ISOLATED if other != package)
    for path in list_modules(SERVICE / package):
        foreign = {name for name in list_imports(path) if name.startswith(others)}
        assert foreign == set(), name_of(path)


def test_the_sandbox_cannot_share_a_mistake_with_the_parser() -> None:
    for path in list_modules(SERVICE / "sandbox"):
        foreign = {
            name
            for name in list_imports(path)
            if name.startswith("service.")
            and not name.startswith(("service.sandbox", *SANDBOX_MAY_IMPORT))
            and name != "service.graph"
        }
        assert foreign == set(), name_of(path)


def test_only_the_command_line_and_its_neighbours_import_settings() -> None:
    allowed = ("settings/", "commands/", "demo/", "bootstrap/", "limits.py", "logs.py")
    for path in MODULES:
        if not path.relative_to(SERVICE).as_posix().startswith(allowed):
            taken = {name for name in list_imports(path) if name.startswith("service.settings")}
            assert taken == set(), name_of(path)


def test_nobody_but_the_settings_reads_the_environment() -> None:
    for path in MODULES:
        # The probe is started every few seconds and may not load the settings' libraries for three values.
        if path.is_relative_to(SERVICE / "settings") or path.name == "probe.py":
            continue
        found = {
            node.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
        }
        assert found == set(), name_of(path)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_are_short_and_named_for_their_subject(path: Path) -> None:
    assert len(path.read_text().splitlines()) < LINES_MAX
    assert not set(path.relative_to(SERVICE).with_suffix("").parts) & FORBIDDEN_NAMES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_say_what_they_hold_and_functions_stay_short(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module opens with what it holds"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_prints_and_nothing_is_left_to_do(path: Path) -> None:
    tree = ast.parse(path.read_text())
    calls = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"print", "breakpoint", "input"}
    assert not re.search(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))", path.read_text())


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_cancellation_is_never_swallowed(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "BaseException"
            if re.search(r"\b(CancelledError|BaseException)\b", caught):
                raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                assert raises, f"line {node.lineno} catches {caught} and goes on"


def test_no_file_of_the_project_names_a_registry() -> None:
    pattern = re.compile(r"\b(docker\.io|ghcr\.io|quay\.io|gcr\.io|mcr\.microsoft\.com|pypi\.org|npmjs\.)")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    for name in listed:
        path = ROOT / name
        if path == Path(__file__) or not path.is_file():
            continue
        found = pattern.search(path.read_bytes().decode("utf-8", "replace"))
        assert found is None, f"{name} names {found[0] if found else ''}"
