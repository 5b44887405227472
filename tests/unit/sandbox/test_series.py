"""The dates of a recurrence, pattern by pattern."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.series import DAYS, INDEXES, Recurrence, begin_on_first_date, parse_recurrence

PACIFIC = "Pacific Standard Time"


def _read(pattern: dict[str, Any], start: str = "2026-01-31", zone: str = "UTC", **range_: Any) -> Recurrence:
    value = {"pattern": {"interval": 1, **pattern}, "range": {"type": "noEnd", "startDate": start, **range_}}
    return parse_recurrence(value, start=datetime(2026, 1, 31, 9, tzinfo=UTC), zone=zone, is_all_day=False)


def _first(recurrence: Recurrence, count: int) -> list[str]:
    return [day.isoformat() for day in islice(recurrence.dates(), count)]


@pytest.mark.parametrize(
    ("pattern", "dates"),
    [
        ({"type": "daily"}, ["2026-01-31", "2026-02-01", "2026-02-02"]),
        ({"type": "daily", "interval": 3}, ["2026-01-31", "2026-02-03", "2026-02-06"]),
        (
            {"type": "weekly", "daysOfWeek": ["monday", "friday"]},
            ["2026-02-02", "2026-02-06", "2026-02-09"],
        ),
        (
            {"type": "weekly", "interval": 2, "daysOfWeek": ["saturday", "sunday"]},
            ["2026-01-31", "2026-02-08", "2026-02-14"],
        ),
        (
            {
                "type": "weekly",
                "interval": 2,
                "daysOfWeek": ["saturday", "sunday"],
                "firstDayOfWeek": "monday",
            },
            ["2026-01-31", "2026-02-01", "2026-02-14"],
        ),
        ({"type": "absoluteMonthly", "dayOfMonth": 31}, ["2026-01-31", "2026-02-28", "2026-03-31"]),
        (
            {"type": "absoluteMonthly", "interval": 2, "dayOfMonth": 15},
            ["2026-03-15", "2026-05-15", "2026-07-15"],
        ),
        (
            {"type": "relativeMonthly", "daysOfWeek": ["tuesday"], "index": "second"},
            ["2026-02-10", "2026-03-10", "2026-04-14"],
        ),
        (
            {"type": "relativeMonthly", "daysOfWeek": ["monday", "friday"], "index": "last"},
            ["2026-02-27", "2026-03-30", "2026-04-27"],
        ),
        (
            {"type": "absoluteYearly", "dayOfMonth": 29, "month": 2},
            ["2026-02-28", "2027-02-28", "2028-02-29"],
        ),
        (
            {"type": "relativeYearly", "daysOfWeek": ["thursday"], "index": "fourth", "month": 11},
            ["2026-11-26", "2027-11-25", "2028-11-23"],
        ),
    ],
)
def test_a_pattern_has_its_dates(pattern: dict[str, Any], dates: list[str]) -> None:
    assert _first(_read(pattern), 3) == dates


def test_a_range_ends_after_a_number_or_on_a_date() -> None:
    assert len(_first(_read({"type": "daily"}, type="numbered", numberOfOccurrences=5), 99)) == 5
    assert _first(_read({"type": "daily"}, type="endDate", endDate="2026-02-02"), 99)[-1] == "2026-02-02"


def test_an_occurrence_keeps_its_time_of_day_over_a_change_of_the_clocks() -> None:
    recurrence = _read({"type": "weekly", "daysOfWeek": ["monday"]}, "2026-03-02", PACIFIC)
    first = datetime(2026, 3, 2, 17, tzinfo=UTC), datetime(2026, 3, 2, 18, tzinfo=UTC)
    for day, hour in ((date(2026, 3, 2), 17), (date(2026, 3, 9), 16)):
        start, end = recurrence.place(day, first)
        assert (start, end) == (
            datetime(day.year, day.month, day.day, hour, tzinfo=UTC),
            datetime(day.year, day.month, day.day, hour + 1, tzinfo=UTC),
        )


def test_an_occurrence_over_the_change_of_the_clocks_keeps_both_its_wall_times() -> None:
    recurrence = _read({"type": "daily"}, "2026-03-07", PACIFIC)
    first = datetime(2026, 3, 7, 7, tzinfo=UTC), datetime(2026, 3, 7, 12, tzinfo=UTC)  # 23 to 4 o'clock
    start, end = recurrence.place(date(2026, 3, 7), first)
    assert (start, end) == (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 3, 8, 11, tzinfo=UTC))


@given(
    kind=st.sampled_from(
        ["daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"]
    ),
    interval=st.integers(1, 6),
    days=st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True),
    day=st.integers(1, 31),
    month=st.integers(1, 12),
    index=st.sampled_from(INDEXES),
    start=st.dates(date(2000, 1, 1), date(2090, 1, 1)),
)
def test_dates_rise_and_begin_where_the_range_does(
    *, kind: str, interval: int, days: list[str], day: int, month: int, index: str, start: date
) -> None:
    recurrence = _read(
        {
            "type": kind,
            "interval": interval,
            "daysOfWeek": days,
            "dayOfMonth": day,
            "month": month,
            "index": index,
        },
        start.isoformat(),
    )
    dates = list(islice(recurrence.dates(), 12))
    assert dates == sorted(set(dates))
    assert dates[0] >= start
    assert all(recurrence.holds(one) for one in dates[:3])
    aligned, first = begin_on_first_date(recurrence)
    assert first == dates[0] == aligned.start_date
    assert list(islice(aligned.dates(), 4)) == dates[:4]
