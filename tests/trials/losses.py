"""Trials `flushed`, `emptied`, `restored`: Redis loses everything, or goes back in time, while people act.

The service must notice by itself: a new generation under higher epochs, and no subscription doubled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

from tests.trials import judge
from tests.trials.ground import Ground, Size, living, open_ground
from tests.trials.history import History

DOWN_S: Final = 2.0
BEFORE_S: Final = 10.0


async def _flush(ground: Ground) -> None:
    await ground.stage.redis.flushall()


async def _empty(ground: Ground) -> None:
    await ground.redis.kill()
    await asyncio.sleep(DOWN_S)
    ground.redis.lose_everything()
    await ground.redis.start()


async def _go_back(ground: Ground) -> None:
    await ground.redis.kill()
    await asyncio.sleep(DOWN_S)
    ground.redis.go_back()
    await ground.redis.start()


async def _run(
    lose: Callable[[Ground], Awaitable[None]],
    history: History,
    size: Size,
    place: Path,
    *,
    is_append_only: bool = True,
) -> None:
    async with open_ground(history, size, place, may_end=False, is_append_only=is_append_only) as ground:
        await ground.crowd.meet(size.meetings, size=size.size)
        await ground.start_service()
        async with living(ground):
            await asyncio.sleep(BEFORE_S)
            await ground.redis.keep_copy()
            await asyncio.sleep(BEFORE_S)
            await lose(ground)
            lost_at = time.time()
            history.tell(f"Redis has lost what it held; {ground.crowd.given} answers were given before")
            await asyncio.sleep(size.seconds)
        readings = await ground.settle(of=f"{size.seconds:g} s after the loss")
        before, after = ground.consumer.split(lost_at)
        history.demand(judge.find_low_epochs(before, after), of="epochs")
        told_again = {fields["source"] for fields in after} & {fields["source"] for fields in before}
        history.tell(f"{len(before)} updates before, {len(after)} after; {len(told_again)} sources told anew")
        await ground.judge_all(readings)


flushed = partial(_run, _flush)
emptied = partial(_run, _empty)
restored = partial(_run, _go_back)
restored_rdb = partial(_run, _go_back, is_append_only=False)
