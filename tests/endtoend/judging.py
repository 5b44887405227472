"""What the stream must hold, from what people did and from the calendars. Knows nothing of the service.

Holds for meetings whose attendees answered more than the tolerance apart, each answer told before the next.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from tests.endtoend.deeds import Given, Invited, Kind, Meeting
from tests.schema import check_entries

PREFIX = "responsesync."
NOBODY = {"accepted": 0, "tentativelyAccepted": 0, "declined": 0, "none": 0}

Entry = Mapping[str, str]
Said = tuple[str, str | None, str | None]
"""Type, value, previous."""


def spell_source(meeting: Meeting) -> str:
    """Give the source of a meeting's entries: all but the unreserved characters are percent-encoded."""
    return f"/owners/{quote(meeting.owner.id, safe='')}/meetings/{quote(meeting.key, safe='')}"


def select(entries: Sequence[Entry], meeting: Meeting) -> list[Entry]:
    source = spell_source(meeting)
    return [entry for entry in entries if entry["source"] == source]


def expect(invited: Invited) -> list[Said]:
    """Give what must be said of one attendee, without proposals, in this order."""
    said: list[Said] = [("attendee.added", "none", None)]
    value = "none"
    for given in invited.told:
        if given.value != value:
            said.append(("response.changed", given.value, value))
            said.append(("response.confirmed", given.value, given.value))
            value = given.value
    return said


def expect_proposals(invited: Invited) -> list[int]:
    """Give the proposals that must be told, as hours after the start: each that differs from the one held.

    Another answer without a proposal takes the one held away.
    """
    held: int | None = None
    value = "none"
    told = []
    for given in invited.told:
        if given.value != value and given.proposal is None:
            held = None
        value = given.value
        if given.proposal is not None and given.proposal != held:
            told.append(given.proposal)
            held = given.proposal
    return told


def list_said(entries: Sequence[Entry], invited: Invited) -> list[Said]:
    """Give what was said of one attendee, without proposals."""
    return [
        (kind, read(entry)["response"]["value"], read(entry)["response"]["previous"])
        for entry in entries
        if (kind := kind_of(entry)) != "newtime.proposed" and entry.get("subject") == invited.address
    ]


def find_missing(entries: Sequence[Entry], meetings: Sequence[Meeting]) -> list[str]:
    """Say what is not told yet; empty once the stream is as long as it must be."""
    missing = []
    for meeting in meetings:
        told = select(entries, meeting)
        for invited in meeting.invited:
            said, wanted = list_said(told, invited), expect(invited)
            if len(said) < len(wanted):
                missing.append(f"{meeting.owner.name}, {invited.address}: {said} of {wanted}")
    return missing


# --- judging ---


def judge(entries: Sequence[Entry], meetings: Sequence[Meeting]) -> None:
    """Judge a whole stream.

    Raises:
        AssertionError: with the first thing that is wrong.
    """
    check_entries(entries)
    ids = Counter((entry["source"], entry["id"]) for entry in entries)
    assert max(ids.values(), default=1) == 1, ids.most_common(1)
    sources = {spell_source(meeting) for meeting in meetings}
    assert {entry["source"] for entry in entries} <= sources
    for meeting in meetings:
        told = select(entries, meeting)
        for invited in meeting.invited:
            assert list_said(told, invited) == expect(invited), (spell_source(meeting), invited.address)
            _judge_proposals(told, invited)
        judge_tallies(told)


def _judge_proposals(told: Sequence[Entry], invited: Invited) -> None:
    proposed = [
        entry
        for entry in told
        if kind_of(entry) == "newtime.proposed" and entry["subject"] == invited.address
    ]
    assert len(proposed) == len(expect_proposals(invited)), (invited.address, invited.given, proposed)


def judge_tallies(told: Sequence[Entry]) -> None:
    """Check each tally against a count of our own.

    Entries of one commit share the tally of its end: an entry's tally is the count after it, or it is that of
    the entry that follows.
    """
    held: dict[str, tuple[str, str]] = {}
    for at, entry in enumerate(told):
        data = read(entry)
        if (subject := entry.get("subject")) is not None:
            held[subject] = (data["response"]["value"], data["attendee"]["type"])
        if kind_of(entry) == "attendee.removed":
            del held[entry["subject"]]
        is_followed = at + 1 < len(told) and read(told[at + 1])["tally"] == data["tally"]
        assert is_followed or data["tally"] == count(held), (entry["id"], data["tally"], held)


