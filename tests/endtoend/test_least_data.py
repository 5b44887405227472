"""What each key holds of people is what SECURITY.md says, and a removed owner leaves no name behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.streams.keys import KEYS
from tests.endtoend.deeds import Given, Invited, Kind, Meeting, Play
from tests.endtoend.stage import STREAM, Stage, open_stage
from tests.endtoend.test_ordinary_mail import read_all_keys
from tests.integration.waiting import wait_until
from tests.unit.test_security_page import read_stored

SUBJECT = "Subject-that-is-found-again"
COMMENT = "Comment-that-is-found-again"
NAME = "Nameof Guest"
ADDRESS = "guest.found.again@contoso.com"
START = datetime(2031, 1, 1, 10, tzinfo=UTC)
WORDS = {
    "subject": (SUBJECT,),
    "comment": (COMMENT,),
    "attendees": (NAME, ADDRESS),
    "owner": ("alexw@contoso.onmicrosoft.com", "Alex Wilber"),
    "delegate": ("adelev@contoso.onmicrosoft.com", "Adele Vance"),
}


@pytest.mark.parametrize("redact", ["none", "subject,comment,addresses"])
async def test_what_is_held_of_people_is_what_the_page_says(tmp_path: Path, redact: str) -> None:
    async with open_stage(tmp_path, RESPONSE_SYNC_REDACT=redact, RESPONSE_SYNC_LOG_LEVEL="info") as stage:
        await stage.start_ready("serve")
        await answer_meeting(stage)
        expected = read_stored()
        if redact != "none":
            expected["PARTITION"] = set()

        held = find_held(await read_all_keys(stage.redis))

        assert "{PARTITION}:meeting:<owner>:<meeting>" in held
        assert {
            pattern: kinds - expected[pattern] for pattern, kinds in held.items() if kinds - expected[pattern]
        } == {}
        lasting = {"PARTITION", "{PARTITION}:meeting:<owner>:<meeting>", "{STREAM}:book:<book>"}
        assert {pattern: held[pattern] for pattern in lasting} == {one: expected[one] for one in lasting}
        log = stage.running["serve"].read_log()
        assert [mark for marks in WORDS.values() for mark in marks if mark in log] == []
        people = stage.tenant.people
        assert {people["alex"].id, people["adele"].id} <= read_audit(log)

        await remove_owner(stage)


def read_audit(log: str) -> set[str]:
    """Give the mailboxes of which a log says that they were read, and how."""
    lines = [json.loads(line) for line in log.splitlines() if '"mailbox.accessed"' in line]
    assert {line["kind"] for line in lines} >= {"message", "event"}
    assert all(isinstance(line["status"], int) for line in lines)
    return {line["mailbox"] for line in lines}


async def answer_meeting(stage: Stage) -> None:
    """Let a guest answer a meeting of Alex, which Adele made, with a comment; wait until it is told."""
    people = stage.tenant.people
    guest = await stage.tenant.add_user(NAME, ADDRESS)
    body = {
        "subject": SUBJECT,
        "start": {"dateTime": "2031-01-01T10:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2031-01-01T11:00:00", "timeZone": "UTC"},
        "attendees": [{"emailAddress": {"address": ADDRESS, "name": NAME}, "type": "required"}],
    }
    event = await stage.tenant.create_meeting(people["adele"], people["alex"], body)
    given = Given(how="accept", comment=COMMENT)
    invited = Invited(person=guest, kind=Kind.REQUIRED, plan=[given])
    play = Play(stage.tenant, 2)
    play.meetings.append(
        Meeting(owner=people["alex"], by=people["adele"], event=event, start=START, invited=[invited])
    )
    await play.play_round()

    async def is_confirmed() -> bool:
        types = [one["type"] for one in await stage.read_stream()]
        return "responsesync.response.confirmed" in types and await stage.is_quiet()

    await wait_until(is_confirmed)


def find_held(keys: Mapping[str, str]) -> dict[str, set[str]]:
    """Give what keys hold of people, by their patterns."""
    held: dict[str, set[str]] = {}
    for name, text in keys.items():
        (pattern,) = [key.pattern for key in KEYS if key.matches(name, STREAM, 1)]
        lowered = text.lower()
        found = {kind for kind, marks in WORDS.items() if any(mark.lower() in lowered for mark in marks)}
        held.setdefault(pattern, set()).update(found)
    return held


async def remove_owner(stage: Stage) -> None:
    """Take Alex off the roster: but for what consumers were told, nothing names him or whom he met."""
    alex = stage.tenant.people["alex"]
    ended = await stage.run("owners", "remove", alex.address)
    assert ended.code == 0, ended
    marks = [alex.id.lower(), *(mark.lower() for marks in WORDS.values() for mark in marks)]
    found: list[str] = []

    async def is_forgotten() -> bool:
        nonlocal found
        keys = await read_all_keys(stage.redis)
        del keys[STREAM]
        found = [name for name, text in keys.items() if any(mark in text.lower() for mark in marks)]
        return not found and not await stage.tenant.control("subscriptions")

    try:
        await wait_until(is_forgotten)
    except TimeoutError:
        raise AssertionError(f"still named in {found}") from None
