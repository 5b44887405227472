"""The rules of the code's layout, read from the source by `ast`: who may import whom, sizes, names."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service"
LINES_MAX = 400
FUNCTION_LINES_MAX = 45
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "base", "core", "manager"}
PURE_FORBIDDEN = {"aiohttp", "redis", "msal", "requests", "asyncio", "os", "time"}
PURE_PATTERNS = (
    "reconcile/*.py",
    "entries.py",
    "roster.py",
    "roster_file.py",
    "cloud_events.py",
    "graph/payloads.py",
    "graph/requests.py",
    "graph/subscription_requests.py",
    "graph/parse_*.py",
    "intake/notification.py",
    "pipeline/retry.py",
    "pipeline/lanes.py",
    "streams/keys.py",
    "subscriptions/plan.py",
    "subscriptions/faults.py",
)
ISOLATED = ("graph", "streams", "intake")
SANDBOX_MAY_IMPORT = ("service.sandbox", "service.graph.payloads", "service.clock", "service.errors")
SETTINGS_READERS = ("settings/", "commands/", "demo/", "bootstrap/", "limits/", "logs.py")
BUILT_IN = re.compile(r"(dict|list|tuple|str|int)\b")
REGISTRIES = re.compile(r"\b(docker\.io|ghcr\.io|quay\.io|gcr\.io|mcr\.microsoft\.com|pypi\.org|npmjs\.)")


@dataclass(frozen=True)
class Module:
    """A source file of the service.

    Attributes:
        name: path below `service/`.
    """

    name: str
    text: str
    tree: ast.Module

    @property
    def docstring(self) -> str:
        return ast.get_docstring(self.tree) or ""

    @property
    def is_pure(self) -> bool:
        says_so = re.search(r"\b(no I/O|Pure)\b", self.docstring, re.IGNORECASE) is not None
        return says_so or any(Path(self.name).match(pattern) for pattern in PURE_PATTERNS)

    def imports(self) -> Iterator[str]:
        """Give every imported module and member, wherever in the file the import stands."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield f"{'.' * node.level}{node.module or ''}"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def list_modules() -> tuple[Module, ...]:
    found = []
    for path in sorted(SERVICE.rglob("*.py")):
        text = path.read_text()
        found.append(Module(path.relative_to(SERVICE).as_posix(), text, ast.parse(text)))
    return tuple(found)


def find_imports(folder: str, is_wrong: Callable[[str], bool]) -> list[str]:
    """Give the wrong imports of all modules below a folder, each with its module."""
    return [
        f"{module.name} imports {name}"
        for module in list_modules()
        if module.name.startswith(folder)
        for name in module.imports()
        if is_wrong(name)
    ]


def test_imports_say_from_where() -> None:
    assert find_imports("", lambda name: name.startswith(".")) == []


def test_pure_modules_ask_nothing_of_the_outside() -> None:
    wrong = [
        f"{module.name} imports {name}"
        for module in list_modules()
        if module.is_pure
        for name in module.imports()
        if name.split(".")[0] in PURE_FORBIDDEN
    ]
    assert wrong == []


def test_every_pattern_of_pure_modules_finds_one() -> None:
    names = [Path(module.name) for module in list_modules()]
    assert [one for one in PURE_PATTERNS if not any(name.match(one) for name in names)] == []


def test_reconcile_imports_nothing_from_the_rest_of_the_service() -> None:
    assert (
        find_imports(
            "reconcile/",
            lambda name: name.startswith("service.") and not name.startswith("service.reconcile"),
        )
        == []
    )


def test_graph_streams_and_intake_do_not_know_one_another() -> None:
    for package in ISOLATED:
        others = tuple(f"service.{other}" for other in ISOLATED if other != package)
        assert find_imports(f"{package}/", lambda name, others=others: name.startswith(others)) == []  # type: ignore[misc]


def test_the_loops_see_graph_and_redis_through_ports_only() -> None:
    for package in ("pipeline/", "subscriptions/"):
        assert find_imports(package, lambda name: name.startswith(("service.graph", "service.streams"))) == []


def test_the_sandbox_cannot_share_a_mistake_with_the_parser() -> None:
    assert (
        find_imports(
            "sandbox/",
            lambda name: (
                name.startswith("service.")
                and not name.startswith(SANDBOX_MAY_IMPORT)
                and name != "service.graph"
            ),
        )
        == []
    )


def test_only_the_command_line_and_its_neighbours_import_settings() -> None:
    wrong = find_imports("", lambda name: name.startswith("service.settings"))
    assert [one for one in wrong if not one.startswith(SETTINGS_READERS)] == []


def test_nobody_but_the_settings_reads_the_environment() -> None:
    # The probe is started every few seconds and may not load the settings' libraries for three values.
    wrong = [
        module.name
        for module in list_modules()
        if not module.name.startswith("settings/") and module.name != "probe.py"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    ]
    assert wrong == []


def test_files_are_short_and_named_for_their_subject() -> None:
    sizes = {module.name: len(module.text.splitlines()) for module in list_modules()}
    assert {name: size for name, size in sizes.items() if size > LINES_MAX} == {}
    parts = {part for module in list_modules() for part in Path(module.name).with_suffix("").parts}
    assert parts & FORBIDDEN_NAMES == set()


def test_every_module_opens_with_what_it_holds() -> None:
    assert [module.name for module in list_modules() if not module.docstring] == []


def list_functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for module in list_modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module.name}: {node.name}", node


def test_functions_stay_short() -> None:
    wrong = []
    for name, node in list_functions():
        body = node.body[1:] if ast.get_docstring(node) else node.body
        lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
        if lines > FUNCTION_LINES_MAX:
            wrong.append(f"{name} has {lines} lines")
    assert wrong == []


def test_nothing_prints_and_nothing_is_left_to_do() -> None:
    wrong = []
    for module in list_modules():
        for node in ast.walk(module.tree):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and called in ("print", "breakpoint", "input"):
                wrong.append(f"{module.name}:{node.lineno} calls {called}")
        if re.search(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))", module.text):
            wrong.append(f"{module.name} has something left to do")
    assert wrong == []


def test_cancellation_is_never_swallowed() -> None:
    wrong = []
    for module in list_modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = ast.unparse(node.type) if node.type else "BaseException"
            goes_on = not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            if goes_on and re.search(r"\b(CancelledError|BaseException)\b", caught):
                wrong.append(f"{module.name}:{node.lineno} catches {caught} and goes on")
    assert wrong == []


def test_decoders_of_our_types_are_made_with_their_module() -> None:
    """Two threads that meet a dataclass for the first time at once, of which one would decode by a picture
    that the other has not finished, end the process (msgspec 0.22, `fields` without types).
    """
    wrong = []
    for module in list_modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("json.decode"):
                types = [ast.unparse(one.value) for one in node.keywords if one.arg == "type"]
                wrong += [f"{module.name}:{node.lineno}" for one in types if not BUILT_IN.match(one)]
    assert wrong == []


def test_no_file_of_the_project_names_a_registry() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    wrong = []
    for name in listed:
        path = ROOT / name
        if path != Path(__file__) and path.is_file():
            found = REGISTRIES.search(path.read_bytes().decode("utf-8", "replace"))
            wrong += [f"{name} names {found[0]}"] if found else []
    assert wrong == []
