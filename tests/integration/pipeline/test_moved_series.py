"""What is told of occurrences when their series moves, or repeats in another way."""

from __future__ import annotations

from datetime import datetime, timedelta

from service.subscriptions.reading import ReadingLimits
from tests.integration.pipeline.scene import Scene, spell
from tests.integration.pipeline.test_endings import daily, date_of

GUEST = "guest@contoso.com"
DEEDS_APART_S = 10.0
RARELY_S = 900.0


async def test_an_answer_that_goes_with_the_old_pattern_is_told_on_the_series_alone(scene: Scene) -> None:
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    series = await scene.invite(GUEST, recurrence=daily())
    await scene.answer(guest["token"])
    await scene.wait_for(f"response.confirmed {GUEST} accepted")
    day = date_of((await scene.list_instances(series))[1])
    await scene.answer(guest["token"], "decline", event=await scene.find_event_on(guest["token"], day))
    await scene.wait_for(f"response.confirmed {GUEST} declined {day}")
    await scene.advance_clock(DEEDS_APART_S)
    await scene.change(series, recurrence=daily(9))
    await scene.wait_for(f"response.reset {GUEST} none")
    await scene.settle()
    lines = [line for line in await scene.lines() if "settled" not in line]
    assert lines[-2:] == ["event.rescheduled", f"response.reset {GUEST} none"]
    assert len(lines) == len(set(lines)) == 7


async def test_a_cancelled_occurrence_is_back_after_its_series_moved_there_and_back(scene: Scene) -> None:
    await scene.watch(reading=ReadingLimits(sweep_interval_s=RARELY_S))  # none sees the time in between
    await scene.stage.add_user(GUEST)
    series = await scene.invite(GUEST, recurrence=daily())
    await scene.wait_for(f"attendee.added {GUEST} none")
    instances = await scene.list_instances(series)
    day = date_of(instances[1])
    await scene.cancel(instances[1]["id"])
    await scene.wait_for_one_of(*(f"event.{how} {day}" for how in ("cancelled", "deleted")))
    await scene.disturb(drop=1)
    first = datetime.fromisoformat(instances[0]["start"]["dateTime"][:19])
    for hours in (2, 0):
        await scene.advance_clock(DEEDS_APART_S)
        start = first + timedelta(hours=hours)
        if not hours:
            await scene.disturb()
        await scene.change(series, start=spell(start), end=spell(start + timedelta(hours=1)))
    await scene.wait_for(f"attendee.added {GUEST} none {day}")


async def test_a_series_that_becomes_a_single_meeting_is_told_and_answered_as_one(scene: Scene) -> None:
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    series = await scene.invite(GUEST, recurrence=daily())
    await scene.wait_for(f"attendee.added {GUEST} none")
    day = date_of((await scene.list_instances(series))[1])
    await scene.answer(guest["token"], "decline", event=await scene.find_event_on(guest["token"], day))
    await scene.wait_for(f"response.confirmed {GUEST} declined {day}")
    await scene.advance_clock(DEEDS_APART_S)
    await scene.change(series, recurrence=None)
    await scene.wait_for("event.rescheduled")
    await scene.answer(guest["token"])
    await scene.wait_for(f"response.confirmed {GUEST} accepted")
    await scene.settle()
    assert (await scene.lines_of(GUEST))[3:] == [
        f"response.changed {GUEST} accepted",
        f"response.confirmed {GUEST} accepted",
    ]
    assert await scene.stage.streams.dead_letters.count() == 0
