"""Instants with all the digits that Graph gave. Must never round."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

NS_PER_S: Final = 1_000_000_000
_ORIGIN: Final = datetime(1, 1, 1, tzinfo=UTC)
_TEXT: Final = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:\.(?P<fraction>\d{1,9})\d*)?)?"
    r"(?P<zone>[Zz]|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """A point in time to the nanosecond, with the text it came in.

    Attributes:
        ns: nanoseconds since the start of year 1, UTC.
        text: as Graph wrote it, or RFC 3339 UTC where it was reckoned.
    """

    ns: int
    text: str

    @property
    def is_year_one(self) -> bool:
        """Tell whether this is Graph's "never"."""
        return self.ns < 366 * 86_400 * NS_PER_S

    def to_datetime(self) -> datetime:
        """Give the instant as an aware UTC datetime, cut to microseconds."""
        return _ORIGIN + timedelta(microseconds=self.ns // 1000)

    def to_utc_text(self) -> str:
        """Give the instant as RFC 3339 in UTC with the shortest exact fraction: one text per instant."""
        seconds, fraction = divmod(self.ns, NS_PER_S)
        whole = (_ORIGIN + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
        digits = f".{fraction:09d}".rstrip("0").rstrip(".")
        return f"{whole}{digits}Z"


def parse_instant(text: str, zone: tzinfo = UTC) -> Instant:
    """Read an ISO 8601 instant: any number of fractional digits, `Z`, an offset, or none.

    Args:
        zone: where a text without an offset is local time.

    Raises:
        ValueError: not an instant.

    Source: https://learn.microsoft.com/graph/api/resources/datetimetimezone
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not an instant: {text[:40]!r}")
    mark = match["zone"]
    offset = "" if mark is None else "+00:00" if mark in "Zz" else mark
    whole = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00:00'}{offset}")
    if mark is None:
        whole = whole.replace(tzinfo=zone)
    fraction = int((match["fraction"] or "").ljust(9, "0"))
    try:
        since_origin = whole - _ORIGIN
    except OverflowError:  # an offset before year 1 began
        since_origin = timedelta(0)
    seconds = since_origin.days * 86_400 + since_origin.seconds
    return Instant(ns=max(seconds, 0) * NS_PER_S + fraction, text=text.strip())


def instant_of(moment: datetime) -> Instant:
    """Give an aware datetime as an instant."""
    since_origin = moment.astimezone(UTC) - _ORIGIN
    ns = (since_origin.days * 86_400 + since_origin.seconds) * NS_PER_S + since_origin.microseconds * 1000
    return Instant(ns=ns, text=Instant(ns=ns, text="").to_utc_text())
