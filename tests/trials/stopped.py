"""Trial `stopped`: answers are given while the service or a part of it does not run; none may be missing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.endtoend.stage import ROLES
from tests.trials.ground import Ground, Size, open_ground
from tests.trials.history import History

ANSWERS_EACH: Final = 3
SELDOM: Final = {"RESPONSE_SYNC_SWEEP_INTERVAL_S": "3600"}
"""No sweep comes to help: what is told is told because of what happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Roles that do not run while everybody answers.

    Attributes:
        is_killed: else they are told to stop.
        is_lost: Graph loses all notifications of that time; else it keeps those that nobody takes.
    """

    name: str
    roles: tuple[str, ...]
    is_killed: bool = False
    is_lost: bool = False


ABSENCES: Final = (
    Absence(name="all notifications lost", roles=ROLES, is_lost=True),
    Absence(name="notifications kept by Graph", roles=ROLES, is_killed=True),
    Absence(name="the worker alone away", roles=("worker",), is_killed=True),
    Absence(name="web alone away", roles=("web",)),
    Absence(name="web and worker away", roles=("web", "worker"), is_killed=True),
)


async def run(history: History, size: Size, place: Path) -> None:
    """Stop the service, and then each part of it alone.

    Everything is told, in order: what is read after an absence comes in the order of answering, what Graph
    kept waits for it, and of what waited for a worker messages go before events.
    """
    async with open_ground(history, size, place, changes=SELDOM) as ground:
        await ground.crowd.meet(size.meetings, size=size.size)
        await ground.start_service()
        await _answer_all(ground, 1)
        readings = await ground.settle(of="before")
        for absence in ABSENCES:
            await _stop(ground, absence)
            await ground.stage.tenant.control("faults", {"drop": 1.0} if absence.is_lost else {})
            await _answer_all(ground, ANSWERS_EACH)
            await ground.stage.tenant.control("faults", {})
            await ground.start_service(*absence.roles)
            readings = await ground.settle(of=f"after the restart, {absence.name}")
            ground.judge_answers(are_all_told=True, of=absence.name)
        await ground.judge_all(readings)


async def _stop(ground: Ground, absence: Absence) -> None:
    for role in absence.roles:
        running = ground.stage.running[role]
        if absence.is_killed:
            await running.kill()
        else:
            await running.terminate()
    how = "killed" if absence.is_killed else "stopped"
    ground.history.tell(f"{', '.join(absence.roles)}: {how}")


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
