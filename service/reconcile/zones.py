"""Time zone names as Graph writes them (Windows names, IANA names) as zones."""

from __future__ import annotations

from datetime import UTC, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz


@lru_cache(maxsize=1024)
def find_zone(name: str | None) -> tzinfo | None:
    """Give the zone of that name; None where the name means nothing to us.

    Args:
        name: Windows or IANA name in Graph's spelling, such as `Pacific Standard Time`.

    Source: https://learn.microsoft.com/graph/api/resources/datetimetimezone
    """
    iana = iana_name(name)
    if iana is None:
        return None
    return UTC if iana == "UTC" else ZoneInfo(iana)


@lru_cache(maxsize=1024)
def iana_name(name: str | None) -> str | None:
    """Give the IANA name of a zone; None where the name means nothing to us."""
    if not name:
        return None
    if name.upper() in {"UTC", "GMT", "TZONE://MICROSOFT/UTC", "COORDINATED UNIVERSAL TIME"}:
        return "UTC"
    candidate = win_tz.get(name, name)
    try:
        ZoneInfo(candidate)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return None
    return candidate