def count(held: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    """Count required and optional attendees by value."""
    counted = Counter(_no_answer(value) for value, kind in held.values() if kind != Kind.RESOURCE)
    return {value: counted[value] for value in NOBODY}


def fold(told: Sequence[Entry]) -> dict[str, str]:
    """Give who is there with which value, as a consumer of one source holds it; of the highest epoch only."""
    newest = max((int(entry["epoch"]) for entry in told), default=0)
    held: dict[str, str] = {}
    for entry in told:
        if int(entry["epoch"]) != newest:
            continue
        if kind_of(entry) in ("event.cancelled", "event.deleted"):
            held.clear()
        elif kind_of(entry) == "attendee.removed":
            held.pop(entry["subject"], None)
        elif "subject" in entry:
            held[entry["subject"]] = _no_answer(read(entry)["response"]["value"])
    return held


def expect_fold(meeting: Meeting) -> dict[str, str]:
    """Give who must be there with which value, from what people did."""
    return {one.address: one.told[-1].value if one.told else "none" for one in meeting.invited}


def read_calendar(event: Mapping[str, Any]) -> dict[str, str]:
    """Give who is there with which value, from the organizer's event as Graph gives it."""
    return {
        row["emailAddress"]["address"].casefold(): _no_answer(row["status"]["response"])
        for row in event["attendees"]
    }


def judge_last_words(told: Sequence[Entry], event: Mapping[str, Any], meeting: Meeting) -> None:
    """Check what the last entry of each attendee carries against calendar and people.

    Args:
        event: the organizer's event as Graph gives it now.
    """
    rows = {row["emailAddress"]["address"].casefold(): row for row in event["attendees"]}
    for invited in meeting.invited:
        entry = [one for one in told if one.get("subject") == invited.address][-1]
        data, row = read(entry), rows[invited.address]
        assert data["owner"] == {
            "id": meeting.owner.id,
            "address": meeting.owner.address,
            "name": meeting.owner.name,
        }
        names = ("id", "iCalUId", "subject", "start", "end", "isAllDay", "type")
        assert {name: data["event"][name] for name in names} == {name: event[name] for name in names}
        assert data["attendee"]["type"] == invited.kind
        assert data["attendee"]["name"] == row["emailAddress"]["name"]
        if invited.told:
            _judge_answer(entry, data, row, invited.told[-1])
        else:
            assert "time" not in entry
            assert (data["response"]["value"], data["standing"]) == ("none", "none")


def _judge_answer(entry: Entry, data: dict[str, Any], row: Mapping[str, Any], given: Given) -> None:
    assert data["standing"] == "confirmed"
    assert data["witnesses"]["event"]["response"] == row["status"]["response"] == given.value
    assert data["witnesses"]["message"]["mailbox"]
    assert entry["time"] == data["response"]["time"]
    assert not data["overdue"]


def read(entry: Entry) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(entry["data"])
    return data


def kind_of(entry: Entry) -> str:
    return entry["type"].removeprefix(PREFIX)


def _no_answer(value: str) -> str:
    return "none" if value in ("notResponded", "organizer") else value


# --- judging where processes died: answers may have been skipped, but only answers given in between ---


def find_unsettled(entries: Sequence[Entry], meetings: Sequence[Meeting]) -> list[str]:
    """Say who is not yet told with their last answer, confirmed; empty once everybody is."""
    unsettled = []
    for meeting in meetings:
        told = select(entries, meeting)
        for invited in meeting.invited:
            said = [(kind, value) for kind, value, _ in list_said(told, invited)]
            wanted = (
                ("response.confirmed", invited.told[-1].value) if invited.told else ("attendee.added", "none")
            )
            if not said or said[-1] != wanted:
                unsettled.append(f"{meeting.owner.name}, {invited.address}: {said[-2:]}, wanted {wanted}")
    return unsettled


def judge_after_deaths(entries: Sequence[Entry], meetings: Sequence[Meeting]) -> None:
    """Judge a stream of one epoch per meeting: nothing twice, nothing invented, everybody's last answer.

    Raises:
        AssertionError: with the first thing that is wrong.
    """
    check_entries(entries)
    assert {entry["source"] for entry in entries} == {spell_source(meeting) for meeting in meetings}
    for meeting in meetings:
        told = select(entries, meeting)
        assert len({entry["epoch"] for entry in told}) == 1
        assert fold(told) == expect_fold(meeting)
        judge_tallies(told)
        for invited in meeting.invited:
            _judge_subsequence(list_said(told, invited), invited)


def _judge_subsequence(said: Sequence[Said], invited: Invited) -> None:
    """Check that the values told are some of those given, in order, each told once and from the last."""
    assert said[0] == ("attendee.added", "none", None), said
    assert [kind for kind, _, _ in said].count("attendee.added") == 1, said
    changes = [(value or "", previous) for kind, value, previous in said if kind == "response.changed"]
    values = ["none", *(value for value, _ in changes)]
    assert [previous for _, previous in changes] == values[:-1], said
    given = iter([str(one.value) for one in invited.told])
    assert all(value in given for value in values[1:]), (said, invited.told)
    confirmed = [at for at, one in enumerate(said) if one[0] == "response.confirmed"]
    assert all(said[at - 1][:2] == ("response.changed", said[at][1]) for at in confirmed), said
