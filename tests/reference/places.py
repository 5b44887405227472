"""When two instants or slots are the same, and where a series puts a date. Knows no fact but the event."""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from zoneinfo import ZoneInfo

from service.reconcile.instant import Instant, instant_of
from service.reconcile.model import (
    EventFact,
    InstanceKey,
    Slot,
)


def moment(at: Instant | None) -> int:
    """Give an instant in ns; year 1 and no time at all are older than everything."""
    return 0 if at is None or at.is_year_one else at.ns


def same_slot(one: Slot, other: Slot) -> bool:
    """Tell whether two slots agree in every member known to both; an unknown slot is no slot's equal."""
    pairs = (
        (one.start, other.start),
        (one.end, other.end),
        (one.is_all_day, other.is_all_day),
        (one.recurrence, other.recurrence),
    )
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return not (one.is_unknown or other.is_unknown) and all(a == b for a, b in known)


def place_of(series: EventFact, instance: InstanceKey) -> Slot:
    """Reckon where the series puts the occurrence of a date: the same wall-clock times in its own zone.

    All-day series are kept as UTC midnights whatever the zone.
    """
    slot = series.slot
    if slot.start is None or slot.end is None:
        return Slot(start=None, end=None, is_all_day=slot.is_all_day, recurrence=None)
    zone: tzinfo = ZoneInfo("UTC" if slot.is_all_day else series.details.zone)
    start, end = (_wall(ns, zone) for ns in (slot.start, slot.end))
    shift = date.fromisoformat(instance) - start.date()
    return Slot(
        start=_ns(start + shift, zone),
        end=_ns(end + shift, zone),
        is_all_day=slot.is_all_day,
        recurrence=None,
    )


def _wall(ns: int, zone: tzinfo) -> datetime:
    return Instant(ns=ns, text="").to_datetime().astimezone(zone).replace(tzinfo=None)


def _ns(wall: datetime, zone: tzinfo) -> int:
    return instant_of(wall.replace(tzinfo=zone)).ns
