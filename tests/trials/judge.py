"""What must be so once all is calm: each fault in words, none where every promise holds.

Knows the stream as a consumer read it, the calendars and inboxes as people read them, and what people did.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from service.reconcile.model import WHOLE
from tests.endtoend.stage import Stage
from tests.reference.consumer import Entry, Fold, fold_stream
from tests.reference.consumer import Told as Kind
from tests.reference.promises import (
    assert_consecutive_values_differ,
    assert_fold_is_derived,
    assert_no_message_replaces_a_later_answer,
    assert_stream_is_sound,
)
from tests.schema import check_entry
from tests.trials.crowd import Crowd, Meeting
from tests.trials.readings import TOLERANCE_S, MeetingName, Readings

_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NO_ANSWER: Final = frozenset({"none", "notResponded", "organizer"})
Resource = tuple[str, str]
"""`message` or `event`, and the mailbox's object id."""


# --- the fold, the derivation, the calendars ---


def find_differences(told: Sequence[Entry], readings: Readings, meeting: Meeting) -> list[str]:
    """Compare the fold of a meeting with what is derived of all that can be read, and with the calendar.

    Args:
        told: all entries of the meeting.
    """
    name = (meeting.owner.person.id, meeting.key)
    fold = fold_stream(told).get(name, Fold())
    faults = _try(_spell(name), _judge_fold, fold, readings, name)
    faults += _compare_witnesses(name, readings.events.get(name), _find_last_words(told))
    return faults + _compare_deeds(name, fold, meeting)


def _judge_fold(fold: Fold, readings: Readings, name: MeetingName) -> None:
    if name in readings.events:
        assert_fold_is_derived(fold, readings.derive(name))
    else:
        assert fold.told, "nothing was ever told of it"
        assert fold.is_over(WHOLE), f"its end was not told: {fold.people(WHOLE)}"


def _find_last_words(entries: Iterable[Entry]) -> dict[str, Mapping[str, Any]]:
    """Give the data of the last entry about each attendee of a meeting; of a series, of the whole of it."""
    whole = (entry for entry in entries if entry.said.instance == WHOLE)
    return {entry.said.attendee: entry.data for entry in whole if entry.said.attendee is not None}


