"""Where a series puts the occurrence of a date, reckoned in the series' own time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from service.reconcile.facts import EventHead
from service.reconcile.instant import NS_PER_S, Instant, instant_of
from service.reconcile.model import EventFact, InstanceKey, Slot
from service.reconcile.zones import find_zone


def series_place(series: EventHead | EventFact, instance: InstanceKey) -> Slot | None:
    """Give the slot that the occurrence of that original date has as long as nobody moves it.

    Returns:
        None where the series has no start or end to reckon with, or the occurrence would lie outside the
        years 1 to 9999: an attendee's answer may name any date.
    """
    start, end = series.slot.start, series.slot.end
    if start is None or end is None:
        return None
    try:
        return _reckon_place(series, start, end, date.fromisoformat(instance))
    except OverflowError:
        return None


def _reckon_place(series: EventHead | EventFact, start: int, end: int, day: date) -> Slot:
    zone = UTC if series.slot.is_all_day else find_zone(series.details.zone) or UTC
    first = Instant(ns=start, text="").to_datetime().astimezone(zone)
    local = datetime.combine(day, first.time(), tzinfo=zone)
    placed = instant_of(local).ns + start % 1000
    return Slot(
        start=placed,
        end=placed + _length_ns(start, end, local),
        is_all_day=series.slot.is_all_day,
        recurrence=None,
    )


def _length_ns(start: int, end: int, local: datetime) -> int:
    """Give the length of the occurrence: meetings keep their wall-clock end, over clock changes too."""
    length = timedelta(microseconds=(end - start) // 1000)
    wall_end = (local.replace(tzinfo=None) + length).replace(tzinfo=local.tzinfo)
    real = wall_end.astimezone(UTC) - local.astimezone(UTC)
    return (real.days * 86_400 + real.seconds) * NS_PER_S + real.microseconds * 1000 + (end - start) % 1000
