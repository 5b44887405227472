"""Instants and wall times in Graph's spelling, and Windows time zones. Reads no clock."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tzlocal.windows_tz import win_tz

from service.sandbox.wire import GraphFault

YEARS: Final = range(1601, 4501)  # what Exchange's own instants can hold
NEVER: Final = "0001-01-01T00:00:00Z"
_WALL: Final = re.compile(r"^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?)?(Z?)$")
_INSTANT: Final = re.compile(
    r"^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$"
)
_NEVER: Final = re.compile(r"^0001-01-01(?:T00:00:00(?:\.0{1,9})?(?:Z|[+-]00:00))?$")


@lru_cache(maxsize=1024)  # names come from outside: not all of them may be kept
def find_zone(name: str) -> tzinfo | None:
    """Give the zone of a Windows or IANA name; None where there is none of that name."""
    if name.upper() in {"UTC", "GMT", "TZONE://MICROSOFT/UTC"}:
        return UTC
    try:
        return ZoneInfo(win_tz.get(name, name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def need_zone(name: str) -> tzinfo:
    """Give the zone of a name.

    Raises:
        GraphFault: 400, in Graph's words.
    """
    zone = find_zone(name)
    if zone is None:
        raise GraphFault(
            400,
            "TimeZoneNotSupportedException",
            f"A valid TimeZone value must be specified. The following TimeZone value is not supported: "
            f"'{name}'.",
        )
    return zone


def render_instant(at: datetime | None) -> str:
    """Give a DateTimeOffset: UTC, up to seven fractional digits, none that end in zero; year 1 for never.

    The clock counts microseconds and Exchange tenths of them: the last digit is made from the others.
    """
    if at is None:
        return NEVER
    if at.microsecond == 0:
        return render_seconds(at)
    tenth = (at.microsecond * 7 + at.second) % 10
    digits = f"{at.microsecond:06d}{tenth}".rstrip("0")
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{digits}Z"


def render_seconds(at: datetime) -> str:
    """Give a DateTimeOffset in whole seconds, as mail has it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def to_seconds(at: datetime) -> datetime:
    """Round to the nearest whole second, as mail does with the moment it was sent."""
    return (at + timedelta(microseconds=500_000)).replace(microsecond=0)


def render_wall(at: datetime, zone_name: str, *, home: str = "") -> dict[str, str]:
    """Give a dateTimeTimeZone in the named zone.

    Args:
        home: zone whose wall time is shown under the name of the other: Graph shows whole days so, at
            midnight in every zone, though it keeps (and filters by) the instants.

    Source: https://github.com/microsoftgraph/microsoft-graph-docs/issues/1802
    """
    local = at.astimezone(need_zone(home or zone_name))
    return {"dateTime": f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond:06d}0", "timeZone": zone_name}


def parse_wall(text: str, zone_name: str, *, path: str) -> datetime:
    """Read the dateTime of a dateTimeTimeZone as an instant.

    Raises:
        GraphFault: 400 for what is no date and time, or an unknown zone.
    """
    zone = need_zone(zone_name)
    found = _WALL.match(text)
    try:
        if found is None:
            raise ValueError(text)  # noqa: TRY301 - the same answer for both kinds of nonsense
        local = _assemble(found[1], found[2] or "00:00", found[3])
    except ValueError:
        raise GraphFault(
            400,
            "ErrorInvalidRequest",
            f"The value '{text}' of property '{path}' is not a valid date and time.",
        ) from None
    return local.replace(tzinfo=UTC if found[4] else zone).astimezone(UTC)


def parse_instant(text: str, *, path: str) -> datetime:
    """Read a DateTimeOffset.

    Raises:
        GraphFault: 400 for what is none.
    """
    found = _INSTANT.match(text)
    try:
        if found is None:
            raise ValueError(text)  # noqa: TRY301 - the same answer for both kinds of nonsense
        local = _assemble(found[1], found[2], found[3])
        offset = "+00:00" if found[4] == "Z" else found[4]
        return datetime.fromisoformat(local.isoformat() + offset).astimezone(UTC)
    except ValueError:
        raise GraphFault(
            400, "ErrorInvalidParameter", f"The value '{text}' of parameter '{path}' is invalid."
        ) from None


def is_never(text: str) -> bool:
    """Tell whether a text is Graph's year 1, as a date or an instant, in any client's spelling."""
    return _NEVER.match(text) is not None


def parse_day(text: str, *, path: str) -> date:
    """Read an Edm.Date.

    Raises:
        GraphFault: 400 for what is none.
    """
    try:
        if len(text) != 10 or int(text[:4]) not in YEARS:
            raise ValueError(text)  # noqa: TRY301 - the same answer for both kinds of nonsense
        return date.fromisoformat(text)
    except ValueError:
        raise GraphFault(400, "RequestBodyRead", f"The value '{text}' of '{path}' is not a date.") from None


def _assemble(day: str, time: str, fraction: str | None) -> datetime:
    micro = (fraction or "0").ljust(6, "0")[:6]
    local = datetime.fromisoformat(f"{day}T{time if len(time) == 8 else time + ':00'}.{micro}")
    if local.year not in YEARS:
        raise ValueError(day)
    return local
