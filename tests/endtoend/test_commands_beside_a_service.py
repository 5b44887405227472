"""The commands of an operator, run beside a service that works."""

from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio

from tests.endtoend import judging
from tests.endtoend.conftest import WITHOUT_MAILBOX
from tests.endtoend.deeds import Given, Meeting, Play
from tests.endtoend.settling import settle
from tests.endtoend.stage import Stage
from tests.schema import check_entries

pytestmark = pytest.mark.asyncio(loop_scope="session")

OWNER = "alexw@contoso.onmicrosoft.com"
GRAPHS_CLOCK = "clock of Graph"  # which other tests moved ahead


@pytest_asyncio.fixture(loop_scope="session")
async def meeting(serving: Stage) -> Meeting:
    """A meeting of Alex; Megan accepted, Christie did not answer."""
    people = serving.tenant.people
    play = Play(serving.tenant, 11)
    play.guests = [people["megan"], people["christie"]]
    made = await play.make_meeting(people["alex"], people["adele"], size=2)
    for invited in made.invited:
        invited.plan = [Given(how="accept")] if invited.person.id == people["megan"].id else []
    await settle(serving, play.meetings)
    await play.play_round()
    await settle(serving, play.meetings)
    return made


async def test_snapshot_says_everything_once_more_and_the_fold_stays(
    serving: Stage, meeting: Meeting
) -> None:
    before = await serving.read_stream()

    published = await serving.run_json("snapshot", OWNER)

    entries = await serving.read_stream()
    added = entries[len(before) :]
    check_entries(entries)
    assert published["snapshots"] == len(added)
    assert {judging.kind_of(entry) for entry in added} == {"response.snapshot"}
    told = judging.select(entries, meeting)
    assert judging.fold(told) == judging.fold(judging.select(before, meeting)) == judging.expect_fold(meeting)
    fresh = judging.select(added, meeting)
    assert judging.fold(fresh) == judging.expect_fold(meeting)
    judging.judge_tallies(told)
    assert {judging.read(entry)["standing"] for entry in fresh} == {"none", "confirmed"}


async def test_show_says_who_is_coming(serving: Stage, meeting: Meeting) -> None:
    shown = await serving.run_json("show", OWNER, meeting.key)

    (one,) = shown
    assert one["meeting"] == meeting.key
    values = {row["address"]: (row["value"], row["standing"]) for row in one["attendees"]}
    people = serving.tenant.people
    assert values == {
        people["megan"].address.casefold(): ("accepted", "confirmed"),
        people["christie"].address.casefold(): ("none", "none"),
    }
    assert one["tally"] == {"accepted": 1, "tentativelyAccepted": 0, "declined": 0, "none": 1}


async def test_tail_gives_what_is_on_the_stream_and_what_comes(serving: Stage, meeting: Meeting) -> None:
    entries = await serving.read_stream()
    count = str(len(entries) + 1)

    following = asyncio.create_task(serving.run("tail", "--json", "--from-beginning", "--count", count))
    people = serving.tenant.people
    await serving.tenant.advance(5)
    await serving.tenant.answer(people["christie"], meeting.uid, "decline")
    ended = await following

    assert ended.code == 0, ended.errors
    fields = [json.loads(line)["fields"] for line in ended.output.splitlines()]
    assert fields == (await serving.read_stream())[: int(count)]
    assert judging.kind_of(fields[-1]) == "response.changed"


@pytest.mark.usefixtures("meeting")
async def test_lists_tell_owners_and_subscriptions(serving: Stage) -> None:
    owners = {row["address"]: row["state"] for row in await serving.run_json("owners", "list")}
    assert owners == {OWNER: "watched", WITHOUT_MAILBOX: "faulty"}

    rows = await serving.run_json("subscriptions", "list")

    in_graph = {one["id"] for one in await serving.tenant.control("subscriptions")}
    assert {row["subscription"] for row in rows if row["subscription"]} == in_graph
    assert all(row["graph"] for row in rows if row["subscription"])


async def test_check_names_only_the_owner_without_mailbox(serving: Stage) -> None:
    ended = await serving.run("check", "--json")

    assert ended.code == 1, ended.errors
    found = json.loads(ended.output)
    faults = [one for one in found["findings"] if one["state"] == "fault" and one["subject"] != GRAPHS_CLOCK]
    assert found["ok"] is False
    assert faults
    assert all(WITHOUT_MAILBOX in one["subject"] for one in faults), faults
    assert all(one["remedy"] for one in faults)
