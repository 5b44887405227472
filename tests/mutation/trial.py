"""One mutant against the tests, in a process of its own. Writes no file: the mutant is imported from memory.

The process is forked with the libraries already loaded, but none of the code under test.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from multiprocessing.context import ForkContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

import hypothesis.strategies
import msgspec
import pytest

LOADED = (hypothesis.strategies, msgspec, pytest)
PLACE = "tests/unit/reconcile"
LAWS = ("test_laws.py", "test_promises.py")
DRAWN = "test_rules_page.py"  # it would notice any change of the table, right or wrong
FIRST = ("test_story.py", "test_rules.py", "test_journal.py", "test_explain.py")
LAW_EXAMPLES = "60"
OPTIONS = ("-q", "-x", "--assert=plain", "-p", "no:cacheprovider", "--no-header", "--no-summary")
_FORK: ForkContext = multiprocessing.get_context("fork")


class Trial:
    """A mutant that is being tried; over the limit it is ended, and counts as noticed."""

    def __init__(self, process: BaseProcess, limit_s: float) -> None:
        self._process = process
        self._until = time.monotonic() + limit_s

    def is_over(self) -> bool:
        """Tell whether the tests have ended, by themselves or by the limit."""
        if self._process.is_alive() and time.monotonic() > self._until:
            self._process.kill()
            self._process.join()
        return not self._process.is_alive()

    def is_noticed(self) -> bool:
        """Tell whether a test failed; asked once the trial is over."""
        return self._process.exitcode != 0


def start_trial(module: str, source: str, root: Path, *, with_laws: bool, limit_s: float) -> Trial:
    """Run the quick tests, or the laws, with this source in the place of the module."""
    process = _FORK.Process(target=_run, args=(module, source, root, with_laws))
    process.start()
    return Trial(process, limit_s)


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds one module in memory."""

    def __init__(self, name: str, source: str) -> None:
        self._name = name
        self._source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def get_source(self, fullname: str) -> str:
        return self._source


def _run(module: str, source: str, root: Path, with_laws: bool) -> None:
    loaded = [name for name in sys.modules if name.startswith(("service", "tests.unit", "tests.reference"))]
    assert not loaded, f"{loaded} would hide the mutant"
    sys.meta_path.insert(0, _Mutated(module, source))
    os.chdir(root)
    os.environ["LAW_EXAMPLES"] = LAW_EXAMPLES
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    chosen = LAWS if with_laws else _list_quick(root)
    os._exit(int(pytest.main([*OPTIONS, *(f"{PLACE}/{name}" for name in chosen)])))


def _list_quick(root: Path) -> list[str]:
    """Give the files of quick tests, those that notice most first."""
    found = sorted(each.name for each in (root / PLACE).glob("test_*.py"))
    return [*FIRST, *(name for name in found if name not in (*FIRST, *LAWS, DRAWN))]
