"""What leaves no trace by design: answers that were not sent, and what people keep private."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.pipeline.scene import Scene
from tests.integration.pipeline.test_endings import daily

GUEST = "guest@contoso.com"


async def test_an_answer_that_was_not_sent_is_not_known(scene: Scene) -> None:
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    await scene.invite(GUEST)
    await scene.answer(guest["token"], sendResponse=False)
    await scene.settle()
    assert await scene.lines_of(GUEST) == [f"attendee.added {GUEST} none"]


async def test_where_no_answers_were_asked_for_none_are_told(scene: Scene) -> None:
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    await scene.invite(GUEST, responseRequested=False)
    await scene.answer(guest["token"])
    await scene.settle()
    assert await scene.lines_of(GUEST) == [f"attendee.added {GUEST} none"]


async def test_attendees_hidden_from_one_another_are_told_to_consumers(scene: Scene) -> None:
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    await scene.invite(GUEST, "other@contoso.com", hideAttendees=True)
    await scene.answer(guest["token"])
    await scene.wait_for(f"response.confirmed {GUEST} accepted")
    assert "attendee.added other@contoso.com none" in await scene.lines()


@pytest.mark.parametrize("sensitivity", ["private", "confidential"])
async def test_of_a_private_meeting_the_fact_is_told_and_nothing_that_people_wrote(
    scene: Scene, sensitivity: str
) -> None:
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    await scene.invite(GUEST, subject="Surgery", sensitivity=sensitivity)
    await scene.answer(guest["token"], "decline", subject="Surgery", comment="Get well")
    await scene.wait_for(f"response.confirmed {GUEST} declined")
    told = await scene.told()
    assert told[-1].data["event"]["subject"] is None
    assert not any(word in json.dumps(one.data) for one in told for word in ("Surgery", "Get well"))
    link, pattern = scene.stage.streams.link, f"*{scene.stage.settings.stream}*:meeting:*"
    for key in await link.call("KEYS", pattern):
        held = json.dumps(await link.call("HGETALL", key))
        assert "Surgery" not in held
        assert "Get well" not in held


@pytest.mark.parametrize("more", [{}, {"recurrence": daily()}], ids=["single", "series"])
async def test_a_meeting_in_a_secondary_calendar_is_ignored_whatever_becomes_of_it(
    scene: Scene, more: dict[str, Any]
) -> None:
    """Exchange tallies nothing there: everybody would seem to stay away."""
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    other = await scene.graph("POST", "/me/calendars", {"name": "Other"}, token=scene.token("alex"))
    path = f"/me/calendars/{quote(other['id'], safe='')}/events"
    event = await scene.invite(GUEST, path=path, **more)
    await scene.answer(guest["token"])
    await scene.settle()
    await scene.change(event, location={"displayName": "Room 2"})
    await scene.settle()
    assert await scene.lines_of(GUEST) == []
    link, pattern = scene.stage.streams.link, f"*{scene.stage.settings.stream}*:meeting:*"
    held = [await link.call("HGETALL", key) for key in await link.call("KEYS", pattern)]
    assert len(held) == 2
    assert not any(GUEST in json.dumps(one) for one in held)
