"""Where a series puts an occurrence, over changes of the clock and at the edge of a day."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from service.reconcile.facts import EventHead
from service.reconcile.instant import Instant, parse_instant
from service.reconcile.model import InstanceKey, Slot
from service.reconcile.places import series_place
from tests.unit.reconcile.build import event


def series(start: str, end: str, zone: str, *, is_all_day: bool = False) -> EventHead:
    fact = event(1, is_series=True, zone=zone)
    span = Slot(
        start=parse_instant(start).ns, end=parse_instant(end).ns, is_all_day=is_all_day, recurrence="daily"
    )
    return EventHead(
        last_modified=fact.last_modified,
        change_key="",
        sequence=0,
        slot=span,
        is_cancelled=False,
        details=replace(fact.details, zone=zone),
    )


@pytest.mark.parametrize(
    ("zone", "start", "end", "day", "placed", "placed_end"),
    [
        (
            "UTC",
            "2026-03-02T09:00:00Z",
            "2026-03-02T10:00:00Z",
            "2026-03-09",
            "2026-03-09T09:00:00Z",
            "2026-03-09T10:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-23T08:00:00Z",
            "2026-03-23T09:00:00Z",
            "2026-03-30",
            "2026-03-30T07:00:00Z",
            "2026-03-30T08:00:00Z",
        ),
        (
            "America/Los_Angeles",
            "2026-11-03T02:00:00Z",
            "2026-11-03T03:00:00Z",
            "2026-11-02",
            "2026-11-03T02:00:00Z",
            "2026-11-03T03:00:00Z",
        ),
        (
            "America/Los_Angeles",
            "2026-10-20T01:00:00Z",
            "2026-10-20T02:00:00Z",
            "2026-11-02",
            "2026-11-03T02:00:00Z",
            "2026-11-03T03:00:00Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-21T22:00:00Z",
            "2026-03-22T02:00:00Z",
            "2026-03-28",
            "2026-03-28T22:00:00Z",
            "2026-03-29T01:00:00Z",
        ),
    ],
    ids=[
        "utc",
        "after the clocks went forward",
        "previous day in the zone",
        "after they went back",
        "over the change",
    ],
)
def test_an_occurrence_keeps_its_wall_clock_time(  # noqa: PLR0917 - a row of the table
    zone: str, start: str, end: str, day: str, placed: str, placed_end: str
) -> None:
    place = series_place(series(start, end, zone), InstanceKey(day))
    assert place is not None
    assert Instant(ns=place.start or 0, text="").to_utc_text() == placed
    assert Instant(ns=place.end or 0, text="").to_utc_text() == placed_end


def test_whole_days_are_reckoned_in_utc_as_graph_writes_them() -> None:
    head = series("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "America/Los_Angeles", is_all_day=True)
    place = series_place(head, InstanceKey("2026-03-09"))
    assert place is not None
    assert Instant(ns=place.start or 0, text="").to_utc_text() == "2026-03-09T00:00:00Z"


@pytest.mark.parametrize("missing", [{"start": None}, {"end": None}, {"start": None, "end": None}])
def test_a_series_of_which_an_end_is_missing_puts_nothing_anywhere(missing: dict[str, None]) -> None:
    head = series("2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z", "UTC")
    assert series_place(replace(head, slot=replace(head.slot, **missing)), InstanceKey("2026-03-09")) is None


@pytest.mark.parametrize(
    ("zone", "start", "end", "day"),
    [
        ("Pacific/Honolulu", "2026-03-03T08:00:00Z", "2026-03-03T09:00:00Z", "9999-12-31"),
        ("UTC", "2026-03-02T22:00:00Z", "2026-03-03T02:00:00Z", "9999-12-31"),
        ("Asia/Tokyo", "2026-03-02T00:00:00Z", "2026-03-02T01:00:00Z", "0001-01-01"),
    ],
    ids=["starts after time ends", "ends after time ends", "before time begins"],
)
def test_a_date_at_the_end_of_time_has_no_place(zone: str, start: str, end: str, day: str) -> None:
    assert series_place(series(start, end, zone), InstanceKey(day)) is None


def test_all_digits_of_start_and_end_are_kept() -> None:
    head = series("2026-03-02T09:00:00.123456789Z", "2026-03-02T10:00:00.987654322Z", "Europe/Berlin")
    place = series_place(head, InstanceKey("2026-03-09"))
    assert place is not None
    assert place.start == parse_instant("2026-03-09T09:00:00.123456789Z").ns
    assert place.end == parse_instant("2026-03-09T10:00:00.987654322Z").ns


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own zone is not UTC."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_a_zone_that_nobody_knows_is_taken_for_utc() -> None:
    head = series("2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z", "Nowhere/Atall")
    place = series_place(head, InstanceKey("2026-04-06"))
    assert place is not None
    assert place.start == parse_instant("2026-04-06T09:00:00Z").ns


def test_days_of_an_all_day_series_are_days_of_utc_whatever_the_zone() -> None:
    head = series("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "America/New_York", is_all_day=True)
    place = series_place(head, InstanceKey("2026-03-09"))
    assert place == Slot(
        start=parse_instant("2026-03-09T00:00:00Z").ns,
        end=parse_instant("2026-03-10T00:00:00Z").ns,
        is_all_day=True,
        recurrence=None,
    )
