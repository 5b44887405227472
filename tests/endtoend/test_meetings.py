"""Meetings with odd names, counts and answers: the stream holds what people did, each change once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.endtoend import judging
from tests.endtoend.deeds import Meeting, Play
from tests.endtoend.people import Person
from tests.endtoend.stage import Stage, open_stage
from tests.integration.waiting import wait_until

SETTLE_TIMEOUT_S = 20.0


async def settle(stage: Stage, meetings: list[Meeting]) -> None:
    """Wait until everything that people did so far was told, and nothing waits to be read."""
    missing: list[str] = []

    async def is_told() -> bool:
        nonlocal missing
        missing = judging.find_missing(await stage.read_stream(), meetings)
        return not missing and await stage.is_quiet()

    try:
        await wait_until(is_told, timeout_s=SETTLE_TIMEOUT_S, poll_s=0.05)
    except TimeoutError:
        raise AssertionError(f"not told in {SETTLE_TIMEOUT_S:g} s: {missing}") from None


async def read_event(stage: Stage, meeting: Meeting) -> dict[str, object]:
    """Read the organizer's event as the owner sees it."""
    return await stage.tenant.find_event(meeting.owner, "/me/calendar", meeting.uid)


async def judge_all(stage: Stage, meetings: list[Meeting]) -> None:
    """Compare stream, calendars and deeds."""
    entries = await stage.read_stream()
    judging.judge(entries, meetings)
    for meeting in meetings:
        told, event = judging.select(entries, meeting), await read_event(stage, meeting)
        assert judging.fold(told) == judging.expect_fold(meeting) == judging.read_calendar(event)
        judging.judge_last_words(told, event, meeting)
    assert await stage.count_dead() == 0


async def add_rooms(stage: Stage) -> list[tuple[Person, str]]:
    """Add two rooms; the one accepts by itself, the other declines."""
    free = await stage.tenant.add_user("Room 1 (100%)", "room1@contoso.com", purpose="room")
    full = await stage.tenant.add_user("Room 2", "room2@contoso.com", purpose="room", auto_answer="declined")
    return [(free, "accept"), (full, "decline")]


@pytest.mark.parametrize("seed", [20261124, 7])
async def test_the_stream_holds_what_people_did_and_each_change_once(tmp_path: Path, seed: int) -> None:
    owners = ("alexw@contoso.onmicrosoft.com", "d'arc@contoso.com", "Selma@Contoso.com")
    async with open_stage(tmp_path, owners=owners) as stage:
        tenant = stage.tenant
        alex, adele = tenant.people["alex"], tenant.people["adele"]
        # Adele serves two owners; Selma has no delegate and gets her own mail.
        jeanne = await tenant.add_user("Jeanne d'Arc", "D'Arc@contoso.com", delegates=[adele.address])
        selma = await tenant.add_user("Selma Søndergaard", "selma@contoso.com")
        play = Play(tenant, seed)
        await play.add_guests(9)
        play.guests += [jeanne, alex, tenant.people["christie"]]
        rooms = await add_rooms(stage)
        await stage.start_ready("serve")

        await play.make_meeting(alex, adele, size=12, rooms=rooms)
        await play.make_meeting(alex, alex, size=5, rooms=rooms[:1])
        await play.make_meeting(jeanne, adele, size=4)
        await play.make_meeting(jeanne, jeanne, size=1)
        await play.make_meeting(selma, selma, size=6)
        await play.make_meeting(selma, selma, size=0)
        not_ours = await tenant.create_meeting(adele, adele, adeles_own_meeting(alex))
        await settle(stage, play.meetings)
        await tenant.answer(alex, not_ours["iCalUId"], "accept")
        while play.list_due():
            await play.play_round()
            await settle(stage, play.meetings)

        await judge_all(stage, play.meetings)
        code, _ = await stage.running["serve"].terminate()
        assert code == 0


def adeles_own_meeting(guest: Person) -> dict[str, object]:
    """A meeting of the delegate herself: its answers arrive in a watched inbox, and are nobody's business."""
    return {
        "subject": "Mine alone",
        "start": {"dateTime": "2030-01-01T10:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2030-01-01T11:00:00", "timeZone": "UTC"},
        "attendees": [{"emailAddress": {"address": guest.address, "name": guest.name}, "type": "required"}],
    }
