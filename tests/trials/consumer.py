"""A consumer of the update stream, as anybody would write one: reads on from the last id, whatever happens.

What Redis loses later it has long read: so it can tell whether the numbers go on rightly after a loss.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.endtoend.stage import STREAM
from tests.reference.consumer import Entry, parse_entry
from tests.trials.readings import MeetingName

BLOCK_MS: Final = 200
COUNT: Final = 1000
OUTAGE_WAIT_S: Final = 0.1
CANCEL_AGAIN_S: Final = 1.0


class Consumer:
    """Reads everything that is published, once.

    Attributes:
        entries: fields of each entry, in the order of the stream.
        told_at: Redis' time in ms of each.
        told: the same entries opened, by meeting.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._last_id = "0-0"
        self.entries: list[dict[str, str]] = []
        self.told_at: list[int] = []
        self.told: dict[MeetingName, list[Entry]] = defaultdict(list)

    def split(self, at_s: float) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
        """Give what was told up to a moment of wall time, and what was told after it."""
        before = sum(at_ms <= at_s * 1000 for at_ms in self.told_at)
        return self.entries[:before], self.entries[before:]

    async def run(self) -> None:
        """Read until cancelled; Redis being away makes it wait."""
        async with Redis.from_url(self._url, decode_responses=True) as redis:
            while True:
                try:
                    await self._read(redis)
                except (RedisError, OSError):
                    await asyncio.sleep(OUTAGE_WAIT_S)

    async def _read(self, redis: Redis) -> None:
        answer: Any = await redis.xread({STREAM: self._last_id}, count=COUNT, block=BLOCK_MS)
        for _, entries in answer or ():
            for entry_id, fields in entries:
                self._last_id = entry_id
                self.entries.append(fields)
                self.told_at.append(int(entry_id.partition("-")[0]))
                entry = parse_entry(fields)
                self.told[entry.owner, entry.meeting].append(entry)


@asynccontextmanager
async def open_consumer(url: str) -> AsyncIterator[Consumer]:
    """Consume until the block ends."""
    consumer = Consumer(url)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        while not task.done():  # the client may swallow one while it connects
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
