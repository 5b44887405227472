"""Judges entries of the update stream by the published schema and by what design says beyond it.

Any test that produces updates hands them to `check_entries`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

SCHEMA_FILE = Path(__file__).parent.parent / "deploy" / "update.schema.json"
PREFIX = "responsesync."
ANSWERS = frozenset({"accepted", "tentativelyAccepted", "declined"})


@cache
def _schema() -> dict[str, Any]:
    """Give the published schema with every reference put in, which is resolved anew at each use otherwise."""
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)
    definitions = schema["$defs"]

    def put_in(part: Any) -> Any:
        if isinstance(part, list):
            return [put_in(each) for each in part]
        if not isinstance(part, dict):
            return part
        rest = {name: put_in(each) for name, each in part.items() if name not in ("$ref", "contentSchema")}
        if "$ref" not in part:
            return rest
        named: dict[str, Any] = put_in(definitions[part["$ref"].removeprefix("#/$defs/")])
        assert not rest.keys() & named.keys() - {"description"}
        return {**named, **rest}

    whole: dict[str, Any] = put_in(schema)
    return whole


@cache
def _validator_of(what: str) -> Draft202012Validator:
    """Give the validator of the `entry`, of a member of its data, or of the `data` without its members."""
    schema = _schema()
    payload = {name: part for name, part in schema.items() if name != "$defs"}
    assert payload.keys() <= {"$schema", "$id", "title", "description", "type", "required", "properties"}
    parts = {
        **payload.pop("properties"),
        "entry": schema["$defs"]["entry"],
        "data": payload,
    }
    return Draft202012Validator(parts[what], format_checker=FormatChecker())


@lru_cache(maxsize=2000)
def _list_faults(what: str, text: str) -> tuple[str, ...]:
    """Give what is wrong with a part; the owner and the event of an update are most often as in others."""
    errors = _validator_of(what).iter_errors(json.loads(text))
    return tuple(f"{what} {error.json_path}: {error.message}" for error in errors)


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
    _demand("entry", dict(entry))
    data: dict[str, Any] = json.loads(entry["data"])
    _demand("data", data)
    for member in data.keys() & _schema()["properties"].keys():
        _demand(member, data[member])
    assert entry["id"] == f"{entry['epoch']}-{int(entry['sequence'])}"
    assert not entry.get("time", "").startswith("0001-")
    _check_kind(entry, data)
    return data


def _demand(what: str, value: object) -> None:
    faults = _list_faults(what, json.dumps(value, sort_keys=True))
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
