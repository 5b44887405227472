"""The attacker as a process of its own: attacks without a pause for a while, then tells what was answered.

Prints one line of JSON: how often each attack was made, and each status. Ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
from collections import Counter

from tests.attack.hostile import ATTACKS, Outsider


async def attack(
    outsider: Outsider, *, seconds: float, at_once: int, pause_s: float
) -> dict[str, Counter[str]]:
    """Let some attackers at once choose one attack after another until the time is over."""
    made: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds

    async def go_on() -> None:
        while loop.time() < end:
            name = outsider.chance.choice(list(ATTACKS))
            made[name] += 1
            try:
                statuses.update(str(status) for status in await ATTACKS[name](outsider))
            except (OSError, TimeoutError) as error:
                statuses[type(error).__name__] += 1
            await asyncio.sleep(outsider.chance.expovariate(1 / pause_s))

    await asyncio.gather(*(go_on() for _ in range(at_once)))
    return {"made": made, "statuses": statuses}


def main() -> None:
    """Read the command line and attack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--calendar-state", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--pause-s", type=float, default=0.1)
    given = parser.parse_args()
    os.nice(10)  # an outsider has a machine of their own, and takes none of our processor's time
    outsider = Outsider(
        port=given.port,
        tenant=given.tenant,
        calendar_state=given.calendar_state,
        chance=random.Random(given.seed),
    )
    told = asyncio.run(attack(outsider, seconds=given.seconds, at_once=given.at_once, pause_s=given.pause_s))
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
