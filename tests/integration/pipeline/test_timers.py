"""What becomes of two witnesses who differ for longer than the grace period."""

from __future__ import annotations

from typing import Any

import pytest

from service.pipeline.committer import read_state
from service.reconcile.derive import derive
from service.reconcile.model import WHOLE, OwnerKey
from tests.integration.pipeline.scene import Scene
from tests.integration.waiting import wait_until

GUEST = "guest@elsewhere.example"
ANSWERS_APART_S = 10.0


@pytest.fixture
def changes() -> dict[str, Any]:
    """Give a grace period that passes while a test waits."""
    return {"grace_s": 0.5}


async def watch_guest(scene: Scene) -> str:
    await scene.watch()
    guest = await scene.stage.add_user(GUEST)
    await scene.invite(GUEST)
    await scene.wait_for(f"attendee.added {GUEST} none")
    return str(guest["token"])


async def test_a_calendar_that_keeps_another_answer_is_said_to_conflict_until_it_agrees(scene: Scene) -> None:
    guest = await watch_guest(scene)
    await scene.believe(external_not_tallied=False)
    await scene.answer(guest)
    await scene.wait_for(f"response.confirmed {GUEST} accepted")
    await scene.believe(external_not_tallied=True)
    await scene.advance_clock(ANSWERS_APART_S)
    await scene.answer(guest, "decline")
    await scene.wait_for(f"response.conflicting {GUEST} declined")
    witnesses = (await scene.told())[-1].data["witnesses"]
    assert witnesses["event"]["response"] == "accepted"
    await scene.believe(external_not_tallied=False)
    await scene.advance_clock(ANSWERS_APART_S)
    await scene.answer(guest, "decline")
    await scene.wait_for(f"response.confirmed {GUEST} declined")
    assert (await scene.lines_of(GUEST))[3:] == [
        f"response.changed {GUEST} declined",
        f"response.conflicting {GUEST} declined",
        f"response.confirmed {GUEST} declined",
    ]


async def test_a_calendar_that_never_shows_an_answer_makes_it_overdue_which_is_not_told(scene: Scene) -> None:
    guest = await watch_guest(scene)
    await scene.answer(guest)
    await scene.wait_for(f"response.changed {GUEST} accepted")
    states, owner = scene.stage.streams.states, OwnerKey(scene.stage.asking.id_of("alex"))

    async def is_overdue() -> bool:
        (meeting,) = await states.list_meetings(owner)
        state = await read_state(states, owner, meeting)
        people = derive(state.facts, tolerance_ns=2 * 10**9).instances[WHOLE].attendees
        return any(one.is_overdue for one in people.values())

    await wait_until(is_overdue)
    assert (await scene.lines_of(GUEST))[1:] == [f"response.changed {GUEST} accepted"]
