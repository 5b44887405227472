"""One consumer of a group at one partition: holds it, takes over what others left, reads on, acknowledges.

A partition is read by one consumer of the group at a time, who holds its lease: that keeps the order of each
source. Must never acknowledge what was not handled.

Source: https://redis.io/docs/latest/develop/data-types/streams/
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.consuming.backlog import FIRST as _FIRST
from service.consuming.backlog import count_trimmed
from service.errors import StreamError
from service.streams.keys import KeyNames
from service.streams.lease import RedisLease
from service.streams.link import GroupMissingError, RedisLink, to_duration_ms
from service.streams.update_stream import UpdateStreamReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """A part of a stream was trimmed before this group read it.

    Attributes:
        missing: how many entries; None where Redis cannot tell.
    """

    stream: str
    missing: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry that was handed to this consumer."""

    id: str
    fields: Mapping[str, str]


class Member:
    """Raises `StreamError` in every method that asks Redis.

    Attributes:
        stream: key of the partition's stream.
    """

    def __init__(
        self,
        link: RedisLink,
        keys: KeyNames,
        partition: int,
        *,
        group: str,
        consumer: str,
        start: str,
        lease_s: float,
        page_entries: int,
    ) -> None:
        self.stream = keys.updates(partition)
        self._link = link
        self._streams = UpdateStreamReader(link, keys)
        self._group = group
        self._consumer = consumer
        self._start = start
        self._lease = RedisLease(link, keys, name=f"consumer-{group}-{partition}")
        self._lease_s = lease_s
        self._held_until = 0.0
        self._fence: int | None = None
        self._page_entries = page_entries
        self._taken_over: deque[Entry] = deque()
        self._is_behind = True

    @property
    def is_held(self) -> bool:
        """Tell whether the partition is ours, as far as our own clock knows."""
        return time.monotonic() < self._held_until

    async def hold(self) -> bool:
        """Take the lease or extend it; who takes it takes over all that was left undone."""
        asked = time.monotonic()
        fence = await self._lease.acquire(self._consumer, duration_s=self._lease_s)
        if fence is None:
            self.doubt()
            return False
        if fence != self._fence:
            await self._begin()
            self._fence = fence
        self._held_until = asked + self._lease_s
        return True

    def doubt(self) -> None:
        """Take nothing for granted: before reading on, hold the partition anew and look at what is undone."""
        self._held_until = 0.0
        self._fence = None

    async def release(self) -> None:
        """Give the partition back; another may go on at once."""
        self.doubt()
        await self._lease.release(self._consumer)

    async def find_trimmed(self) -> Trimmed | None:
        """Tell what was trimmed before we read it; asks only where there may be more than one page."""
        if not self._is_behind:
            return None
        facts = await self._streams.describe(self.stream)
        ours = next((group for group in facts.groups if group["name"] == self._group), None)
        missing = 0 if ours is None else count_trimmed(facts, ours)
        return None if missing == 0 else Trimmed(stream=self.stream, missing=missing)

    def take_over(self) -> tuple[Entry, ...]:
        """Give what another consumer, or we in an earlier life, left undone; oldest first, once."""
        left = tuple(self._taken_over)
        self._taken_over.clear()
        return left

    async def read(self, *, block_s: float) -> tuple[Entry, ...]:
        """Give entries that the group did not have yet; waits at most so long for the first one."""
        block_ms = to_duration_ms(min(block_s, self._link.block_max_s))
        block = ("BLOCK", block_ms) if block_s > 0 else ()
        group = ("GROUP", self._group, self._consumer)
        reply = await self._with_group(
            "XREADGROUP", *group, "COUNT", self._page_entries, *block, "STREAMS", self.stream, ">"
        )
        page = reply[0][1] if reply else []
        self._is_behind = len(page) == self._page_entries
        return tuple(Entry(id=entry_id, fields=fields) for entry_id, fields in page)

    async def acknowledge(self, entry_id: str) -> None:
        """Note that an entry was handled: the group never gets it again."""
        await self._link.call("XACK", self.stream, self._group, entry_id)

    async def _begin(self) -> None:
        await self._ensure_group()
        self._taken_over.clear()
        self._is_behind = True
        cursor = _FIRST
        while True:
            claim = ("XAUTOCLAIM", self.stream, self._group, self._consumer, 0, cursor)
            cursor, page, *_ = await self._link.call(*claim, "COUNT", self._page_entries)
            self._taken_over.extend(Entry(id=entry_id, fields=fields) for entry_id, fields in page if fields)
            if cursor == _FIRST:
                return

    async def _with_group(self, *command: str | int) -> Any:
        """Make the group again where it went away, as after FLUSHALL; it then reads from the start."""
        try:
            return await self._link.call(*command)
        except GroupMissingError:
            self._start = _FIRST
            await self._ensure_group()
            return None

    async def _ensure_group(self) -> None:
        try:
            await self._link.call("XGROUP CREATE", self.stream, self._group, self._start, "MKSTREAM")
        except StreamError as error:
            if "BUSYGROUP" not in str(error):
                raise
