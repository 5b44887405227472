"""Which meeting and which occurrence an answer is for, whatever iCalUId the owner's events show."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.pipeline.scene import TOMORROW, Scene, spell
from tests.integration.pipeline.test_endings import daily, date_of

GUEST = "guest@contoso.com"
POSITIONS: list[dict[str, bool]] = [
    {"null_ical_uid": True},
    {"shared_ical_uid": True},
    {"null_ical_uid": True, "received_representing": False, "event_before_message": False},
]


async def watch_guest(scene: Scene, positions: dict[str, bool]) -> str:
    """Watch Alex under these beliefs; gives the token of a guest."""
    await scene.believe(**positions)
    await scene.watch()
    return str((await scene.stage.add_user(GUEST))["token"])


async def sources(scene: Scene) -> set[str]:
    """Give the meeting part of every source that was told of, instances left out."""
    return {one.data["event"]["seriesMasterId"] or one.data["event"]["id"] for one in await scene.told()}


@pytest.mark.parametrize("positions", POSITIONS)
async def test_an_answer_finds_its_meeting_whatever_ical_uid_is_shown(
    scene: Scene, positions: dict[str, bool]
) -> None:
    guest = await watch_guest(scene, positions)
    event = await scene.invite(GUEST)
    await scene.answer(guest)
    await scene.wait_for(f"response.confirmed {GUEST} accepted")
    shown = {one.data["event"]["iCalUId"] for one in await scene.told()}
    assert (shown == {None}) is bool(positions.get("null_ical_uid"))
    assert await sources(scene) == {event}


@pytest.mark.parametrize("positions", POSITIONS)
async def test_answers_to_a_series_and_to_its_occurrences_are_told_apart(
    scene: Scene, positions: dict[str, bool]
) -> None:
    guest = await watch_guest(scene, positions)
    series = await scene.invite(GUEST, recurrence=daily())
    await scene.wait_for(f"attendee.added {GUEST} none")
    instances = await scene.list_instances(series)
    await scene.answer(guest)
    await scene.wait_for(f"response.confirmed {GUEST} accepted")

    day = date_of(instances[2])
    copy = await scene.find_event_on(guest, day)
    await scene.answer(guest, "decline", event=copy)
    await scene.wait_for(f"response.confirmed {GUEST} declined {day}")

    moved = date_of(instances[3])
    start = TOMORROW + timedelta(days=10)
    await scene.change(instances[3]["id"], start=spell(start), end=spell(start + timedelta(hours=1)))
    await scene.wait_for(f"event.rescheduled {moved}")
    copy = await scene.find_event_on(guest, f"{start:%Y-%m-%d}")
    await scene.answer(guest, "tentativelyAccept", event=copy)
    await scene.wait_for(f"response.confirmed {GUEST} tentativelyAccepted {moved}")
    assert await sources(scene) == {series}
    await scene.settle()
    told = await scene.lines_of(GUEST)
    assert len(told) == len(set(told)), told


async def test_an_answer_to_an_unnamed_meeting_that_moved_unseen_waits_for_it(scene: Scene) -> None:
    guest = await watch_guest(scene, {"null_ical_uid": True})
    await scene.disturb(drop=1)
    event = await scene.invite(GUEST)
    start = TOMORROW + timedelta(days=2)
    await scene.change(event, start=spell(start), end=spell(start + timedelta(hours=1)))
    await scene.disturb()
    await scene.answer(guest, comment="after the move")
    await scene.wait_for(f"response.confirmed {GUEST} accepted")
    assert (await scene.told())[-1].data["response"]["comment"] == "after the move"
