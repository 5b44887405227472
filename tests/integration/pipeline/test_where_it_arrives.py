"""In which mailbox and folder an answer lies, and what is told where it lies nowhere any more."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from service.intake.client_state import ResourceKind
from service.reconcile.model import OwnerKey
from tests.integration.pipeline.scene import Scene
from tests.integration.waiting import wait_until

OTTO = "otto@contoso.com"
GUEST = "guest@contoso.com"
HELD_S = 600.0
DELETED: dict[str, Any] = {"keeps_deleted_copy": True}


async def people(scene: Scene, *, delegate: dict[str, Any], owner: dict[str, Any]) -> dict[str, str]:
    """Give the tokens of an owner, his delegate, and a guest."""
    await scene.believe(event_before_message=False)
    dora = await scene.stage.add_user("dora@contoso.com", **delegate)
    otto = await scene.stage.add_user(OTTO, delegates=["dora@contoso.com"], **owner)
    guest = await scene.stage.add_user(GUEST)
    return {"dora": dora["token"], "otto": otto["token"], "guest": guest["token"], "otto_id": otto["id"]}


def path_of(message: dict[str, Any]) -> str:
    return f"/me/messages/{quote(message['id'], safe='')}"


@pytest.mark.parametrize("drop", [0, 1])
async def test_an_answer_that_a_rule_filed_is_found_where_whole_mailboxes_are_watched(
    scene: Scene, drop: int
) -> None:
    who = await people(scene, delegate={"answers_folder": "Answers"}, owner={})
    await scene.watch(OTTO, messages=ResourceKind.MAILBOX_MESSAGES)
    await scene.disturb(drop=drop)
    await scene.invite(GUEST, token=who["otto"])
    await scene.answer(who["guest"])
    await scene.wait_for(f"response.confirmed {GUEST} accepted")
    assert await scene.list_mail(who["dora"]) == []


async def test_with_inboxes_alone_the_calendar_decides_what_a_rule_filed(scene: Scene) -> None:
    who = await people(scene, delegate={"answers_folder": "Answers"}, owner={})
    await scene.watch(OTTO)
    await scene.invite(GUEST, token=who["otto"])
    await scene.answer(who["guest"])
    await scene.wait_for(f"response.changed {GUEST} accepted")
    assert (await scene.told())[-1].data["standing"] == "recorded"


async def test_the_owners_copy_in_deleted_items_is_found_by_a_sweep(scene: Scene) -> None:
    who = await people(scene, delegate={}, owner=DELETED)
    await scene.watch(OTTO, messages=ResourceKind.MAILBOX_MESSAGES)
    await scene.disturb(drop=1)
    await scene.stage.asking.control("/application", {"denied_mailboxes": ["dora@contoso.com"]})
    await scene.invite(GUEST, token=who["otto"])
    await scene.answer(who["guest"])
    await scene.wait_for(f"response.confirmed {GUEST} accepted")
    assert (await scene.told())[-1].data["witnesses"]["message"]["mailbox"] == who["otto_id"]


async def test_a_message_that_was_moved_before_it_was_read_is_read_by_its_immutable_id(scene: Scene) -> None:
    who = await people(scene, delegate={}, owner={})
    await scene.watch(OTTO)
    await scene.disturb(delay_s=HELD_S)
    await scene.invite(GUEST, token=who["otto"])
    await scene.answer(who["guest"])
    (message,) = await scene.list_mail(who["dora"])
    await scene.graph("POST", f"{path_of(message)}/move", {"destinationId": "archive"}, token=who["dora"])
    await scene.advance_clock(HELD_S)
    await scene.wait_for(f"response.confirmed {GUEST} accepted")


async def test_of_a_message_that_was_deleted_before_it_was_read_the_calendar_decides(scene: Scene) -> None:
    who = await people(scene, delegate={}, owner={})
    await scene.watch(OTTO)
    await scene.disturb(delay_s=HELD_S)
    await scene.invite(GUEST, token=who["otto"])
    await scene.answer(who["guest"])
    (message,) = await scene.list_mail(who["dora"])
    for _ in ("to Deleted Items, where it could be read", "for good"):
        await scene.graph("DELETE", path_of(message), token=who["dora"])
    await scene.advance_clock(HELD_S)
    await scene.wait_for(f"response.changed {GUEST} accepted")
    assert (await scene.told())[-1].data["standing"] == "recorded"


async def test_copies_for_two_delegates_and_the_owner_are_one_answer(scene: Scene) -> None:
    await scene.stage.add_user("dan@contoso.com")
    await scene.stage.add_user("dora@contoso.com")
    otto = await scene.stage.add_user(
        OTTO, delegates=["dora@contoso.com", "dan@contoso.com"], delivery="sendToDelegateAndPrincipal"
    )
    guest = await scene.stage.add_user(GUEST)
    await scene.watch(OTTO)
    await scene.invite(GUEST, token=otto["token"])
    await scene.answer(guest["token"], "decline")
    await scene.wait_for(f"response.confirmed {GUEST} declined")
    await scene.invite("dan@contoso.com", token=otto["token"], subject="Later")
    await scene.wait_for("attendee.added dan@contoso.com none")
    assert await scene.lines_of(GUEST) == [
        f"attendee.added {GUEST} none",
        f"response.changed {GUEST} declined",
        f"response.confirmed {GUEST} declined",
    ]


async def test_answers_to_the_delegates_own_meetings_and_to_other_bosses_leave_no_trace(scene: Scene) -> None:
    adele = scene.stage.sandbox.ready.personas["adele"]
    boss = await scene.stage.add_user("boss@contoso.com", delegates=[adele.address])
    guest = await scene.stage.add_user(GUEST)
    await scene.watch()
    for number, token in enumerate((scene.token("adele"), boss["token"])):
        await scene.invite(GUEST, token=token, subject=f"Not ours {number}")
        await scene.answer(guest["token"], subject=f"Not ours {number}")
    await scene.settle()
    alex = OwnerKey(scene.stage.asking.id_of("alex"))
    assert len(await scene.stage.streams.states.list_meetings(alex)) == 1
    assert await scene.lines_of(GUEST) == []

    async def is_held_nowhere() -> bool:
        link = scene.stage.streams.link
        return not any(GUEST in key for key in await link.call("KEYS", f"*{scene.stage.settings.stream}*"))

    await wait_until(is_held_nowhere)


async def test_a_delegate_who_is_invited_speaks_for_herself_also_from_sent_items(scene: Scene) -> None:
    await scene.watch(messages=ResourceKind.MAILBOX_MESSAGES)
    adele = scene.stage.sandbox.ready.personas["adele"]
    await scene.invite(adele.address)
    await scene.answer(adele.token)
    address = adele.address.casefold()
    await scene.wait_for(f"response.confirmed {address} accepted")
    await scene.settle()
    assert await scene.lines_of(address) == [
        f"attendee.added {address} none",
        f"response.changed {address} accepted",
        f"response.confirmed {address} accepted",
    ]
    assert len(await scene.list_mail(adele.token, "sentitems")) == 1
