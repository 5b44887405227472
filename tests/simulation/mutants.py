"""Breaks the service in one place at a time and plays histories: `python -m tests.simulation.mutants`.

Prints for each mutant the first seed that notices it; ends with 1 where one is noticed by none. The mutants
are mistakes that people make in such services; the rules have their own command, `make mutate`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("service", "tests", "deploy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One mistake.

    Attributes:
        what: in words.
        file: below `service/`.
        right, wrong: a text that occurs once in the file, and what stands there instead.
    """

    what: str
    file: str
    right: str
    wrong: str


MUTANTS: Final = (
    Mutant(
        what="a commit does not look at the version",
        file="streams/scripts/commit.lua",
        right="if version ~= expected_version then",
        wrong="if false then",
    ),
    Mutant(
        what="a commit does not look for the generation",
        file="streams/scripts/commit.lua",
        right="if redis.call('EXISTS', generation) == 0 then",
        wrong="if false then",
    ),
    Mutant(
        what="an entry is acknowledged before it is processed",
        file="pipeline/worker.py",
        right="            processed = await self._processor.process(entry, fetched, behind=behind)\n",
        wrong="            await self._intake.acknowledge([job.delivered.id])\n"
        "            processed = await self._processor.process(entry, fetched, behind=behind)\n",
    ),
    Mutant(
        what="what a dead worker had in its hands is not taken over",
        file="pipeline/worker.py",
        right="_take_all([delivered for delivered in taken if delivered.id not in self._taken])",
        wrong="_take_all([])",
    ),
    Mutant(
        what="nothing is read after a subscription was made again",
        file="subscriptions/subscribing.py",
        right="            await self._follow_creation(name, resource, before)\n",
        wrong="            pass\n",
    ),
    Mutant(
        what="what consumers hold is not written down",
        file="reconcile/decide.py",
        right="            told=told,\n",
        wrong="            told=state.told,\n",
    ),
    Mutant(
        what="a keeper writes though another holds the lease",
        file="streams/scripts/change_records.lua",
        right="if ARGV[1] ~= '' and redis.call('GET', KEYS[3]) ~= ARGV[1] then",
        wrong="if false then",
    ),
    Mutant(
        what="what came due leaves the list before it is on the stream",
        file="streams/due_list.py",
        right="        await append([",
        wrong="        await self._link.run(_DROP_DUE, [due, due_entries], [again, *taken[::2]])\n"
        "        await append([",
    ),
    Mutant(
        what="a meeting that an answer made known is not looked at again",
        file="pipeline/process.py",
        right="                look_again=_made_known(found or ()),\n",
        wrong="",
    ),
    Mutant(
        what="work that was begun before an owner was removed is committed",
        file="streams/scripts/commit.lua",
        right="if string.find(redis.call('GET', forgotten) or '', '^forgotten ') then",
        wrong="if false then",
    ),
    Mutant(
        what="an epoch may come twice",
        file="streams/scripts/commit.lua",
        right="tonumber(held[2] or math.max(now, newest + 1))",
        wrong="tonumber(held[2] or 1)",
    ),
    Mutant(
        what="the end of a meeting that only its calendar's silence tells of is not looked for",
        file="pipeline/process.py",
        right="        facts = await self._calendar.look_for_missing(owner, meeting, instance)\n",
        wrong="        facts: list[Fact] = []\n",
    ),
)


def main() -> int:
    options = _read_options()
    found = [_try(mutant, options) for mutant in MUTANTS if options.only in mutant.what]
    return 0 if all(found) else 1


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("--first", type=int, default=1, help="seed of the first history (default 1)")
    parser.add_argument("--seeds", type=int, default=200, help="how many histories at most (default 200)")
    parser.add_argument("--step", type=int, default=10, help="how many before it is asked (default 10)")
    parser.add_argument("--only", default="", help="mutants whose description holds this")
    return parser.parse_args()


def _try(mutant: Mutant, options: argparse.Namespace) -> bool:
    """Play with one mistake until a seed notices; tells whether one did."""
    with TemporaryDirectory() as place:
        for name in COPIED:
            copytree(ROOT / name, Path(place) / name, ignore=ignore_patterns("__pycache__", "node_modules"))
        file = Path(place) / "service" / mutant.file
        file.write_text(mutate(mutant, file.read_text()))
        for first in range(options.first, options.first + options.seeds, options.step):
            if complaint := _play(Path(place), first, options.step):
                _say(f"{mutant.what}: {complaint}")
                return True
    _say(f"{mutant.what}: NOT NOTICED by {options.seeds} histories from seed {options.first} on")
    return False


def mutate(mutant: Mutant, source: str) -> str:
    """Give the source with the mistake in it.

    Raises:
        ValueError: the right text does not occur exactly once.
    """
    if source.count(mutant.right) != 1:
        raise ValueError(f"{mutant.file} does not hold once: {mutant.right}")
    return source.replace(mutant.right, mutant.wrong)


def _play(place: Path, first: int, count: int) -> str:
    """Play some histories on the copy; gives the first complaint, or nothing."""
    command = [sys.executable, "-m", "tests.simulation", "--processes", "1"]
    ended = subprocess.run(
        [*command, "--first", str(first), "--seeds", str(count)],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode == 0:
        return ""
    told = [line for line in ended.stdout.splitlines() if line.startswith("seed ")]
    return told[0][:200] if told else f"it did not start: {ended.stderr[-300:]}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
