"""A service that ends and comes back: it ends in time, finds its subscriptions again, and misses nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.endtoend import judging
from tests.endtoend.deeds import Play
from tests.endtoend.settling import judge_calendars, settle, settle_last_answers
from tests.endtoend.stage import Stage, open_stage

STOP_MAX_S = 30.0  # after which Kubernetes kills, if not told otherwise
IN_BETWEEN_S = 700.0


async def list_subscriptions(stage: Stage) -> dict[str, Any]:
    return {one["id"]: one["resource"] for one in await stage.tenant.control("subscriptions")}


async def test_a_service_ends_in_time_with_work_in_hand_and_adopts_what_it_held(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        tenant = stage.tenant
        alex, adele = tenant.people["alex"], tenant.people["adele"]
        play = Play(tenant, 99)
        await play.add_guests(6)
        await stage.start_ready("serve")
        held = await list_subscriptions(stage)
        assert len(held) == 2
        await play.make_meeting(alex, adele, size=6, answers=8)
        await play.make_meeting(alex, alex, size=4, answers=8)
        await settle(stage, play.meetings)

        await play.play_round()
        answering = asyncio.create_task(play.play_round())
        code, took_s = await stage.running["serve"].terminate()
        await answering
        assert (code, took_s < STOP_MAX_S) == (0, True), (code, took_s)
        await play.play_round()  # while nobody is there to hear it

        await stage.start_ready("serve")
        assert await list_subscriptions(stage) == held
        await tenant.advance(IN_BETWEEN_S)  # Graph tries again what it could not deliver
        await settle_last_answers(stage, play.meetings)
        await stage.running["serve"].kill()
        await stage.start_ready("serve")
        assert await list_subscriptions(stage) == held
        await play.play_round()
        await settle_last_answers(stage, play.meetings)

        judging.judge_after_deaths(await stage.read_stream(), play.meetings)
        await judge_calendars(stage, play.meetings)
        assert (await stage.running["serve"].terminate())[0] == 0
        assert await list_subscriptions(stage) == held
