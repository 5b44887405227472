"""Which dead letters are meant: by reason, kind, mailbox or owner, and age. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from service.entries import Kind
from service.pipeline.retry import Reason
from service.stream_ids import ms_of

_SPAN: Final = re.compile(r"(\d{1,6})\s*([smhd])", re.IGNORECASE)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MS_PER_S: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A filter; what is empty or None lets everything pass.

    Attributes:
        names: keys of owners or mailboxes that an entry is about.
        since, until: by the time of giving up, Redis' clock; `until` itself is left out.
    """

    reasons: frozenset[Reason] = frozenset()
    kinds: frozenset[Kind] = frozenset()
    names: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, entry_id: str, fields: Mapping[str, str]) -> bool:
        """Tell whether a dead letter is meant.

        Args:
            entry_id: in the stream of dead letters; begins with its time in ms.
        """
        died_at = read_moment(entry_id)
        return (
            (not self.reasons or fields.get("dead_reason") in self.reasons)
            and (not self.kinds or fields.get("kind") in self.kinds)
            and (not self.names or fields.get("mailbox") in self.names or fields.get("owner") in self.names)
            and (self.since is None or died_at >= self.since)
            and (self.until is None or died_at < self.until)
        )


def read_moment(entry_id: str) -> datetime:
    """Give the time that a stream id holds, UTC."""
    return datetime.fromtimestamp(ms_of(entry_id) / _MS_PER_S, UTC)


def parse_moment(text: str, now: datetime) -> datetime:
    """Read a point in time: RFC 3339, a day, or how long ago (`30m`, `12h`, `2d`). Without a zone it is UTC.

    Raises:
        ValueError: it is none of these.
    """
    span = _SPAN.fullmatch(text.strip())
    try:
        if span is not None:
            return now - timedelta(**{_UNITS[span[2].lower()]: int(span[1])})
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text!r} is no time: give 2026-03-01T08:00Z, 2026-03-01, or an age as 12h"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
