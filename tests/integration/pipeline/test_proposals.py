"""New times that attendees propose, from message and event: taken up, given up, and proposed again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.integration.pipeline.scene import TOMORROW, Scene, spell
from tests.integration.pipeline.test_endings import daily, date_of

GUEST = "guest@contoso.com"
ANSWERS_APART_S = 10.0


def other_time(days: int = 3) -> dict[str, Any]:
    start = TOMORROW + timedelta(days=days - 1)
    return {"start": spell(start), "end": spell(start + timedelta(hours=1))}


async def watch_invited_guest(scene: Scene, **event: Any) -> tuple[str, str]:
    """Have a guest invited to a meeting that is known; gives the guest's token and Alex' event."""
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    invited = await scene.invite(GUEST, **event)
    await scene.wait_for(f"attendee.added {GUEST} none")
    return guest["token"], invited


async def test_a_proposal_that_is_taken_up_moves_the_meeting_and_ends(scene: Scene) -> None:
    guest, event = await watch_invited_guest(scene)
    wanted = other_time()
    await scene.answer(guest, "tentativelyAccept", proposedNewTime=wanted)
    await scene.wait_for(f"newtime.proposed {GUEST} tentativelyAccepted")
    await scene.wait_for(f"response.confirmed {GUEST} tentativelyAccepted")
    proposed = next(one for one in await scene.told() if one.type == "newtime.proposed")
    told = proposed.data["response"]["proposedNewTime"]
    assert [told[end]["dateTime"][:19] for end in wanted] == [wanted[end]["dateTime"] for end in wanted]

    await scene.advance_clock(ANSWERS_APART_S)
    await scene.change(event, **wanted)
    await scene.wait_for(f"response.reset {GUEST} none")
    await scene.answer(guest)
    await scene.wait_for(f"response.confirmed {GUEST} accepted")
    assert (await scene.told())[-1].data["response"]["proposedNewTime"] is None
    assert [line for line in await scene.lines() if "event." in line or "newtime." in line] == [
        f"newtime.proposed {GUEST} tentativelyAccepted",
        "event.rescheduled",
    ]


async def test_only_a_proposal_that_is_another_one_is_told_again(scene: Scene) -> None:
    guest, _ = await watch_invited_guest(scene)
    first, second = other_time(3), other_time(4)
    answers: list[dict[str, Any]] = [{"proposedNewTime": first}, {}, {"proposedNewTime": second}]
    for times in answers:
        await scene.answer(guest, "decline", **times)
        await scene.settle()
        await scene.advance_clock(ANSWERS_APART_S)
    assert sorted(await scene.lines_of(GUEST)) == [
        f"attendee.added {GUEST} none",
        *[f"newtime.proposed {GUEST} declined"] * 2,
        f"response.changed {GUEST} declined",
        f"response.confirmed {GUEST} declined",
    ]


async def test_a_proposal_for_one_occurrence_is_told_there(scene: Scene) -> None:
    guest, series = await watch_invited_guest(scene, recurrence=daily())
    day = date_of((await scene.list_instances(series))[2])
    copy = await scene.find_event_on(guest, day)
    await scene.answer(guest, "tentativelyAccept", event=copy, proposedNewTime=other_time(9))
    await scene.wait_for(f"newtime.proposed {GUEST} tentativelyAccepted {day}")
    await scene.wait_for(f"response.confirmed {GUEST} tentativelyAccepted {day}")
    assert (await scene.lines_of(GUEST))[0] == f"attendee.added {GUEST} none"
    assert all(line.endswith(day) for line in (await scene.lines_of(GUEST))[1:])
