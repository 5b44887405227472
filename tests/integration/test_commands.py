"""The commands that read and change what is kept in Redis, against a real server."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.bootstrap.deciding import build_committer
from service.bootstrap.redis_side import Streams
from service.clock import SystemClock
from service.commands import requests
from service.ports import Book
from service.reconcile.model import Address, Fact, MailboxKey, MeetingKey
from service.roster import WatchedOwner, encode_record
from service.settings import Scope, read_settings
from service.streams.update_stream import BEGINNING
from service.subscriptions.records import OwnerProgress, encode, name_owner_progress
from tests.integration.commanding import Run, with_streams
from tests.schema import check_entries
from tests.unit.reconcile.build import MEETING, OWNER, event, response, row

ALEX = WatchedOwner(
    key=OWNER,
    roster_address=Address("alex@contoso.com"),
    address="Alex@contoso.com",
    name="Alex [bold]Wilber[/bold]",
    aliases=(Address("alex@contoso.com"), Address("a.wilber@contoso.com")),
    inboxes=(MailboxKey("inbox"),),
    is_baselined=True,
)


@pytest.fixture
def held(environment: dict[str, str]) -> None:
    """A watched owner with one meeting: Christie answered by message, Megan in the calendar."""
    assert environment
    read = event(10, row("christie@contoso.com"), row("megan@contoso.com", "accepted", 5))
    read = replace(read, details=replace(read.details, subject="Lunch \x1b[2J[red]now[/red]"))
    facts: list[Fact] = [read, response("christie@contoso.com", "tentativelyAccepted", 20)]

    async def fill(streams: Streams) -> None:
        await streams.generation.ensure()
        await streams.records.write(Book.OWNERS, {ALEX.key: encode_record(ALEX)})
        committer = build_committer(read_settings(Scope.REDIS), streams, SystemClock())
        await committer.commit(ALEX, read.meeting, facts)

    with_streams(fill)


async def read_updates(streams: Streams) -> list[dict[str, str]]:
    positions = dict.fromkeys(streams.updates.streams, BEGINNING)
    return [dict(update.fields) for update in await streams.updates.read(positions, block_s=0)]


async def read_roster(streams: Streams) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in (await streams.records.read_all(Book.ROSTER)).items()}


@pytest.mark.usefixtures("held")
def test_show_tells_who_is_coming(run: Run) -> None:
    shown = json.loads(run("show", "A.Wilber@contoso.com", "--json").stdout)

    assert [one["tally"] for one in shown] == [
        {"accepted": 1, "tentativelyAccepted": 1, "declined": 0, "none": 0}
    ]
    christie = shown[0]["attendees"][0]
    assert (christie["value"], christie["standing"]) == ("tentativelyAccepted", "reported")
    assert christie["message"]["value"] == "tentativelyAccepted"
    assert christie["event"]["value"] == "none"


@pytest.mark.usefixtures("held")
def test_what_people_wrote_cannot_draw_on_the_terminal(run: Run) -> None:
    text = run("show", "alex@contoso.com", "meeting").stdout

    assert "\x1b[2J" not in text
    assert "[red]now[/red]" in text


@pytest.mark.usefixtures("held")
def test_an_owner_or_meeting_that_is_not_there_is_said_to_be_missing(run: Run) -> None:
    nobody = run("show", "nobody@contoso.com")
    assert nobody.exit_code == 1
    assert "Watched: Alex@contoso.com" in nobody.stderr

    nothing = run("show", "alex@contoso.com", "zzz")
    assert nothing.exit_code == 1
    assert "No meeting 'zzz'" in nothing.stderr


@pytest.mark.usefixtures("held")
def test_snapshot_says_everything_once_more(run: Run) -> None:
    before = len(with_streams(read_updates))

    result = run("snapshot", "alex@contoso.com", "--json")

    assert json.loads(result.stdout) == {"meetings": 1, "snapshots": 2}
    updates = with_streams(read_updates)
    check_entries(updates)
    assert [update["type"] for update in updates[before:]] == ["responsesync.response.snapshot"] * 2


@pytest.mark.usefixtures("held")
def test_tail_gives_every_update_as_one_line_of_json(run: Run) -> None:
    updates = with_streams(read_updates)

    result = run("tail", "--json", "--from-beginning", "--count", str(len(updates)))

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["fields"] for line in lines] == updates
    assert result.exit_code == 0


@pytest.mark.usefixtures("held")
def test_tail_tells_a_person_what_changed(run: Run) -> None:
    count = str(len(with_streams(read_updates)))

    text = run("tail", "--from-beginning", "--count", count).stdout

    assert "response.changed" in text
    assert "none → tentativelyAccepted" in text
    assert "\x1b[2J" not in text


def test_owners_are_added_in_normal_form_and_listed(run: Run) -> None:
    assert run("owners", "add", "ALEX@contoso.com").exit_code == 0
    assert run("owners", "add", "megan@contoso.com", "--delegate", "Adele@contoso.com").exit_code == 0

    assert with_streams(read_roster) == {
        "alex@contoso.com": {"address": "alex@contoso.com", "delegates": None},
        "megan@contoso.com": {"address": "megan@contoso.com", "delegates": ["adele@contoso.com"]},
    }
    rows = json.loads(run("owners", "list", "--json").stdout)
    assert [(each["address"], each["delegates"], each["state"]) for each in rows] == [
        ("alex@contoso.com", None, "waiting"),
        ("megan@contoso.com", ["adele@contoso.com"], "waiting"),
    ]


@pytest.mark.usefixtures("held")
def test_owners_list_says_who_is_watched(run: Run) -> None:
    run("owners", "add", "alex@contoso.com")

    (alex,) = json.loads(run("owners", "list", "--json").stdout)
    assert (alex["state"], alex["id"], alex["inboxes"]) == ("watched", OWNER, ["inbox"])


def test_what_is_no_address_is_refused(run: Run) -> None:
    result = run("owners", "add", "alex")

    assert result.exit_code == 1
    assert "'alex' is no address" in result.stderr
    assert with_streams(read_roster) == {}


def test_an_owner_who_is_not_on_the_roster_cannot_be_removed(run: Run) -> None:
    result = run("owners", "remove", "alex@contoso.com")

    assert result.exit_code == 1
    assert "not on the roster" in result.stderr


async def note_progress(streams: Streams) -> None:
    """Do what a keeper does when it takes an owner up."""
    progress = OwnerProgress(added_at=datetime.now(UTC), key=OWNER)
    await streams.records.write(Book.MAILBOXES, {name_owner_progress(ALEX.roster_address): encode(progress)})


def test_removing_says_when_no_keeper_has_purged_yet(run: Run) -> None:
    run("owners", "add", "alex@contoso.com")
    with_streams(note_progress)

    result = run("owners", "remove", "alex@contoso.com", "--wait-s", "0")

    assert result.exit_code == 0
    assert with_streams(read_roster) == {}
    assert "off the roster" in result.stdout


def test_apply_shows_the_difference_and_asks(run: Run, tmp_path: Path) -> None:
    run("owners", "add", "old@contoso.com")
    file = tmp_path / "owners.toml"
    file.write_text('[[owners]]\naddress = "alex@contoso.com"\n')

    refused = run("owners", "apply", str(file), typed="n\n")
    assert refused.exit_code == 1
    assert "+ alex@contoso.com" in refused.stdout
    assert "- old@contoso.com" in refused.stdout
    assert set(with_streams(read_roster)) == {"old@contoso.com"}

    applied = run("owners", "apply", str(file), "--yes", "--wait-s", "0", "--json")
    assert json.loads(applied.stdout) == {
        "added": ["alex@contoso.com"],
        "changed": [],
        "removed": ["old@contoso.com"],
    }
    assert set(with_streams(read_roster)) == {"alex@contoso.com"}


def test_a_roster_file_that_is_wrong_is_a_settings_fault(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "owners.toml"
    file.write_text('[[owners]]\nadress = "alex@contoso.com"\n')

    result = run("owners", "apply", str(file))

    assert result.exit_code == 2
    assert "no member 'adress'" in result.stderr


def test_redis_that_is_away_is_said_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:a-password@127.0.0.1:1/0")
    monkeypatch.setenv("RESPONSE_SYNC_REDIS_RETRIES_MAX", "0")

    result = run("owners", "list")

    assert result.exit_code == 1
    assert result.stderr.startswith("Redis is away")
    assert "a-password" not in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("held")
def test_explain_tells_facts_rule_and_what_was_published(run: Run) -> None:
    told = json.loads(run("explain", "alex@contoso.com", "meeting", "christie@contoso.com", "--json").stdout)

    assert (told["owner"], told["meeting"], told["publishedSearchedTo"]) == ("Alex@contoso.com", MEETING, "")
    (christie,) = told["attendees"]
    (whole,) = christie["instances"]
    assert whole["now"]["value"] == "tentativelyAccepted"
    assert whole["now"]["situation"] == "message alone"
    assert whole["now"]["because"] == "only a message tells of an answer"
    (answer,) = whole["answers"]
    assert (answer["verdict"], answer["counts"], answer["taken"]) == ("present_slot", True, True)
    assert [(one["type"], one["value"]) for one in whole["published"]] == [
        ("attendee.added", "none"),
        ("response.changed", "tentativelyAccepted"),
    ]
    ids = [update["id"] for update in with_streams(read_updates) if update["subject"] == christie["address"]]
    assert [one["id"] for one in whole["published"]] == ids
    assert whole["told"] == {
        "present": True,
        "value": "tentativelyAccepted",
        "standing": None,
        "proposal": None,
        "here": True,
    }
    assert [entry["fate"] for entry in whole["journal"]["answers"]] == ["published"]


@pytest.mark.usefixtures("held")
def test_explain_tells_of_everyone_and_of_what_was_skipped(run: Run) -> None:
    async def answer_late(streams: Streams) -> None:
        committer = build_committer(read_settings(Scope.REDIS), streams, SystemClock())
        await committer.commit(ALEX, MEETING, [response("christie@contoso.com", "declined", 15)])

    with_streams(answer_late)
    told = json.loads(run("explain", "Alex [bold]Wilber[/bold]", "lunch", "--json").stdout)

    christie, megan = told["attendees"]
    journal = christie["instances"][0]["journal"]
    assert [(entry["value"], entry["fate"]) for entry in journal["answers"]] == [
        ("declined", "superseded"),
        ("tentativelyAccepted", "published"),
    ]
    assert journal["skipped"] == 1
    assert megan["instances"][0]["journal"]["skipped"] == 0
    text = run("explain", "alex@contoso.com", "lunch").stdout
    assert "skipped: a later one was known when it was read" in text


@pytest.mark.usefixtures("held")
def test_explain_says_how_far_back_it_looked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPONSE_SYNC_EXPLAIN_UPDATES_MAX", "1")
    told = json.loads(run("explain", "alex@contoso.com", "meeting", "--json").stdout)
    published = [one for each in told["attendees"] for one in each["instances"][0]["published"]]
    assert [one["entry"] for one in published] == [told["publishedSearchedTo"]]
    assert "were not looked at" in run("explain", "alex@contoso.com", "meeting").stdout


@pytest.mark.usefixtures("held")
def test_explain_finds_redacted_attendees_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPONSE_SYNC_REDACT", "addresses")
    monkeypatch.setenv("RESPONSE_SYNC_SECRET_KEY", "k" * 40)
    run("snapshot", "alex@contoso.com")
    told = json.loads(run("explain", "alex@contoso.com", "meeting", "megan@contoso.com", "--json").stdout)
    published = told["attendees"][0]["instances"][0]["published"]
    assert [one["type"] for one in published] == ["response.snapshot"]


@pytest.mark.usefixtures("held")
def test_what_people_wrote_cannot_draw_in_an_explanation(run: Run) -> None:
    text = run("explain", "alex@contoso.com", "meeting").stdout
    assert "\x1b[2J" not in text
    assert "[red]now[/red]" in text


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("named", ["MEETING", "id-", "meeting", "NOW[/RED]"])
def test_a_meeting_is_found_by_key_event_id_or_a_part_of_its_subject(run: Run, named: str) -> None:
    assert json.loads(run("explain", "alex@contoso.com", named, "--json").stdout)["meeting"] == MEETING
    assert json.loads(run("show", "alex@contoso.com", named, "--json").stdout)[0]["meeting"] == MEETING


@pytest.mark.usefixtures("held")
def test_what_names_several_meetings_is_refused_with_their_keys(run: Run) -> None:
    async def hold_another(streams: Streams) -> None:
        committer = build_committer(read_settings(Scope.REDIS), streams, SystemClock())
        read = event(10, row("megan@contoso.com"))
        other = replace(
            read, meeting=MeetingKey("other"), details=replace(read.details, subject="Late lunch")
        )
        await committer.commit(ALEX, other.meeting, [other])

    with_streams(hold_another)
    refused = run("explain", "alex@contoso.com", "lunch")
    assert refused.exit_code == 1
    assert "2 meetings are like 'lunch'" in refused.stderr
    assert "(meeting, other)" in refused.stderr
    assert run("explain", "alex@contoso.com", "late", "--json").exit_code == 0


@pytest.mark.usefixtures("held")
def test_an_attendee_is_found_by_name_and_one_unknown_is_said_to_be(run: Run) -> None:
    told = json.loads(run("explain", "alex@contoso.com", "meeting", "megan", "--json").stdout)
    assert [one["address"] for one in told["attendees"]] == ["megan@contoso.com"]
    refused = run("explain", "alex@contoso.com", "meeting", "nobody")
    assert refused.exit_code == 1
    assert "Held: christie@contoso.com, megan@contoso.com" in refused.stderr
    several = run("explain", "alex@contoso.com", "meeting", "contoso")
    assert "2 attendees are like" in several.stderr


# --- what the keeper is asked for ---

ASKING = [("resync",), ("subscriptions", "renew"), ("subscriptions", "recreate"), ("subscriptions", "delete")]


async def read_requests(streams: Streams) -> list[str]:
    return sorted(await streams.records.read_all(Book.REQUESTS))


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_without_a_keeper_nothing_is_done_and_that_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(requests, "KEEPER_PATIENCE_S", 0.2)
    result = run(*command)
    assert result.exit_code == 1
    assert "No keeper is running, so nothing was done" in result.stderr
    assert with_streams(read_requests) == []


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_a_request_can_be_left_without_waiting(run: Run, command: tuple[str, ...]) -> None:
    result = run(*command, "--wait-s", "0", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert (told["request"], told["ended"], told["takenUp"]) == (command[-1], False, False)
    (name,) = with_streams(read_requests)
    assert name.startswith(f"{command[-1]}||")


@pytest.mark.usefixtures("held")
def test_what_is_asked_for_has_to_be_there(run: Run) -> None:
    unknown = run("resync", "nobody@contoso.com")
    assert unknown.exit_code == 1
    assert "No owner 'nobody@contoso.com' is watched" in unknown.stderr
    run("owners", "add", "new@contoso.com")
    waiting = run("subscriptions", "renew", "new@contoso.com")
    assert waiting.exit_code == 1
    assert "new@contoso.com is not watched: it was not looked up yet" in waiting.stderr
    assert with_streams(read_requests) == []


@pytest.mark.usefixtures("held")
def test_a_keeper_that_does_not_come_to_an_end_in_time_goes_on(run: Run) -> None:
    async def lead(streams: Streams) -> None:
        assert await streams.lease.acquire("somebody", duration_s=60)

    with_streams(lead)
    result = run("resync", "alex@contoso.com", "--wait-s", "0.5")
    assert result.exit_code == 1
    assert "no keeper has taken it up yet" in result.stdout
    assert len(with_streams(read_requests)) == 1
