"""Plays histories: `python -m tests.simulation --seeds 1000`, or one alone: `--seed 17`.

Prints the story of each that did not come right, with its seed; ends with 1 where there was one.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.simulation.stage import open_stage

_SEEDS_OF_ONE_RUN = 1_000_000


def main() -> int:
    options = _read_options()
    if options.seed is not None:
        return _play([options.seed])
    first = int(time.time()) * _SEEDS_OF_ONE_RUN % 10**12 if options.first is None else options.first
    seeds = range(first, first + options.seeds)
    if options.processes == 1:
        return _play(seeds)
    began = time.monotonic()
    failed = _play_side_by_side(seeds, options.processes)
    _say(f"{len(seeds)} histories from seed {first} on, in {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many histories (default 100)")
    parser.add_argument("--first", type=int, help="seed of the first of them (default: by the clock)")
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time (default 2)")
    return parser.parse_args()


def _play(seeds: Sequence[int]) -> int:
    failures = 0
    # What was imported is never garbage, and looking for garbage costs a twentieth of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with open_stage() as stage:
        for seed in seeds:
            if story := stage.try_seed(seed):
                failures += 1
                _say(f"{story}\n")
    _say(f"{len(seeds)} played, {failures} failed")
    return 1 if failures else 0


def _play_side_by_side(seeds: range, processes: int) -> bool:
    """Share the seeds out among processes; tells whether any failed."""
    shares = [
        seeds[at * len(seeds) // processes : (at + 1) * len(seeds) // processes] for at in range(processes)
    ]
    command = [sys.executable, "-m", "tests.simulation", "--processes", "1"]
    children = [
        subprocess.Popen([*command, "--first", str(share.start), "--seeds", str(len(share))])
        for share in shares
        if share
    ]
    return max(child.wait() for child in children) > 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
