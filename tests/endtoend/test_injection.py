"""What people write stays data: in the stream, in key names, on a terminal, in logs, in URLs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.endtoend.deeds import Given, Invited, Kind, Meeting, Play, spell
from tests.endtoend.stage import Stage, open_stage
from tests.endtoend.test_least_data import START
from tests.endtoend.test_ordinary_mail import read_all_keys
from tests.integration.waiting import wait_until

SUBJECT = "\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>\u202e{{7*7}}' OR 1=1 --\r\nFAKE: line"
COMMENT = '"}],"value":"declined"} \x1b[31m <img src=x onerror=alert(1)> %0d%0a'
NAME = 'Robert"); redis.call("FLUSHALL") --\x1b[5m'
ADDRESS = "bobby+{tables}'*?%00@contoso.com"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


async def test_hostile_texts_stay_what_they_are(tmp_path: Path) -> None:
    async with open_stage(tmp_path, RESPONSE_SYNC_LOG_FORMAT="text") as stage:
        await stage.start_ready("serve")
        meeting = await answer_hostile_meeting(stage)

        entries = await stage.read_stream()
        (answer,) = [one for one in entries if one["type"] == "responsesync.response.changed"]
        data = json.loads(answer["data"])
        assert data["event"]["subject"] == meeting.event["subject"]
        assert data["attendee"]["name"] == NAME
        assert data["response"]["value"] == "accepted"
        assert data["response"]["comment"] is None or COMMENT in data["response"]["comment"]
        assert len({one["source"] for one in entries}) == 1

        for name in await read_all_keys(stage.redis):
            assert re.fullmatch(r"[A-Za-z0-9:{}%._~#-]+", name), name
        owner = stage.tenant.people["alex"].address
        for arguments in (
            ["show", owner, meeting.key],
            ["explain", owner, meeting.key],
            ["tail", "--from-beginning", "--count", str(len(entries))],
        ):
            ended = await stage.run(*arguments)
            assert ended.code == 0, ended
            assert CONTROL.search(ended.output + ended.errors) is None, arguments
        assert (await stage.running["serve"].terminate())[0] == 0
        assert CONTROL.search(stage.running["serve"].read_log()) is None
        assert "owned" not in stage.running["serve"].read_log()
        asked = json.dumps(await stage.tenant.control("requests"))
        assert "<script" not in asked
        assert "FLUSHALL" not in asked


async def answer_hostile_meeting(stage: Stage) -> Meeting:
    """Let somebody with a hostile name answer a hostile meeting."""
    people = stage.tenant.people
    guest = await stage.tenant.add_user(NAME, ADDRESS)
    body = {
        "subject": SUBJECT,
        "start": spell(START),
        "end": spell(START.replace(hour=11)),
        "attendees": [{"emailAddress": {"address": ADDRESS, "name": NAME}, "type": "required"}],
    }
    event = await stage.tenant.create_meeting(people["adele"], people["alex"], body)
    invited = Invited(person=guest, kind=Kind.REQUIRED, plan=[Given(how="accept", comment=COMMENT)])
    meeting = Meeting(owner=people["alex"], by=people["adele"], event=event, start=START, invited=[invited])
    play = Play(stage.tenant, 2)
    play.meetings.append(meeting)
    await play.play_round()

    async def is_confirmed() -> bool:
        types = [one["type"] for one in await stage.read_stream()]
        return "responsesync.response.confirmed" in types and await stage.is_quiet()

    await wait_until(is_confirmed)
    return meeting
