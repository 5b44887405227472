"""Entries that were given up, each with its reason, bounded in number and age.

Must never hold more of an entry than the intake stream held.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from service.ports import Delivered
from service.streams.forgetting import names_one_of
from service.streams.keys import KeyNames
from service.streams.link import RedisLink, load_script, to_duration_ms
from service.streams.scanning import read_stream

_APPEND_DEAD: Final = load_script("append_dead")
_TRIM_DEAD: Final = load_script("trim_dead")
_DETAIL_CHARACTERS_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An entry that was given up.

    Attributes:
        id: in the stream of dead letters.
        fields: the intake entry's flat fields, and beside them `dead_reason`, `dead_detail`, `dead_at`
            (RFC 3339, UTC), `dead_entry` (its id in the intake stream) and `dead_deliveries`.
    """

    id: str
    fields: Mapping[str, str]

    @property
    def reason(self) -> str:
        return self.fields.get("dead_reason", "")


class DeadLetters:
    """Keeps, lists and drops dead letters. Every method raises `StreamError`."""

    def __init__(
        self,
        link: RedisLink,
        keys: KeyNames,
        *,
        entries_max: int = 10_000,
        age_max_s: float = 14 * 86_400,
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            entries_max: approximate; the oldest are dropped.
            age_max_s: older ones are dropped, by Redis' clock, whenever one is added.
        """
        self._link = link
        self._key = keys.dead
        self._entries_max = entries_max
        self._age_max_ms = to_duration_ms(age_max_s)

    async def add(self, entry: Delivered, *, reason: str, detail: str, at: datetime) -> None:
        """Keep an entry with its reason; the detail is cut at 500 characters."""
        fields = {
            **entry.fields,
            "dead_reason": reason,
            "dead_detail": detail[:_DETAIL_CHARACTERS_MAX],
            "dead_at": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "dead_entry": entry.id,
            "dead_deliveries": str(entry.deliveries),
        }
        flat = [text for item in fields.items() for text in item]
        await self._link.run(_APPEND_DEAD, [self._key], [self._entries_max, self._age_max_ms, *flat])

    async def read(self, *, after: str = "-", count: int = 100) -> tuple[DeadLetter, ...]:
        """Give the next dead letters after an id, oldest first; `-` begins at the oldest."""
        start = after if after == "-" else f"({after}"
        page = await self._link.call("XRANGE", self._key, start, "+", "COUNT", count)
        return tuple(DeadLetter(id=entry_id, fields=fields) for entry_id, fields in page)

    async def read_newest(self, *, before: str = "", count: int = 100) -> tuple[DeadLetter, ...]:
        """Give the newest dead letters, newest first; `before` is an id, and only older ones are given."""
        end = f"({before}" if before else "+"
        page = await self._link.call("XREVRANGE", self._key, end, "-", "COUNT", count)
        return tuple(DeadLetter(id=entry_id, fields=fields) for entry_id, fields in page)

    async def find(self, ids: Sequence[str]) -> tuple[DeadLetter, ...]:
        """Give those of these ids that are there, in the order asked."""
        found: list[DeadLetter] = []
        for one in ids:
            page = await self._link.call("XRANGE", self._key, one, one)
            found += [DeadLetter(id=entry_id, fields=fields) for entry_id, fields in page]
        return tuple(found)

    async def drop_old(self) -> int:
        """Drop those beyond the age although none was added since; gives how many."""
        dropped: int = await self._link.run(_TRIM_DEAD, [self._key], [self._age_max_ms])
        return dropped

    async def drop(self, ids: Sequence[str]) -> int:
        """Delete dead letters; gives how many there were."""
        removed: int = await self._link.call("XDEL", self._key, *ids) if ids else 0
        return removed

    async def count(self) -> int:
        """Tell how many there are."""
        length: int = await self._link.call("XLEN", self._key)
        return length

    async def forget(self, names: Collection[str]) -> int:
        """Delete those about any of these owners or mailboxes; gives how many."""
        removed = 0
        async for entry_id, fields in read_stream(self._link, self._key):
            if names_one_of(fields, names):
                removed += await self.drop([entry_id])
        return removed
