"""Trial `faults`: all goes wrong at Graph's side while people act, then all must come right in time."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.trials.ground import LIMIT_S, Ground, Size, living, open_ground
from tests.trials.history import History

ALWAYS: Final = {"drop": 0.3, "duplicate": 0.3, "reorder": 0.3, "handshake": 0.8}
BURSTS: Final[tuple[dict[str, float], ...]] = (
    {},
    {},
    {"throttle": 0.5},
    {"unavailable": 0.5},
    {"throttle": 0.3, "unavailable": 0.3, "unauthorized": 0.1},
)
BURST_S: Final = 2.5


async def run(history: History, size: Size, place: Path) -> None:
    """Let everything go wrong for `size.seconds`."""
    async with open_ground(history, size, place) as ground:
        await ground.crowd.meet(size.meetings // 2, size=size.size)
        await ground.start_service()
        await ground.crowd.meet(size.meetings - size.meetings // 2, size=size.size)
        history.tell(f"{size.meetings} meetings in all are made, faults begin")
        async with living(ground):
            done = await _disturb(ground)
        await ground.stage.tenant.control("faults", {})
        history.tell(f"faults stop after {dict(done)}; {ground.crowd.given} answers were given")
        await ground.judge_all(await ground.settle(of="after the faults", limit_s=LIMIT_S))


async def _disturb(ground: Ground) -> Counter[str]:
    """Disturb Graph in bursts; gives how many of each mishap happened."""
    chance, done = random.Random(ground.size.seed), Counter[str]()
    end = time.monotonic() + ground.size.seconds
    while time.monotonic() < end:
        burst: dict[str, Any] = {
            **ALWAYS,
            **chance.choice(BURSTS),
            "remove_subscriptions": chance.randint(0, 4),
            "expire_delta": chance.randint(0, 10),
            "missed": chance.randint(0, 2),
        }
        answered = await ground.stage.tenant.control("faults", burst)
        done.update(answered["done"])
        ground.history.note(f"{burst}")
        await asyncio.sleep(BURST_S)
    return done
