"""Trial `stopped`: answers are given while the service does not run; none may be missing afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from tests.endtoend.stage import ROLES
from tests.trials.ground import Ground, Size, open_ground
from tests.trials.history import History

ANSWERS_EACH: Final = 3


async def run(history: History, size: Size, place: Path) -> None:
    """Stop the service twice: once Graph's notifications of that time are all lost, once it keeps them.

    Either way everything is told, in order: what a sweep finds comes in the order of answering, and what
    Graph kept waits for it.
    """
    async with open_ground(history, size, place) as ground:
        await ground.crowd.meet(size.meetings, size=size.size)
        await ground.start_service()
        await _answer_all(ground, 1)
        await ground.settle(of="before")
        for is_lost in (True, False):
            await _stop(ground, is_killed=not is_lost)
            await ground.stage.tenant.control("faults", {"drop": 1.0 if is_lost else 0.0})
            await _answer_all(ground, ANSWERS_EACH)
            await ground.stage.tenant.control("faults", {})
            await ground.start_service()
            what = "all notifications lost" if is_lost else "notifications kept by Graph"
            readings = await ground.settle(of=f"after the restart, {what}")
            ground.judge_answers(are_all_told=True, of=what)
        await ground.judge_all(readings)


async def _stop(ground: Ground, *, is_killed: bool) -> None:
    for role in ROLES:
        running = ground.stage.running[role]
        if is_killed:
            await running.kill()
        else:
            await running.terminate()
    ground.history.tell(f"the service is {'killed' if is_killed else 'stopped'}")


async def _answer_all(ground: Ground, rounds: int) -> None:
    """Let every guest of every meeting answer so many times."""
    places = asyncio.Semaphore(4)

    async def answer(meeting_at: int, guest_at: int) -> None:
        meeting = ground.crowd.meetings[meeting_at]
        async with places:
            await ground.crowd.answer(meeting, meeting.guests[guest_at])

    for _ in range(rounds):
        await asyncio.gather(
            *(
                answer(at, guest)
                for at, meeting in enumerate(ground.crowd.meetings)
                for guest in range(len(meeting.guests))
            )
        )
