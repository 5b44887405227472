"""Processes are killed while answers flow: what the stream says in the end is the same, and nothing twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.endtoend import judging
from tests.endtoend.deeds import Play
from tests.endtoend.settling import judge_calendars, settle, settle_last_answers
from tests.endtoend.stage import ROLES, Stage, open_stage
from tests.endtoend.test_restart import STOP_MAX_S
from tests.integration.waiting import PATIENCE_S, wait_until

QUICK = {
    "RESPONSE_SYNC_CLAIM_IDLE_S": "1",
    "RESPONSE_SYNC_CLAIM_INTERVAL_S": "0.3",
    "RESPONSE_SYNC_LEASE_S": "2",
}
"""Waits of a second instead of ten."""
MILD = {"duplicate": 0.3, "reorder": 0.2}
ROUNDS_PER_DEATH = 2
HANDS_FULL = 3


async def play_meetings_with_deaths(
    stage: Stage,
    seed: int,
    *,
    victims: Sequence[Sequence[str]],
    faults: Mapping[str, float] = MILD,
    timeout_s: float = PATIENCE_S,
) -> None:
    """Let answers flow while roles die at random moments and are started again, and judge what was told.

    Args:
        faults: of Graph, while answers flow.
        timeout_s: how long everybody's last answer may take to be told once the faults are over.
    """
    tenant, chance = stage.tenant, random.Random(seed)
    alex, adele = tenant.people["alex"], tenant.people["adele"]
    play = Play(tenant, seed)
    await play.add_guests(6)
    for _ in range(3):
        await play.make_meeting(alex, adele, size=6, answers=14)
    await settle(stage, play.meetings)
    for _ in range(HANDS_FULL):
        await _kill_with_hands_full(stage, play, chance)
        await settle_last_answers(stage, play.meetings, timeout_s=timeout_s)
    await tenant.control("faults", faults)
    for dying in victims:
        answering = asyncio.create_task(_play_rounds(play, ROUNDS_PER_DEATH))
        try:
            await _kill_and_start(stage, dying, chance)
            await answering
        finally:
            answering.cancel()
        for role in dying:
            await stage.wait_until_ready(role)
    await tenant.control("faults", {})
    await tenant.advance(1200)  # what Graph kept for a web that was away is due at once
    await settle_last_answers(stage, play.meetings, timeout_s=timeout_s)
    judging.judge_after_deaths(await stage.read_stream(), play.meetings)
    await judge_calendars(stage, play.meetings)


async def _kill_and_start(stage: Stage, dying: Sequence[str], chance: random.Random) -> None:
    """Kill roles at a random moment and start them again; answers go on meanwhile."""
    await asyncio.sleep(chance.uniform(0.0, 0.7))
    for role in dying:
        await stage.running[role].kill()
    await asyncio.sleep(chance.uniform(0.0, 0.4))
    for role in dying:
        await stage.start(role)


async def _kill_with_hands_full(stage: Stage, play: Play, chance: random.Random) -> None:
    """Let a whole round of answers wait for the worker, and kill it when it has done some."""
    worker = stage.running["worker"]
    worker.pause()
    await play.play_round()
    await wait_until(stage.has_heard_all)
    left = int(await stage.count_waiting() * chance.uniform(0.1, 0.9))
    worker.resume()

    async def is_done_so_far() -> bool:
        return await stage.count_waiting() <= left

    await wait_until(is_done_so_far, poll_s=0)
    await worker.kill()
    await stage.start_ready("worker")


async def _play_rounds(play: Play, rounds: int) -> None:
    for _ in range(rounds):
        await play.play_round()


async def test_processes_killed_while_answers_flow_change_nothing_that_is_told(tmp_path: Path) -> None:
    async with open_stage(tmp_path, **QUICK) as stage:
        await stage.start_ready(*ROLES)

        await play_meetings_with_deaths(stage, 4711, victims=(("worker",), ("web",), ("keeper",), ROLES))

        subscriptions = await stage.tenant.control("subscriptions")
        assert len(subscriptions) == len({one["resource"] for one in subscriptions}) == 2
        for role in ROLES:
            code, took_s = await stage.running[role].terminate()
            assert (code, took_s < STOP_MAX_S) == (0, True), (role, code, took_s)
