"""Reading the update stream: for `tail`, `show` and other tools. Writing it is `state.py`'s alone.

Must never trim or acknowledge anything: consumers own their groups.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.errors import StreamError
from service.streams.keys import KeyNames
from service.streams.link import RedisLink, to_duration_ms

BEGINNING = "0-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedUpdate:
    """One entry of an update stream.

    Attributes:
        stream: key of the stream; one of several where there are partitions.
        id: of the entry within it.
    """

    stream: str
    id: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStreamFacts:
    """An update stream as Redis describes it.

    Attributes:
        length: entries held.
        first_id, last_id: of the oldest entry held and of the last one ever added; empty where none.
        added: entries ever added, as far as Redis knows.
        groups: consumer groups, as Redis describes each (`name`, `consumers`, `pending`, `last-delivered-id`,
            `lag`; `lag` is None where Redis cannot tell).
    """

    stream: str
    length: int = 0
    first_id: str = ""
    last_id: str = ""
    added: int = 0
    groups: tuple[Mapping[str, Any], ...] = ()


class UpdateStreamReader:
    """Reads the updates of all partitions. Every method raises `StreamError`."""

    def __init__(
        self, link: RedisLink, keys: KeyNames, *, page_entries: int = 100, cluster_poll_s: float = 0.25
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            page_entries: the most that one read takes from each stream.
            cluster_poll_s: how often several streams of a cluster are looked at; elsewhere Redis wakes us.
        """
        self._link = link
        self.streams = tuple(keys.updates(partition) for partition in range(keys.partitions))
        self._page_entries = page_entries
        self._cluster_poll_s = cluster_poll_s

    async def find_ends(self) -> dict[str, str]:
        """Give, for each stream, the id of its last entry: what comes after it is new."""
        return {stream: (await self.describe(stream)).last_id or BEGINNING for stream in self.streams}

    async def read(self, positions: Mapping[str, str], *, block_s: float) -> tuple[PublishedUpdate, ...]:
        """Give what comes after these positions, by stream and in the order of each; may be none.

        Args:
            positions: stream -> id of the last entry that is known.
            block_s: waits at most so long for the first one, and never longer than the link allows.
        """
        if self._link.is_cluster and len(positions) > 1:
            return await self._read_each(positions, block_s)
        return await self._read_at_once(positions, block_s)

    async def tail(self, positions: Mapping[str, str]) -> AsyncIterator[PublishedUpdate]:
        """Give updates for ever, each once.

        Args:
            positions: where to begin, as for `read`.
        """
        known = dict(positions)
        while True:
            for update in await self.read(known, block_s=self._link.block_max_s):
                known[update.stream] = update.id
                yield update

    async def list_oldest(self, stream: str, *, count: int) -> tuple[PublishedUpdate, ...]:
        """Give the oldest updates of one stream, oldest first."""
        page = await self._link.call("XRANGE", stream, "-", "+", "COUNT", count)
        return _read_page(stream, page)

    async def list_newest(self, stream: str, *, count: int, before: str = "") -> tuple[PublishedUpdate, ...]:
        """Give the newest updates of one stream, newest first.

        Args:
            before: id of an entry: only what is older than that one.
        """
        end = f"({before}" if before else "+"
        page = await self._link.call("XREVRANGE", stream, end, "-", "COUNT", count)
        return _read_page(stream, page)

    async def describe(self, stream: str) -> UpdateStreamFacts:
        """Tell what Redis knows of one stream."""
        try:
            facts = await self._link.call("XINFO STREAM", stream)
            groups = await self._link.call("XINFO GROUPS", stream)
        except StreamError as error:
            if "no such key" in str(error):
                return UpdateStreamFacts(stream=stream)
            raise
        first = facts["first-entry"]
        return UpdateStreamFacts(
            stream=stream,
            length=facts["length"],
            first_id=first[0] if first else "",
            last_id=facts["last-generated-id"],
            added=facts["entries-added"],
            groups=tuple(groups),
        )

    async def _read_at_once(
        self, positions: Mapping[str, str], block_s: float
    ) -> tuple[PublishedUpdate, ...]:
        block_ms = to_duration_ms(min(block_s, self._link.block_max_s))
        block = ("BLOCK", block_ms) if block_s > 0 else ()
        reply = await self._link.call(
            "XREAD", "COUNT", self._page_entries, *block, "STREAMS", *positions.keys(), *positions.values()
        )
        return tuple(update for stream, page in reply or () for update in _read_page(stream, page))

    async def _read_each(self, positions: Mapping[str, str], block_s: float) -> tuple[PublishedUpdate, ...]:
        """Look at streams of different slots, one by one, until there is something or the time is over."""
        looks = max(round(min(block_s, self._link.block_max_s) / self._cluster_poll_s), 0)
        for look in range(looks + 1):
            if look:
                await asyncio.sleep(self._cluster_poll_s)
            found = [await self._read_at_once({stream: at}, 0) for stream, at in positions.items()]
            if any(found):
                return tuple(update for page in found for update in page)
        return ()


def _read_page(stream: str, page: list[tuple[str, dict[str, str]]]) -> tuple[PublishedUpdate, ...]:
    return tuple(PublishedUpdate(stream=stream, id=entry_id, fields=fields) for entry_id, fields in page)
