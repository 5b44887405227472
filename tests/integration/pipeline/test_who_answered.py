"""Whose row an answer speaks for, with Exchange's addresses as the sandbox has them."""

from __future__ import annotations

from datetime import timedelta

from tests.integration.pipeline.scene import TOMORROW, Scene, spell


async def test_an_answer_of_an_alias_holder_speaks_for_the_row_that_names_the_alias(scene: Scene) -> None:
    await scene.watch()
    ann = await scene.stage.add_user("ann@contoso.com", aliases=["a.nn@contoso.com"])
    await scene.believe(event_before_message=False)
    await scene.invite("a.nn@contoso.com|Somebody")
    await scene.answer(ann["token"])
    await scene.wait_for("response.confirmed a.nn@contoso.com accepted")
    assert {one.subject for one in await scene.told()} == {"a.nn@contoso.com"}


async def test_one_person_who_is_invited_under_two_addresses_is_one_attendee(scene: Scene) -> None:
    await scene.watch()
    ann = await scene.stage.add_user("ann@contoso.com", aliases=["a.nn@contoso.com"])
    await scene.invite("a.nn@contoso.com|Somebody", "ann@contoso.com|Ann", "bob@contoso.com")
    await scene.wait_for("attendee.added a.nn@contoso.com none")
    await scene.answer(ann["token"])
    await scene.wait_for("response.confirmed ann@contoso.com accepted")
    told = await scene.lines_of("a.nn@contoso.com")
    assert told[0] == "attendee.added a.nn@contoso.com none"  # then maybe the calendar's answer
    assert told[-1] == "attendee.removed a.nn@contoso.com none"
    assert (await scene.told())[-1].data["tally"]["accepted"] == 1


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


async def test_who_got_another_primary_address_since_speaks_for_the_row_with_the_old_one(
    scene: Scene,
) -> None:
    await scene.watch()
    ann = await scene.stage.add_user("ann@contoso.com")
    await scene.believe(event_before_message=False)
    await scene.invite("ann@contoso.com|Ann")
    people = scene.stage.sandbox.world.directory
    people.rename(scene.stage.sandbox.world.find_user("ann@contoso.com"), "ann.married@contoso.com")
    await scene.answer(ann["token"])
    await scene.wait_for("response.confirmed ann@contoso.com accepted")
    witness = (await scene.told())[-1].data["witnesses"]["message"]
    assert witness["from"]["address"] == "ann.married@contoso.com"
    assert {one.subject for one in await scene.told()} == {"ann@contoso.com"}


async def test_of_people_whom_the_directory_does_not_know_a_unique_display_name_decides(scene: Scene) -> None:
    jo = await scene.stage.add_user("joanne@elsewhere.example", name="Jo Day")
    await scene.watch()
    await scene.invite("joanne@elsewhere.example|Jo Day")
    people = scene.stage.sandbox.world.directory
    outside = people.look_up("joanne@elsewhere.example")
    assert outside is not None
    people.rename(outside, "jo.day@elsewhere.example")
    await scene.answer(jo["token"])
    await scene.wait_for("response.changed joanne@elsewhere.example accepted")


async def test_an_answer_to_an_older_version_by_one_whose_calendar_takes_no_updates_does_not_count(
    scene: Scene,
) -> None:
    await scene.watch()
    slow = await scene.stage.add_user("slow@contoso.com", processes_updates=False)
    event = await scene.invite("slow@contoso.com")
    await scene.wait_for("attendee.added slow@contoso.com none")
    later = TOMORROW + timedelta(days=8)
    await scene.change(event, start=spell(later), end=spell(later + timedelta(hours=1)))
    await scene.wait_for("event.rescheduled")
    await scene.answer(slow["token"])
    await scene.settle()
    assert await scene.lines_of("slow@contoso.com") == ["attendee.added slow@contoso.com none"]
