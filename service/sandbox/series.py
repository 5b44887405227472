"""When a series takes place: Graph's patternedRecurrence, worked out date by date. Knows no event.

Source: https://learn.microsoft.com/graph/api/resources/patternedrecurrence
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import count, islice, takewhile
from typing import Any, Final

from service.sandbox.moments import YEARS, need_zone, parse_day
from service.sandbox.wire import GraphFault

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES: Final = ("first", "second", "third", "fourth", "last")
_NEEDS: Final = {
    "daily": (),
    "weekly": ("daysOfWeek",),
    "absoluteMonthly": ("dayOfMonth",),
    "relativeMonthly": ("daysOfWeek",),
    "absoluteYearly": ("dayOfMonth", "month"),
    "relativeYearly": ("daysOfWeek", "month"),
}
_LAST: Final = date(YEARS.stop - 1, 1, 1)
_LIMITS: Final = {"interval": (1, 999), "dayOfMonth": (0, 31), "month": (0, 12)}
_OCCURRENCES_MAX: Final = 999
_DATES_MAX: Final = 4000  # of one series within one question; Exchange stops far earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """A pattern and its range.

    Attributes:
        type, interval, days, day_of_month, month, index, first_day: the pattern; days are numbers, Monday 0.
        range_type: `endDate`, `numbered` or `noEnd`.
        start_date: the first date that may be one.
        zone: name of the time zone in which dates and times of day are meant.
    """

    type: str
    interval: int
    days: tuple[int, ...]
    day_of_month: int
    month: int
    index: str
    first_day: int
    range_type: str
    start_date: date
    end_date: date | None
    occurrences: int
    zone: str

    def dates(self) -> Iterator[date]:
        """Give every date of the series in order; endless where the range is."""
        dates = (day for day in self._candidates() if day >= self.start_date)
        if self.range_type == "numbered":
            return islice(dates, self.occurrences)
        if self.end_date is not None:
            end = self.end_date
            return takewhile(lambda day: day <= end, dates)
        return dates

    def dates_between(self, first: date, last: date) -> list[date]:
        """Give the dates from first to last, both included."""
        dates = takewhile(lambda day: day <= last, self.dates())
        return list(islice((day for day in dates if day >= first), _DATES_MAX))

    def holds(self, day: date) -> bool:
        """Tell whether the series takes place on that date."""
        return bool(self.dates_between(day, day))

    def place(self, day: date, first: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
        """Give start and end, UTC, of the occurrence on a date: both keep their wall-clock time.

        Args:
            first: start and end of the series master.

        Source: MS-OXOCAL 2.2.1.44.5, StartTimeOffset and EndTimeOffset
        """
        zone = need_zone(self.zone)
        begins, ends = (end.astimezone(zone).replace(tzinfo=None) for end in first)
        local = datetime.combine(day, begins.time())
        placed = (local, local + (ends - begins))
        start, end = (wall.replace(tzinfo=zone).astimezone(UTC) for wall in placed)
        return start, end

    def day_of(self, at: datetime) -> date:
        """Give the date on which an instant falls where the series lives."""
        return at.astimezone(need_zone(self.zone)).date()

    def render(self) -> dict[str, Any]:
        """Give Graph's patternedRecurrence, with its own words for what does not apply."""
        pattern: dict[str, Any] = {
            "type": self.type,
            "interval": self.interval,
            "month": self.month,
            "dayOfMonth": self.day_of_month,
            "firstDayOfWeek": DAYS[self.first_day],
            "index": self.index,
        }
        if self.days:
            pattern["daysOfWeek"] = [DAYS[day] for day in self.days]
        return {
            "pattern": pattern,
            "range": {
                "type": self.range_type,
                "startDate": self.start_date.isoformat(),
                "endDate": self.end_date.isoformat() if self.end_date else "0001-01-01",
                "recurrenceTimeZone": self.zone,
                "numberOfOccurrences": self.occurrences,
            },
        }

    def _candidates(self) -> Iterator[date]:
        if self.type == "daily":
            days = range(self.start_date.toordinal(), _LAST.toordinal(), self.interval)
            return (date.fromordinal(day) for day in days)
        if self.type == "weekly":
            return self._weekly()
        return self._by_month()

    def _weekly(self) -> Iterator[date]:
        back = (self.start_date.weekday() - self.first_day) % 7
        weeks = range(self.start_date.toordinal() - back, _LAST.toordinal(), 7 * self.interval)
        order = sorted((day - self.first_day) % 7 for day in self.days)
        return (date.fromordinal(week + offset) for week in weeks for offset in order)

    def _by_month(self) -> Iterator[date]:
        yearly = self.type.endswith("Yearly")
        step = self.interval * (12 if yearly else 1)
        first = self.start_date.year * 12 + (self.month if yearly else self.start_date.month) - 1
        for months in count(first, step):
            year, month = divmod(months, 12)
            if year >= _LAST.year:
                return
            yield self._day_in(year, month + 1)

    def _day_in(self, year: int, month: int) -> date:
        last = calendar.monthrange(year, month)[1]
        if self.type.startswith("absolute"):
            return date(year, month, min(self.day_of_month, last))
        fitting = [
            date(year, month, n) for n in range(1, last + 1) if date(year, month, n).weekday() in self.days
        ]
        return fitting[-1] if self.index == "last" else fitting[INDEXES.index(self.index)]


