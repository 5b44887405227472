"""Instants keep every digit, in whatever form Graph writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.reconcile.instant import Instant, instant_of, parse_instant
from service.reconcile.zones import find_zone, iana_name


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2019-12-21T05:16:48.8931825Z", "2019-12-21T05:16:48.8931825Z"),
        ("2019-12-21T05:16:49Z", "2019-12-21T05:16:49Z"),
        ("2022-01-02T03:12:18.2257768+05:30", "2022-01-01T21:42:18.2257768Z"),
        ("2019-09-18T00:52:45.9696658+00:00", "2019-09-18T00:52:45.9696658Z"),
        ("2019-12-26T02:00:00.0000000", "2019-12-26T02:00:00Z"),
        ("2019-12-26", "2019-12-26T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00+05:30", "0001-01-01T00:00:00Z"),
    ],
)
def test_every_form_is_read_to_the_last_digit(text: str, utc: str) -> None:
    assert parse_instant(text).to_utc_text() == utc


@pytest.mark.parametrize(
    "text", ["", "soon", "2019-13-01", "2019-12-21T05", "2019-12-21T25:00:00Z", "9" * 400]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_instant(text)


def test_two_instants_differ_by_their_last_digit() -> None:
    assert parse_instant("2019-12-21T05:16:48.8931825Z") < parse_instant("2019-12-21T05:16:48.8931826Z")


def test_only_year_one_is_never() -> None:
    assert parse_instant("0001-01-01T00:00:00Z").is_year_one
    assert not parse_instant("0002-01-02T00:00:00Z").is_year_one


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_datetime_survives_the_way_through_an_instant(moment: datetime) -> None:
    instant = instant_of(moment)
    assert instant.to_datetime() == moment
    assert parse_instant(instant.to_utc_text()) == Instant(ns=instant.ns, text=instant.to_utc_text())


def test_local_time_is_read_in_the_zone_that_graph_names() -> None:
    zone = find_zone("Pacific Standard Time")
    assert zone is not None
    assert parse_instant("2019-12-25T18:00:00.0000000", zone).to_utc_text() == "2019-12-26T02:00:00Z"


@pytest.mark.parametrize(
    ("name", "iana"),
    [
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("Europe/Berlin", "Europe/Berlin"),
        ("UTC", "UTC"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("Customized Time Zone", None),
        ("../../etc/passwd", None),
        ("", None),
        (None, None),
    ],
)
def test_zones_are_known_by_windows_and_iana_names(name: str | None, iana: str | None) -> None:
    assert iana_name(name) == iana
