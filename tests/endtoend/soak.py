"""Plays meetings from new seeds, with deaths and faults of Graph, until time is up or something is wrong.

    python -m tests.endtoend.soak --minutes 10 [--seed N]

Each round has a stage of its own, with the service's default waits but for the sweeps. A failure names its
seed and leaves the stage's directory, with all logs and the update stream, where it says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.endtoend.stage import ROLES, Stage, open_stage
from tests.endtoend.test_deaths import play_meetings_with_deaths

FAULTS = (
    {"duplicate": 0.3, "reorder": 0.3},
    {"duplicate": 0.1, "reorder": 0.2, "throttle": 0.2, "unavailable": 0.2, "unauthorized": 0.1},
    {"drop": 0.3, "reorder": 0.3, "unavailable": 0.1},
    {"drop": 0.6, "duplicate": 0.2, "throttle": 0.1},
)
BELIEFS: tuple[dict[str, bool], ...] = (
    {},
    {"event_before_message": True},
    {"event_before_message": False},
    {"received_representing": True},
)
SWEEPS = {"RESPONSE_SYNC_SWEEP_INTERVAL_S": "10"}
DEATHS_MAX = 6


def say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def choose_victims(chance: random.Random) -> Sequence[Sequence[str]]:
    """Choose who dies, one after the other; the worker most often."""
    dying = (("worker",), ("worker",), ("worker",), ("web",), ("keeper",), ("worker", "web"), ROLES)
    return chance.choices(dying, k=chance.randint(1, DEATHS_MAX))


async def play(seed: int, directory: Path) -> None:
    """Play one round; all that is random in it comes from the seed, but for the timing."""
    chance = random.Random(seed)
    victims, faults = choose_victims(chance), chance.choice(FAULTS)
    beliefs = chance.choice(BELIEFS)
    say(f"seed {seed}: {['+'.join(one) for one in victims]}, {faults}, {beliefs}")
    async with open_stage(directory, **SWEEPS) as stage:
        try:
            await stage.start_ready(*ROLES)
            if chance.random() < 0.5:
                await stage.start("worker", name="other")
            await stage.tenant.control("beliefs", beliefs)
            await play_meetings_with_deaths(stage, seed, victims=victims, faults=faults, timeout_s=120)
        except BaseException:
            await _keep_stream(stage)
            raise


async def _keep_stream(stage: Stage) -> None:
    entries = await stage.read_stream()
    (stage.directory / "stream.json").write_text(json.dumps(entries, indent=1))


async def soak(minutes: float, seed: int | None) -> None:
    end = time.monotonic() + minutes * 60
    rounds = 0
    while rounds == 0 or time.monotonic() < end:
        chosen = seed if seed is not None else random.SystemRandom().randrange(1 << 32)
        directory = Path(tempfile.mkdtemp(prefix="soak-"))
        try:
            await play(chosen, directory)
        except BaseException:
            say(f"seed {chosen} failed; see {directory}")
            raise
        rounds += 1
        await asyncio.to_thread(_remove, directory)
    say(f"{rounds} rounds, nothing wrong")


def _remove(directory: Path) -> None:
    for path in sorted(directory.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    directory.rmdir()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    asyncio.run(soak(arguments.minutes, arguments.seed))
