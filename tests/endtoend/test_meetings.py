"""Meetings with odd names, counts and answers: the stream holds what people did, each change once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.endtoend import judging
from tests.endtoend.deeds import Play
from tests.endtoend.people import Person
from tests.endtoend.settling import judge_calendars, settle
from tests.endtoend.stage import Stage, open_stage


async def add_rooms(stage: Stage) -> list[tuple[Person, str]]:
    """Add two rooms; the one accepts by itself, the other declines."""
    free = await stage.tenant.add_user("Room 1 (100%)", "room1@contoso.com", purpose="room")
    full = await stage.tenant.add_user("Room 2", "room2@contoso.com", purpose="room", auto_answer="declined")
    return [(free, "accept"), (full, "decline")]


@pytest.mark.parametrize("seed", [20261124])
async def test_the_stream_holds_what_people_did_and_each_change_once(tmp_path: Path, seed: int) -> None:
    owners = ("alexw@contoso.onmicrosoft.com", "d'arc@contoso.com", "Selma@Contoso.com", "both@contoso.com")
    async with open_stage(tmp_path, owners=owners) as stage:
        tenant = stage.tenant
        alex, adele = tenant.people["alex"], tenant.people["adele"]
        # Adele serves three owners, one of whom gets copies; Selma has no delegate and gets her own mail.
        jeanne = await tenant.add_user("Jeanne d'Arc", "D'Arc@contoso.com", delegates=[adele.address])
        selma = await tenant.add_user("Selma Søndergaard", "selma@contoso.com")
        both = await tenant.add_user(
            "Both", "both@contoso.com", delegates=[adele.address], delivery="sendToDelegateAndPrincipal"
        )
        play = Play(tenant, seed)
        await play.add_guests(9)
        play.guests += [jeanne, alex, both, tenant.people["christie"]]
        rooms = await add_rooms(stage)
        await stage.start_ready("serve")
        await stage.start("worker")  # beside the one in `serve`: the two share the work

        await stage.wait_until_ready("worker")
        await play.make_meeting(alex, adele, size=12, rooms=rooms)
        await play.make_meeting(alex, alex, size=5, rooms=rooms[:1])
        await play.make_meeting(jeanne, adele, size=4)
        await play.make_meeting(jeanne, jeanne, size=1)
        await play.make_meeting(selma, selma, size=6)
        await play.make_meeting(selma, selma, size=0)
        await play.make_meeting(both, adele, size=4)
        not_ours = await tenant.create_meeting(adele, adele, adeles_own_meeting(alex))
        await settle(stage, play.meetings)
        await tenant.answer(alex, not_ours["iCalUId"], "accept")
        while play.list_due():
            await play.play_round()
            await settle(stage, play.meetings)

        judging.judge(await stage.read_stream(), play.meetings)
        await judge_calendars(stage, play.meetings)
        for running in stage.running.values():
            assert (await running.terminate())[0] == 0


def adeles_own_meeting(guest: Person) -> dict[str, object]:
    """A meeting of the delegate herself: its answers arrive in a watched inbox, and are nobody's business."""
    return {
        "subject": "Mine alone",
        "start": {"dateTime": "2030-01-01T10:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2030-01-01T11:00:00", "timeZone": "UTC"},
        "attendees": [{"emailAddress": {"address": guest.address, "name": guest.name}, "type": "required"}],
    }