def _compare_witnesses(
    name: MeetingName, event: Mapping[str, Any] | None, last: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Hold `witnesses.event` of the last entry of each attendee against the calendar.

    Its times and its changeKey are those of the moment at which something was told; its value must be right.
    """
    faults = []
    for row in list_rows(event):
        address = row["emailAddress"]["address"].casefold()
        said = last.get(address, {}).get("witnesses", {}).get("event")
        held = None if said is None else plain(said["response"])
        if held != plain(row["status"]["response"]):
            faults.append(f"{_spell(name)}, {address}: witness {held}, calendar {row['status']}")
    return faults


def find_snapshot_faults(
    told: Mapping[MeetingName, Sequence[Entry]], before: Mapping[MeetingName, int], readings: Readings
) -> list[str]:
    """Hold every member of `witnesses.event` against the calendar, in what `snapshot` has just told.

    Args:
        before: how many entries there were of each meeting before the command.
    """
    faults = []
    for name, event in readings.events.items():
        last = _find_last_words(told[name][before.get(name, 0) :])
        for row in list_rows(event):
            address = row["emailAddress"]["address"].casefold()
            held = last.get(address, {}).get("witnesses", {}).get("event")
            wanted = {
                **{key: row["status"][key] for key in ("response", "time")},
                **{key: event[key] for key in ("changeKey", "lastModifiedDateTime")},
            }
            if held != wanted:
                faults.append(f"{_spell(name)}, {address}: snapshot says {held}, the calendar {wanted}")
    return faults


def list_rows(event: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    """Give the attendees of an event that stands; none of one that is cancelled or gone."""
    return () if event is None or event["isCancelled"] else event["attendees"]


def _compare_deeds(name: MeetingName, fold: Fold, meeting: Meeting) -> list[str]:
    """Where nothing happened but answers, what people remember must be what is told."""
    if not meeting.is_plain:
        return []
    wanted = {
        guest.address.casefold(): (meeting.answers[guest.address.casefold()] or ["none"])[-1]
        for guest in meeting.guests
    }
    held = {str(address): str(one.value) for address, one in fold.people(WHOLE).items()}
    return [] if held == wanted else [f"{_spell(name)}: told {held}, answered {wanted}"]


# --- the stream by itself ---


def find_stream_faults(
    raw: Sequence[Mapping[str, str]], told: Mapping[MeetingName, Sequence[Entry]]
) -> list[str]:
    """Check what holds of any stream: its schema, sequences without gaps, nothing twice within an epoch."""
    faults = [fault for fields in raw for fault in _try(fields["id"], check_entry, fields)]
    faults += _try("stream", assert_stream_is_sound, raw)
    ids = Counter((fields["source"], fields["id"]) for fields in raw)
    faults += [f"{source} {id_} came {count} times" for (source, id_), count in ids.items() if count > 1]
    for name, entries in told.items():
        for epoch in {entry.epoch for entry in entries}:
            said = [entry.said for entry in entries if entry.epoch == epoch]
            faults += _try(_spell(name), assert_consecutive_values_differ, said)
            faults += _try(_spell(name), assert_no_message_replaces_a_later_answer, said, TOLERANCE_S)
    return faults


def list_answers(told: Sequence[Entry], meeting: Meeting) -> list[tuple[str, list[str], list[str]]]:
    """Give of each guest the answers told and those given, in order; the same twice in a row counts once."""
    values: dict[str, list[str]] = defaultdict(list)
    for said in (entry.said for entry in told):
        if said.attendee is not None and said.type in (Kind.CHANGED, Kind.SNAPSHOT):
            values[str(said.attendee)].append(str(said.value))
    return [
        (
            f"{_spell((meeting.owner.person.id, meeting.key))}, {address}",
            [value for value in values[address] if value != "none"],
            [one for at, one in enumerate(given) if at == 0 or given[at - 1] != one],
        )
        for address, given in meeting.answers.items()
    ]


def find_skipped(told: Sequence[Entry], meeting: Meeting) -> list[str]:
    """Say whose answers were not all told."""
    answers = list_answers(told, meeting)
    return [f"{who}: told {said}, given {given}" for who, said, given in answers if said != given]


def find_invented(told: Sequence[Entry], meeting: Meeting) -> list[str]:
    """Promise (c): say of whom something else was told than some of the answers given, and the last one."""
    faults = []
    for who, said, given in list_answers(told, meeting):
        rest = iter(given)
        if not all(value in rest for value in said) or said[-1:] != given[-1:]:
            faults.append(f"{who}: told {said}, given {given}")
    return faults


def find_low_epochs(before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]]) -> list[str]:
    """Say which sources were told after a loss under an epoch that is not above all from before it."""
    highest: dict[str, int] = defaultdict(int)
    for fields in before:
        highest[fields["source"]] = max(highest[fields["source"]], int(fields["epoch"]))
    low = {fields["source"] for fields in after if int(fields["epoch"]) <= highest[fields["source"]]}
    return [f"{source}: no higher epoch than {highest[source]} after the loss" for source in sorted(low)]


# --- subscriptions ---


def list_wanted(crowd: Crowd) -> set[Resource]:
    """Give what must be watched: the owners' calendars, and the inboxes that get answers for them."""
    readers = {("message", one.id) for owner in crowd.owners for one in owner.readers}
    return readers | {("event", owner.person.id) for owner in crowd.owners}


def parse_resource(resource: str) -> Resource:
    """Read what a subscription of Graph watches."""
    found = _GUID.search(resource.lower())
    assert found, resource
    return ("message" if "message" in resource.lower() else "event", found[0])


async def find_subscription_faults(stage: Stage, crowd: Crowd) -> list[str]:
    """Say which resource has no subscription in Graph, or more than one, or should have none."""
    held = Counter(parse_resource(one["resource"]) for one in await stage.tenant.control("subscriptions"))
    wanted = list_wanted(crowd)
    return [
        f"{kind} of {user}: {held[kind, user]} subscriptions in Graph"
        for kind, user in sorted(wanted | set(held))
        if held[kind, user] != (1 if (kind, user) in wanted else 0)
    ]


# --- words ---


def plain(value: str) -> str:
    return "none" if value in NO_ANSWER else value


def _spell(name: MeetingName) -> str:
    return f"owner {name[0][:8]}, meeting ..{name[1][-12:]}"


def _try(what: str, check: Callable[..., object], *arguments: object) -> list[str]:
    try:
        check(*arguments)
    except AssertionError as error:
        return [f"{what}: {error}"]
    return []
