"""How a series repeats: one text for one rule, and when the last occurrence is over. No I/O.

Source: https://learn.microsoft.com/graph/api/resources/patternedrecurrence
"""

from __future__ import annotations

import json
from datetime import date, timedelta, tzinfo
from typing import Final

from service.graph.node import Node
from service.reconcile.instant import NS_PER_S, Instant, parse_instant

_DAY_NS: Final = 86_400 * NS_PER_S

# Graph fills members that a pattern does not use with zeros and defaults, so only those that count are kept.
_PATTERN_MEMBERS: Final = {
    "daily": (),
    "weekly": ("daysOfWeek", "firstDayOfWeek"),
    "absoluteMonthly": ("dayOfMonth",),
    "relativeMonthly": ("daysOfWeek", "index"),
    "absoluteYearly": ("dayOfMonth", "month"),
    "relativeYearly": ("daysOfWeek", "index", "month"),
}
_RANGE_MEMBERS: Final = {"endDate": ("endDate",), "numbered": ("numberOfOccurrences",), "noEnd": ()}
_SPELT: Final = {name.lower(): name for name in (*_PATTERN_MEMBERS, *_RANGE_MEMBERS)}
# No two occurrences of a pattern with interval 1 are further apart.
_DAYS_APART_MAX: Final = {
    "daily": 1,
    "weekly": 7,
    "absoluteMonthly": 31,
    "relativeMonthly": 35,
    "absoluteYearly": 366,
    "relativeYearly": 372,
}


def canonical_recurrence(recurrence: Node) -> str | None:
    """Give the one text of a recurrence: compact JSON of what matters in pattern and range.

    The time zone is left out: it is the event's, and a message may not repeat it.

    Args:
        recurrence: a `patternedRecurrence`; must not be absent.

    Returns:
        None where it cannot be read.
    """
    pattern, limits = recurrence["pattern"], recurrence["range"]
    kind, end_kind = _read_type(pattern), _read_type(limits)
    if kind not in _PATTERN_MEMBERS or end_kind not in _RANGE_MEMBERS:
        recurrence.note("expected a pattern and a range that we know")
        return None
    members = {name: _read_member(pattern, name) for name in _PATTERN_MEMBERS[kind]}
    interval = pattern["interval"].number() or 1
    if interval == 1:
        members.pop("firstDayOfWeek", None)  # it moves only patterns that leave weeks out
    limit = {name: _read_member(limits, name) for name in _RANGE_MEMBERS[end_kind]}
    rule = {
        "pattern": {"type": kind, "interval": interval, **members},
        "range": {"type": end_kind, "startDate": limits["startDate"].text(), **limit},
    }
    return json.dumps(rule, sort_keys=True, separators=(",", ":"))


def find_series_end(recurrence: Node, *, start: Instant, end: Instant, zone: tzinfo) -> Instant | None:
    """Give an instant at or after the end of the last occurrence; early it must never be.

    Args:
        start, end: of the first occurrence.
        zone: of the series.

    Returns:
        None for endless series, and where the end cannot be read.
    """
    limits = recurrence["range"]
    duration_ns = max(end.ns - start.ns, 0)
    match _read_type(limits):
        case "endDate":
            last = _read_date(limits["endDate"])
            return None if last is None else _end_of_day(last, duration_ns, zone)
        case "numbered":
            count = limits["numberOfOccurrences"].number()
            days_apart = _days_apart_max(recurrence["pattern"])
            if count is None or days_apart is None:
                return None
            return reckon_instant(max(end.ns, start.ns) + max(count, 0) * days_apart * _DAY_NS)
        case _:
            return None


def _read_type(node: Node) -> str:
    return _SPELT.get(node["type"].word(), "")


def _read_member(node: Node, name: str) -> str | int | list[str] | None:
    member = node[name]
    match name:
        case "daysOfWeek":
            return sorted({day.word() for day in member.items()} - {""})
        case "firstDayOfWeek" | "index":
            return member.word() or {"firstDayOfWeek": "sunday", "index": "first"}[name]
        case "endDate":
            return member.text()
        case _:
            return member.number()


def _read_date(node: Node) -> date | None:
    try:
        return date.fromisoformat((node.text() or "")[:10])
    except ValueError:
        node.note("expected a date")
        return None


def _end_of_day(day: date, duration_ns: int, zone: tzinfo) -> Instant | None:
    try:
        midnight = parse_instant(f"{day + timedelta(days=1)}T00:00:00", zone)
    except OverflowError:
        return None
    return reckon_instant(midnight.ns + duration_ns)


def _days_apart_max(pattern: Node) -> int | None:
    days = _DAYS_APART_MAX.get(_read_type(pattern))
    return None if days is None else days * max(pattern["interval"].number() or 1, 1)


def reckon_instant(ns: int) -> Instant | None:
    """Give the instant of so many nanoseconds; None beyond the year 9999."""
    try:
        return Instant(ns=ns, text=Instant(ns=ns, text="").to_utc_text())
    except OverflowError:
        return None
