"""Tries every mutant of the rules, several at a time, and lists those that no test notices.

`python -m tests.mutation [--only attendee.py ..] [--jobs 2] [--list]`; exit 1 when a mutant survives that
`equivalent.py` does not account for. All are tried with the quick tests; those that survive also with the
laws over generated histories (not with `--quick`). Tests that go on beyond the limit have noticed too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.mutants import Mutant, list_mutants
from tests.mutation.trial import Trial, start_trial

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "service" / "reconcile"
FILES = (
    "attendee.py",
    "counting.py",
    "decide.py",
    "derive.py",
    "emit.py",
    "facts.py",
    "journal.py",
    "matching.py",
    "notified.py",
    "persons.py",
    "places.py",
    "rules.py",
    "told.py",
)
LIMIT_S = 300.0
TOLD_EVERY = 50


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutant that was tried; `is_noticed` where a test failed or did not end."""

    file: str
    mutant: Mutant
    is_noticed: bool

    @property
    def name(self) -> str:
        return f"{self.file}: {self.mutant.what}"

    @property
    def is_open(self) -> bool:
        """Tell whether it must still be noticed, or accounted for."""
        return not self.is_noticed and self.name not in EQUIVALENT


def main() -> int:
    """Try all; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=FILES, choices=FILES)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--list", action="store_true", help="only list the mutants")
    parser.add_argument("--quick", action="store_true", help="leave the laws out")
    options = parser.parse_args()
    mutants = [(file, each) for file in options.only for each in list_mutants((PLACE / file).read_text())]
    if options.list:
        _say(*(f"{file}:{mutant.line}: {mutant.what}" for file, mutant in mutants))
        return 0
    tried = list(_try_all(mutants, options.jobs, with_laws=False))
    if not options.quick:
        survivors = [(each.file, each.mutant) for each in tried if each.is_open]
        _say(f"{len(survivors)} survive the quick tests; now the laws.")
        noticed = {each.name for each in _try_all(survivors, options.jobs, with_laws=True) if each.is_noticed}
        tried = [replace(each, is_noticed=each.is_noticed or each.name in noticed) for each in tried]
    return _sum_up(tried)


def _try_all(mutants: list[tuple[str, Mutant]], jobs: int, *, with_laws: bool) -> Iterator[Tried]:
    """Keep so many trials running; gives them as they end."""
    waiting, count = mutants[::-1], 0
    running: list[tuple[Trial, str, Mutant]] = []
    while waiting or running:
        while waiting and len(running) < jobs:
            file, mutant = waiting.pop()
            module = f"service.reconcile.{file.removesuffix('.py')}"
            trial = start_trial(module, mutant.source, ROOT, with_laws=with_laws, limit_s=LIMIT_S)
            running.append((trial, file, mutant))
        for each in [each for each in running if each[0].is_over()]:
            running.remove(each)
            count += 1
            yield _tell(Tried(each[1], each[2], each[0].is_noticed()), count, len(mutants))
        time.sleep(0.02)


def _tell(tried: Tried, count: int, total: int) -> Tried:
    if tried.is_open:
        _say(f"SURVIVES {tried.file}:{tried.mutant.line}: {tried.mutant.what}")
    if count % TOLD_EVERY == 0:
        _say(f"{count} of {total} tried")
    return tried


def _sum_up(tried: list[Tried]) -> int:
    survivors = [each for each in tried if not each.is_noticed]
    unexplained = [each for each in survivors if each.name not in EQUIVALENT]
    noticed_after_all = {each.name for each in tried if each.is_noticed}
    files = {each.file for each in tried}
    wrong = [
        name
        for name in EQUIVALENT
        if name.partition(":")[0] in files and name not in {each.name for each in survivors}
    ]
    _say(
        f"{len(tried)} mutants, {len(tried) - len(survivors)} noticed by a test, "
        f"{len(survivors) - len(unexplained)} equivalent, {len(unexplained)} survived."
    )
    for name in wrong:
        _say(f"{'Noticed' if name in noticed_after_all else 'No such mutant'}, but called equivalent: {name}")
    return 1 if unexplained or wrong else 0


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
