"""Values in the words of a case's `expected.json`: plain, short, and whole.

What is unset (None, empty, false) is left out, so that a case shows what matters. In a slot, where None and
empty differ, only what is unknown is left out.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime

from service.errors import GraphError, PayloadError, ThrottledError
from service.reconcile.instant import Instant
from service.reconcile.model import Slot


def describe(value: object) -> object:
    """Give a value as JSON would hold it."""
    if isinstance(value, Instant):
        return _describe_instant(value)
    if isinstance(value, Slot):
        return _describe_slot(value)
    if isinstance(value, tuple | list):
        return [describe(one) for one in value]
    if dataclasses.is_dataclass(value):
        members = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: describe(member) for name, member in members.items() if not _is_unset(member)}
    return value.isoformat() if isinstance(value, datetime) else value


def describe_error(error: GraphError) -> dict[str, object]:
    """Give an error: its class, and what its attributes hold."""
    words: dict[str, object] = {"error": type(error).__name__, "code": error.code}
    if error.status:
        words["status"] = error.status
    if error.request_id:
        words["request_id"] = error.request_id
    if isinstance(error, ThrottledError):
        words["retry_after_s"] = error.retry_after_s
    if isinstance(error, PayloadError):
        words["path"] = error.path
    return words


def _describe_instant(instant: Instant) -> str:
    utc = instant.to_utc_text()
    return utc if instant.text == utc else f"{utc} given as {instant.text}"


def _describe_slot(slot: Slot) -> dict[str, object]:
    members = {
        "start": None if slot.start is None else Instant(ns=slot.start, text="").to_utc_text(),
        "end": None if slot.end is None else Instant(ns=slot.end, text="").to_utc_text(),
        "is_all_day": slot.is_all_day,
        "recurrence": slot.recurrence,
    }
    return {name: member for name, member in members.items() if member is not None}


def _is_unset(member: object) -> bool:
    return member is None or member is False or member in ("", ())
