"""How meetings and occurrences end in the sandbox, and what is told of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.pipeline.scene import TOMORROW, Scene, spell

GUEST = "guest@contoso.com"


def daily(count: int = 5) -> dict[str, Any]:
    """Give a series of so many days from tomorrow on."""
    return {
        "pattern": {"type": "daily", "interval": 1},
        "range": {"type": "numbered", "startDate": TOMORROW.date().isoformat(), "numberOfOccurrences": count},
    }


async def watched_series(scene: Scene) -> tuple[str, list[dict[str, Any]]]:
    await scene.watch()
    await scene.stage.add_user(GUEST)
    series = await scene.invite(GUEST, recurrence=daily())
    await scene.wait_for(f"attendee.added {GUEST} none")
    return series, await scene.list_instances(series)


def date_of(instance: dict[str, Any]) -> str:
    return str(instance["originalStart"])[:10]


async def endings(scene: Scene) -> list[str]:
    return [one.line for one in await scene.told() if one.type.startswith("event.")]


async def test_a_cancelled_meeting_is_told_once_and_nothing_after_it(scene: Scene) -> None:
    await scene.watch()
    await scene.stage.add_user(GUEST)
    event = await scene.invite(GUEST)
    await scene.wait_for(f"attendee.added {GUEST} none")
    await scene.cancel(event)
    await scene.wait_for("event.cancelled")
    await scene.settle()
    assert await endings(scene) == ["event.cancelled"]
    assert await scene.lines_of(GUEST) == [f"attendee.added {GUEST} none"]


async def test_a_meeting_that_is_deleted_without_being_cancelled_is_told_as_deleted(scene: Scene) -> None:
    await scene.watch()
    await scene.stage.add_user(GUEST)
    event = await scene.invite(GUEST)
    await scene.wait_for(f"attendee.added {GUEST} none")
    await scene.delete(event)
    await scene.wait_for("event.deleted")
    assert await endings(scene) == ["event.deleted"]


@pytest.mark.parametrize("drop", [0, 1])
async def test_an_occurrence_that_was_never_read_ends_when_it_is_cancelled(scene: Scene, drop: int) -> None:
    _, instances = await watched_series(scene)
    await scene.disturb(drop=drop)
    await scene.cancel(instances[2]["id"])
    await scene.wait_for_one_of(*(f"event.{how} {date_of(instances[2])}" for how in ("cancelled", "deleted")))
    assert len(await endings(scene)) == 1


@pytest.mark.parametrize("drop", [0, 1])
async def test_an_occurrence_that_was_never_read_ends_when_it_is_deleted(scene: Scene, drop: int) -> None:
    _, instances = await watched_series(scene)
    await scene.disturb(drop=drop)
    await scene.delete(instances[2]["id"])
    await scene.wait_for_one_of(*(f"event.{how} {date_of(instances[2])}" for how in ("cancelled", "deleted")))
    assert len(await endings(scene)) == 1


async def test_an_occurrence_that_was_answered_ends_alone(scene: Scene) -> None:
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    series = await scene.invite(GUEST, recurrence=daily())
    await scene.wait_for(f"attendee.added {GUEST} none")
    mine = await scene.list_instances(series)
    theirs = await scene.find_event_on(guest["token"], date_of(mine[1]))
    await scene.answer(guest["token"], "decline", event=theirs)
    await scene.wait_for(f"response.confirmed {GUEST} declined {date_of(mine[1])}")
    await scene.cancel(mine[1]["id"])
    await scene.wait_for_one_of(*(f"event.{how} {date_of(mine[1])}" for how in ("cancelled", "deleted")))
    await scene.settle()
    assert len(await endings(scene)) == 1


async def test_a_meeting_made_an_appointment_loses_its_attendees(scene: Scene) -> None:
    await scene.watch()
    await scene.stage.add_user(GUEST)
    event = await scene.invite(GUEST)
    await scene.wait_for(f"attendee.added {GUEST} none")
    await scene.change(event, attendees=[])
    await scene.wait_for(f"attendee.removed {GUEST} none")
    assert await endings(scene) == []


async def test_who_is_invited_again_is_told_anew(scene: Scene) -> None:
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    event = await scene.invite(GUEST, "other@contoso.com")
    await scene.answer(guest["token"])
    await scene.wait_for(f"response.confirmed {GUEST} accepted")
    people = [{"emailAddress": {"address": one, "name": one}} for one in ("other@contoso.com", GUEST)]
    await scene.change(event, attendees=people[:1])
    await scene.wait_for(f"attendee.removed {GUEST} none")
    await scene.change(event, attendees=people)
    await scene.settle()
    assert (await scene.lines_of(GUEST))[3:] == [
        f"attendee.removed {GUEST} none",
        f"attendee.added {GUEST} none",
    ]


async def test_answers_to_a_meeting_in_the_past_are_told(scene: Scene) -> None:
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    yesterday = TOMORROW - timedelta(days=2)
    await scene.invite(GUEST, start=spell(yesterday), end=spell(yesterday + timedelta(hours=1)))
    await scene.answer(guest["token"], "tentativelyAccept")
    await scene.wait_for(f"response.confirmed {GUEST} tentativelyAccepted")
