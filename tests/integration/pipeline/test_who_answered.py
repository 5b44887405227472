"""Whose row an answer speaks for, with Exchange's addresses as the sandbox has them."""

from __future__ import annotations

from tests.integration.pipeline.scene import Scene


async def test_an_answer_of_an_alias_holder_speaks_for_the_row_that_names_the_alias(scene: Scene) -> None:
    await scene.watch()
    ann = await scene.stage.add_user("ann@contoso.com", aliases=["a.nn@contoso.com"])
    await scene.believe(event_before_message=False)
    await scene.invite("a.nn@contoso.com|Somebody")
    await scene.answer(ann["token"])
    await scene.wait_for("response.confirmed a.nn@contoso.com accepted")
    assert {one.subject for one in await scene.told()} == {"a.nn@contoso.com"}


async def test_the_row_that_a_legacy_address_adds_is_the_same_person_in_either_order(scene: Scene) -> None:
    await scene.watch()
    for number, is_first in enumerate((True, False)):
        ann = await scene.stage.add_user(f"ann{number}@contoso.com")
        await scene.believe(legacy_dn=True, event_before_message=is_first)
        await scene.invite(f"ann{number}@contoso.com|Ann{number}", subject=f"Plan {number}")
        await scene.answer(ann["token"], subject=f"Plan {number}")
        await scene.wait_for(f"response.confirmed ann{number}@contoso.com accepted")
    assert {one.subject for one in await scene.told()} == {"ann0@contoso.com", "ann1@contoso.com"}


async def test_a_delegate_answers_for_the_attendee(scene: Scene) -> None:
    await scene.watch()
    helper = await scene.stage.add_user("helper@contoso.com")
    await scene.stage.add_user("boss@contoso.com", delegates=["helper@contoso.com"])
    await scene.invite("boss@contoso.com")
    calendars = await scene.graph("GET", "/me/calendars", token=helper["token"])
    (shared,) = [one for one in calendars["value"] if one["owner"]["address"] == "boss@contoso.com"]
    events = await scene.graph("GET", f"/me/calendars/{shared['id']}/events", token=helper["token"])
    await scene.answer(helper["token"], event=events["value"][0]["id"])
    await scene.wait_for("response.confirmed boss@contoso.com accepted")
    told = (await scene.told())[-1]
    assert told.data["witnesses"]["message"]["sender"]["address"] == "helper@contoso.com"
    assert {one.subject for one in await scene.told()} == {"boss@contoso.com"}


async def test_members_of_a_list_and_people_to_whom_it_was_forwarded_are_told_once_listed(
    scene: Scene,
) -> None:
    await scene.watch()
    member = await scene.stage.add_user("member@contoso.com")
    eve = await scene.stage.add_user("eve@contoso.com")
    await scene.stage.add_user("team@contoso.com", purpose="list", members=["member@contoso.com"])
    await scene.invite("team@contoso.com")
    await scene.answer(member["token"])
    await scene.wait_for("response.confirmed member@contoso.com accepted")
    listed = await scene.graph("GET", "/me/events", token=member["token"])
    forward = {"toRecipients": [{"emailAddress": {"address": "eve@contoso.com", "name": "Eve"}}]}
    await scene.graph(
        "POST", f"/me/events/{listed['value'][0]['id']}/forward", forward, token=member["token"]
    )
    await scene.answer(eve["token"], "decline")
    await scene.wait_for("response.confirmed eve@contoso.com declined")


async def test_rooms_are_told_and_not_tallied(scene: Scene) -> None:
    await scene.watch()
    await scene.stage.add_user("room@contoso.com", purpose="room", auto_answer="accepted")
    room = {"emailAddress": {"address": "room@contoso.com", "name": "Room"}, "type": "resource"}
    await scene.invite(attendees=[room])
    await scene.wait_for("response.confirmed room@contoso.com accepted")
    told = (await scene.told())[-1]
    assert told.data["attendee"]["type"] == "resource"
    assert told.data["tally"] == {"accepted": 0, "tentativelyAccepted": 0, "declined": 0, "none": 0}


async def test_an_answer_from_outside_that_the_calendar_never_shows_is_reported(scene: Scene) -> None:
    await scene.watch()
    guest = await scene.stage.add_user("guest@elsewhere.example")
    await scene.invite("guest@elsewhere.example")
    await scene.answer(guest["token"])
    await scene.wait_for("response.changed guest@elsewhere.example accepted")
    assert (await scene.told())[-1].data["standing"] == "reported"
