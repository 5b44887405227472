"""Judges entries of the update stream by the published schema and by what design says beyond it.

Any test that produces updates hands them to `check_entries`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

SCHEMA_FILE = Path(__file__).parent.parent / "deploy" / "update.schema.json"
PREFIX = "responsesync."
ANSWERS = frozenset({"accepted", "tentativelyAccepted", "declined"})


@cache
def _validators() -> tuple[Draft202012Validator, Draft202012Validator]:
    schema = json.loads(SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)
    entry = {"$schema": schema["$schema"], "$defs": schema["$defs"], "$ref": "#/$defs/entry"}
    return (
        Draft202012Validator(entry, format_checker=FormatChecker()),
        Draft202012Validator(schema, format_checker=FormatChecker()),
    )


def check_entries(entries: Iterable[Mapping[str, str]]) -> None:
    """Check each entry of a stream, in stream order, and what holds between them.

    Raises:
        AssertionError: with the first thing that is wrong.
    """
    by_source: dict[str, list[tuple[int, int]]] = {}
    for entry in entries:
        check_entry(entry)
        by_source.setdefault(entry["source"], []).append((int(entry["epoch"]), int(entry["sequence"])))
    for source, numbers in by_source.items():
        _check_numbers(source, numbers)


def check_entry(entry: Mapping[str, str]) -> dict[str, Any]:
    """Check one entry of the update stream; gives its data.

    Raises:
        AssertionError: with the first thing that is wrong.
    """
    envelope, payload = _validators()
    _demand(envelope, dict(entry))
    data: dict[str, Any] = json.loads(entry["data"])
    _demand(payload, data)
    assert entry["id"] == f"{entry['epoch']}-{int(entry['sequence'])}"
    assert not entry.get("time", "").startswith("0001-")
    _check_kind(entry, data)
    return data


def _demand(validator: Draft202012Validator, value: object) -> None:
    faults = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
    assert not faults, faults


def _check_kind(entry: Mapping[str, str], data: dict[str, Any]) -> None:
    kind = entry["type"].removeprefix(PREFIX)
    of_attendee = (data["attendee"], data["response"], data["standing"])
    if kind.startswith("event."):
        assert "subject" not in entry
        assert of_attendee == (None, None, None)
        assert kind != "event.cancelled" or data["event"]["isCancelled"]
        return
    assert None not in of_attendee
    assert "subject" in entry
    assert entry["subject"].casefold() == data["attendee"]["address"].casefold()
    _check_answer(kind, data)
    is_instance = "/instances/" in entry["source"]
    assert is_instance == (data["event"]["type"] in ("occurrence", "exception"))


def _check_answer(kind: str, data: dict[str, Any]) -> None:
    response, standing = data["response"], data["standing"]
    match kind:
        case "response.changed":
            assert response["value"] in ANSWERS
            assert response["value"] != response["previous"]
        case "response.reset":
            assert response["value"] not in ANSWERS
            assert response["previous"] in ANSWERS
        case "response.confirmed" | "response.conflicting":
            assert standing == kind.partition(".")[2]
        case "newtime.proposed":
            assert response["proposedNewTime"] is not None
        case "attendee.added":
            assert (response["value"], standing) == ("none", "none")


def _check_numbers(source: str, numbers: list[tuple[int, int]]) -> None:
    for (epoch, sequence), (next_epoch, next_sequence) in pairwise(numbers):
        follows = next_epoch == epoch and next_sequence == sequence + 1
        is_reborn = next_epoch > epoch and next_sequence == 1
        assert follows or is_reborn, f"{source}: {next_epoch}-{next_sequence} after {epoch}-{sequence}"
    if numbers:
        assert numbers[0][1] == 1, f"{source} begins with {numbers[0]}"