def parse_recurrence(value: dict[str, Any], *, start: datetime, zone: str, is_all_day: bool) -> Recurrence:
    """Read a patternedRecurrence that a client sent; its types were checked before.

    Args:
        start: of the series master, UTC.
        zone: of the master's start; used where the range names none, and for whole days in any case.

    Raises:
        GraphFault: 400 for a pattern or range that says too little or the impossible.
    """
    pattern, range_ = value.get("pattern"), value.get("range")
    if not pattern or not range_ or not pattern.get("type") or not range_.get("type"):
        raise _refuse("pattern and range with their types are required")
    _check_pattern(pattern)
    own_zone = zone if is_all_day else range_.get("recurrenceTimeZone") or zone
    given = range_.get("startDate")
    first = parse_day(given, path="startDate") if given else start.astimezone(need_zone(own_zone)).date()
    last, times = _read_end(range_, first)
    return Recurrence(
        type=pattern["type"],
        interval=pattern.get("interval") or 1,
        days=tuple(DAYS.index(day) for day in dict.fromkeys(pattern.get("daysOfWeek") or ())),
        day_of_month=pattern.get("dayOfMonth") or 0,
        month=pattern.get("month") or 0,
        index=pattern.get("index") or "first",
        first_day=DAYS.index(pattern.get("firstDayOfWeek") or "sunday"),
        range_type=range_["type"],
        start_date=first,
        end_date=last,
        occurrences=times,
        zone=own_zone,
    )


def _check_pattern(pattern: dict[str, Any]) -> None:
    for needed in _NEEDS[pattern["type"]]:
        if not pattern.get(needed):
            raise _refuse(f"{needed} is required for {pattern['type']}")
    for name, (lowest, highest) in _LIMITS.items():
        given = pattern.get(name)
        if given is not None and not lowest <= given <= highest:
            raise _refuse(f"{name} must be from {lowest} to {highest}")


def _read_end(range_: dict[str, Any], first: date) -> tuple[date | None, int]:
    """Give the last date that may be one and the number of occurrences, whichever the range goes by."""
    if range_["type"] == "numbered":
        times = range_.get("numberOfOccurrences") or 0
        if not 1 <= times <= _OCCURRENCES_MAX:
            raise _refuse(f"numberOfOccurrences must be from 1 to {_OCCURRENCES_MAX}")
        return None, times
    if range_["type"] == "noEnd":
        return None, 0
    last = parse_day(range_.get("endDate") or "", path="endDate")
    if last < first:
        raise _refuse("endDate must not precede startDate")
    return last, 0


def begin_on_first_date(recurrence: Recurrence) -> tuple[Recurrence, date]:
    """Let the range start on the first date that fits, as Exchange does.

    Raises:
        GraphFault: 400 where no date fits.
    """
    first = next(iter(islice(recurrence.dates(), 1)), None)
    if first is None:
        raise _refuse("the range holds no occurrence")
    return replace(recurrence, start_date=first), first


def _refuse(why: str) -> GraphFault:
    return GraphFault(400, "ErrorInvalidRecurrence", f"The recurrence is not valid: {why}.")
