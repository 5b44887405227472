"""Runs the trials, each on a ground of its own; exit code 1 where a promise was broken.

    python -m tests.trials [NAME ...] [--seed N] [--owners N] [--meetings N] [--seconds N]

A trial that fails prints its history and leaves its directory, with all logs and the update stream.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from tests.trials import deaths, faults, leaders, losses, stopped
from tests.trials.ground import Size
from tests.trials.history import History

Trial = Callable[[History, Size, Path], Coroutine[Any, Any, None]]
TRIALS: Final[dict[str, tuple[Trial, Size]]] = {
    "faults": (faults.run, Size(seconds=90)),
    "stopped": (stopped.run, Size(owners=6, meetings=24)),
    "flushed": (losses.flushed, Size(seconds=15)),
    "emptied": (losses.emptied, Size(seconds=15)),
    "restored": (losses.restored, Size(seconds=15)),
    "restored-rdb": (losses.restored_rdb, Size(seconds=15)),
    "leaders": (leaders.run, Size(meetings=40, seconds=60)),
    "deaths": (deaths.run, Size(seconds=60)),
}


def run_trial(name: str, size: Size) -> bool:
    """Run one trial; tells whether every promise held."""
    history, place = History(name), Path(tempfile.mkdtemp(prefix=f"trial-{name}-"))
    try:
        asyncio.run(TRIALS[name][0](history, size, place))
    except Exception as error:  # whatever it is, the next trial has its turn
        sys.stdout.write("\n".join(history.lines) + "\n")
        history.tell(f"FAILED, see {place}: {type(error).__name__}: {error}")
        return False
    history.tell("held")
    shutil.rmtree(place)
    return True


def parse_arguments() -> tuple[list[str], dict[str, int | float]]:
    """Read the command line; gives the names of trials, and what is to differ from their sizes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TRIALS))
    for one in fields(Size):
        parser.add_argument(f"--{one.name}", type=float if one.name == "seconds" else int)
    given = vars(parser.parse_args())
    names = given.pop("names") or list(TRIALS)
    if unknown := sorted(set(names) - set(TRIALS)):
        parser.error(f"there is no trial {', '.join(unknown)}; there are {', '.join(TRIALS)}")
    return names, {name: value for name, value in given.items() if value is not None}


def main() -> int:
    """Run the trials that were named, all by default; gives the exit code."""
    names, changes = parse_arguments()
    failed = [name for name in names if not run_trial(name, replace(TRIALS[name][1], **changes))]  # type: ignore[arg-type]
    sys.stdout.write(f"{json.dumps({'trials': names, 'failed': failed})}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
