"""What happens to meetings and owners besides answers: people join and leave, meetings move and end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.endtoend import judging
from tests.endtoend.deeds import Given, Invited, Kind, Meeting, Play, spell
from tests.endtoend.people import Person
from tests.endtoend.settling import settle
from tests.endtoend.stage import Stage
from tests.integration.waiting import wait_until
from tests.schema import check_entries

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def change(stage: Stage, meeting: Meeting, **changes: Any) -> None:
    """Let the owner change the meeting."""
    event = await stage.tenant.find_event(meeting.owner, "/me/calendar", meeting.uid)
    await stage.tenant.graph("PATCH", f"/me/events/{quote(event['id'], safe='')}", meeting.owner, changes)


async def wait_for(stage: Stage, meeting: Meeting, kind: str, number: int = 1) -> Sequence[Mapping[str, str]]:
    """Wait until a type of update was told of a meeting so many times; gives all that was told of it."""
    told: Sequence[Mapping[str, str]] = []

    async def is_told() -> bool:
        nonlocal told
        told = judging.select(await stage.read_stream(), meeting)
        return [judging.kind_of(entry) for entry in told].count(kind) >= number

    try:
        await wait_until(is_told, poll_s=0.05)
    except TimeoutError:
        raise AssertionError(f"no {kind}: {[judging.kind_of(entry) for entry in told]}") from None
    await wait_until(stage.is_quiet)
    return judging.select(await stage.read_stream(), meeting)


def spell_attendees(*people: Person) -> list[dict[str, Any]]:
    return [
        {"emailAddress": {"address": one.address, "name": one.name}, "type": "required"} for one in people
    ]


async def make_meeting(stage: Stage, owner: Person) -> Meeting:
    """Make a meeting of Megan and Christie; both mean to accept."""
    people = stage.tenant.people
    play = Play(stage.tenant, 17)
    play.guests = [people["megan"], people["christie"]]
    meeting = await play.make_meeting(owner, owner, size=2)
    for invited in meeting.invited:
        invited.plan = [Given(how="accept")]
    return meeting


async def test_people_who_join_and_leave_are_told_and_counted(serving: Stage) -> None:
    people = serving.tenant.people
    meeting = await make_meeting(serving, people["alex"])
    await settle(serving, [meeting])

    await change(serving, meeting, attendees=spell_attendees(people["megan"], people["adele"]))

    told = await wait_for(serving, meeting, "attendee.removed")
    check_entries(told)
    judging.judge_tallies(told)
    said = [(judging.kind_of(entry), entry["subject"]) for entry in told[2:]]
    assert sorted(said) == [
        ("attendee.added", people["adele"].address.casefold()),
        ("attendee.removed", people["christie"].address.casefold()),
    ]
    event = await serving.tenant.find_event(meeting.owner, "/me/calendar", meeting.uid)
    assert judging.fold(told) == judging.read_calendar(event)


async def test_a_meeting_that_moves_and_is_cancelled_says_so_once(serving: Stage) -> None:
    tenant, people = serving.tenant, serving.tenant.people
    meeting = await make_meeting(serving, people["alex"])
    await settle(serving, [meeting])
    await tenant.advance(5)
    await tenant.answer(people["megan"], meeting.uid, "accept")
    meeting.invited = [
        Invited(person=people["megan"], kind=Kind.REQUIRED, plan=[], given=[Given(how="accept")]),
    ]
    await settle(serving, [meeting])
    await tenant.advance(60)

    start = meeting.start + timedelta(days=1)
    await change(serving, meeting, start=spell(start), end=spell(start + timedelta(minutes=45)))
    told = await wait_for(serving, meeting, "event.rescheduled")
    event = await tenant.find_event(meeting.owner, "/me/calendar", meeting.uid)
    assert judging.fold(told) == judging.read_calendar(event)
    await tenant.advance(5)
    await tenant.answer(people["megan"], meeting.uid, "decline")
    told = await wait_for(serving, meeting, "response.confirmed", 2)
    event = await tenant.find_event(meeting.owner, "/me/calendar", meeting.uid)
    assert judging.fold(told) == judging.read_calendar(event)
    assert judging.fold(told)[people["megan"].address.casefold()] == "declined"

    path = f"/me/events/{quote(event['id'], safe='')}/cancel"
    await tenant.graph("POST", path, meeting.owner, {"comment": "Sorry"})
    told = await wait_for(serving, meeting, "event.cancelled")
    check_entries(told)
    kinds = [judging.kind_of(entry) for entry in told]
    assert kinds.count("event.rescheduled") == 1
    assert kinds[-1] == "event.cancelled"
    assert judging.fold(told) == {}
    assert judging.read(told[-1])["tally"] == judging.NOBODY


async def test_an_owner_who_is_added_is_told_by_snapshots_and_then_followed(serving: Stage) -> None:
    tenant, people = serving.tenant, serving.tenant.people
    owner = await tenant.add_user("Newly Watched", "new.ly@contoso.com", delegates=[people["adele"].address])
    meeting = await make_meeting(serving, owner)
    for invited in meeting.invited[:1]:
        await tenant.answer(invited.person, meeting.uid, "accept")
        invited.given.append(invited.plan.pop())

    await serving.run_json("owners", "add", "New.Ly@contoso.com")
    told = await wait_for(serving, meeting, "response.snapshot", 2)

    assert {judging.kind_of(entry) for entry in told} <= {"response.snapshot", "response.confirmed"}
    assert judging.fold(told) == judging.expect_fold(meeting)
    await tenant.advance(5)
    await tenant.answer(meeting.invited[0].person, meeting.uid, "decline")
    told = await wait_for(serving, meeting, "response.changed")
    assert judging.fold(told)[meeting.invited[0].address] == "declined"
    removed = await serving.run_json("owners", "remove", "New.Ly@contoso.com")
    assert removed["purged"] is True
    assert len(await tenant.control("subscriptions")) == 2
