"""Trial `deaths`: workers are killed at random moments while answers flow; the stream shows nothing of it."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Final

from tests.trials.ground import Ground, Size, living, open_ground
from tests.trials.history import History

WORKERS: Final = ("worker", "worker-2")
PAUSE_S: Final = 0.4
HANDS_FULL: Final = 250
BETWEEN_S: Final = (0.5, 6.0)
QUICK: Final = {
    "RESPONSE_SYNC_CLAIM_IDLE_S": "2",
    "RESPONSE_SYNC_CLAIM_INTERVAL_S": "0.5",
}


async def run(history: History, size: Size, place: Path) -> None:
    """Kill one of two workers again and again for `size.seconds`."""
    async with open_ground(history, size, place, more_processes=WORKERS[1:], changes=QUICK) as ground:
        await ground.crowd.meet(size.meetings, size=size.size)
        await ground.start_service()
        await ground.stage.start("worker", name=WORKERS[1])
        async with living(ground, pause_s=PAUSE_S, waiting_max=HANDS_FULL):
            deaths = await _kill_workers(ground)
        history.tell(f"{deaths} workers were killed; {ground.crowd.given} answers were given")
        await ground.judge_all(await ground.settle(of="after the last death"))


async def _kill_workers(ground: Ground) -> int:
    chance, deaths = random.Random(ground.size.seed), 0
    end = time.monotonic() + ground.size.seconds
    while time.monotonic() < end:
        await asyncio.sleep(chance.uniform(*BETWEEN_S))
        name = chance.choice(WORKERS)
        waiting = await ground.stage.count_waiting()
        await ground.stage.running[name].kill()
        ground.history.note(f"{name} is killed with {waiting} entries waiting")
        await ground.stage.start("worker", name=name)
        deaths += 1
    return deaths
