"""A short stream, and what an example must print of it: the fold of the README, line by line."""

from __future__ import annotations

import json
from typing import Any

from redis.asyncio import Redis

from tests.schema import check_entries

SERIES = "/owners/alex/meetings/series%21"
OCCURRENCE = f"{SERIES}/instances/2030-01-08"
DINNER = "/owners/alex/meetings/dinner"
ANN, BOB = "ann@contoso.com", "bob@contoso.com"
_BORN = 1_766_000_000_000
_SAID = (
    (DINNER, 1, 1, "attendee.added", ANN, "none"),
    (DINNER, 1, 2, "attendee.added", BOB, "none"),
    (DINNER, 1, 3, "response.changed", ANN, "accepted"),
    (SERIES, 1, 1, "attendee.added", ANN, "none"),
    (SERIES, 1, 2, "response.changed", ANN, "accepted"),
    (OCCURRENCE, 1, 1, "response.changed", ANN, "declined"),
    (DINNER, 1, 3, "response.changed", ANN, "accepted"),  # published once; repeated here as after a crash
    (SERIES, 1, 3, "event.rescheduled", None, None),
    (DINNER, 1, 4, "attendee.removed", BOB, None),
    (DINNER, 2, 1, "response.snapshot", ANN, "tentativelyAccepted"),
    (OCCURRENCE, 1, 2, "event.cancelled", None, None),
    (SERIES, 1, 4, "event.deleted", None, None),
)
EXPECTED: tuple[tuple[str, dict[str, str]], ...] = (
    ("attendee.added", {ANN: "none"}),
    ("attendee.added", {ANN: "none", BOB: "none"}),
    ("response.changed", {ANN: "accepted", BOB: "none"}),
    ("attendee.added", {ANN: "none"}),
    ("response.changed", {ANN: "accepted"}),
    ("response.changed", {ANN: "declined"}),
    ("event.rescheduled", {ANN: "accepted"}),
    ("attendee.removed", {ANN: "accepted"}),
    ("response.snapshot", {ANN: "tentativelyAccepted"}),
    ("event.cancelled", {}),
    ("event.deleted", {}),
)


def build_entry(
    source: str, epoch: int, sequence: int, *, kind: str, attendee: str | None, value: str | None
) -> dict[str, str]:
    """Give an entry as the service publishes it, as far as its schema says."""
    has_answer = attendee is not None
    date = source.partition("/instances/")[2] or None
    instant = {"dateTime": "2030-01-08T12:00:00.0000000", "timeZone": "UTC"}
    answer = {"value": value, "previous": "none", "time": None, "comment": None, "proposedNewTime": None}
    data: dict[str, Any] = {
        "owner": {"id": "alex", "address": "alex@contoso.com", "name": "Alex"},
        "event": {
            "id": "AAMk",
            "iCalUId": "04",
            "seriesMasterId": "AAMm" if date else None,
            "type": "occurrence" if date else "singleInstance",
            "originalStart": f"{date}T12:00:00Z" if date else None,
            "subject": 'Dinner "at" 8',
            "start": instant,
            "end": instant,
            "isAllDay": False,
            "isCancelled": kind == "event.cancelled",
            "changeKey": "k",
            "webLink": None,
        },
        "attendee": {"address": attendee, "name": "A", "type": "required"} if has_answer else None,
        "response": {**answer, "value": value or "none"} if has_answer else None,
        "standing": "none" if has_answer else None,
        "overdue": False,
        "witnesses": {"message": None, "event": None},
        "tally": {"accepted": 0, "tentativelyAccepted": 0, "declined": 0, "none": 1},
    }
    fields = {
        "specversion": "1.0",
        "id": f"{epoch}-{sequence}",
        "source": source,
        "type": f"responsesync.{kind}",
        "epoch": str(epoch),
        "sequence": f"{sequence:020d}",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "datacontenttype": "application/json",
        "dataschema": "urn:responsesync:update:1",
        "data": json.dumps(data, separators=(",", ":")),
    }
    return {**fields, "subject": attendee} if attendee else fields


async def publish(redis: Redis, stream: str) -> None:
    """Put everything onto a stream, and something of a later version that must be passed over."""
    entries = [
        build_entry(source, _BORN + epoch, sequence, kind=kind, attendee=attendee, value=value)
        for source, epoch, sequence, kind, attendee, value in _SAID
    ]
    check_entries([one for at, one in enumerate(entries) if one not in entries[:at]])
    later = {**entries[0], "dataschema": "urn:responsesync:update:2"}
    for fields in (later, *entries):
        pairs = [text for pair in fields.items() for text in pair]
        await redis.execute_command("XADD", stream, "*", *pairs)  # type: ignore[no-untyped-call]


def judge(output: str) -> None:
    """Compare what an example printed, one line of JSON for each update, with what the stream means."""
    lines = [json.loads(line) for line in output.splitlines()]
    assert [(one["type"], one["coming"]) for one in lines] == list(EXPECTED)


async def judge_group(redis: Redis, stream: str, group: str) -> None:
    """Nothing is left: all was read and acknowledged."""
    groups: list[dict[str, Any]] = await redis.xinfo_groups(stream)
    (found,) = [one for one in groups if one["name"] == group]
    assert (found["pending"], found["lag"]) == (0, 0)
