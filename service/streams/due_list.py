"""The due list of each partition: retries and timers that wait, durable, until their time comes.

What has come due goes to the intake stream before it leaves the list: a crash between the two repeats it,
and a repeated entry is harmless. Must never drop what was set anew meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from service.entries import IntakeEntry
from service.streams.keys import KeyNames, name_retry
from service.streams.link import RedisLink, load_script, to_ms

_PUT_OFF: Final = load_script("put_off")
_TAKE_DUE: Final = load_script("take_due")
_DROP_DUE: Final = load_script("drop_due")

Append = Callable[[Sequence[Mapping[str, str]]], Awaitable[None]]
"""Appends flat entries to the intake stream, all or none."""


class DueList:
    """Puts entries off and gives them back when they are due. Every method raises `StreamError`."""

    def __init__(self, link: RedisLink, keys: KeyNames, *, release_again_s: float = 60) -> None:
        """Prepare; nothing is sent.

        Args:
            release_again_s: an entry that was taken and neither dropped nor set anew comes due again after
                this: whoever took it has crashed.
        """
        self._link = link
        self._keys = keys
        self._release_again = timedelta(seconds=release_again_s)
        self._first_partition = 0

    async def put_off(self, intake_id: str, retry: IntakeEntry, due_at: datetime) -> None:
        """Keep the retry of an intake entry until it is due; doing so twice leaves one.

        Raises:
            GenerationMissingError: the state was lost.
        """
        partition = self._keys.partition_of(retry.owner or retry.mailbox)
        await self._link.run(
            _PUT_OFF,
            [
                self._keys.generation(partition),
                self._keys.due(partition),
                self._keys.due_entries(partition),
            ],
            [name_retry(intake_id), to_ms(due_at), msgspec.json.encode(retry.to_fields()).decode()],
        )

    async def release(self, now: datetime, *, count: int, append: Append) -> int:
        """Append what has come due, at most `count` entries; gives how many.

        Begins with another partition each time, so that a long list does not hold up the others.

        Raises:
            GenerationMissingError: the state was lost.
        """
        released = 0
        first, self._first_partition = self._first_partition, self._first_partition + 1
        for step in range(self._keys.partitions):
            if released >= count:
                break
            partition = (first + step) % self._keys.partitions
            released += await self._release_partition(partition, now, count - released, append)
        return released

    async def count(self) -> int:
        """Tell how many retries and timers wait."""
        counts = [
            await self._link.call("ZCARD", self._keys.due(partition))
            for partition in range(self._keys.partitions)
        ]
        return sum(counts)

    async def find_first_ms(self) -> int | None:
        """Give when the first of all comes due, Unix time in ms; None where nothing waits."""
        firsts = [
            await self._link.call("ZRANGE", self._keys.due(partition), 0, 0, "WITHSCORES")
            for partition in range(self._keys.partitions)
        ]
        # Flat, name then score: connections speak RESP2, see `connection.py`.
        return min((int(float(score)) for _, score in filter(None, firsts)), default=None)

    async def _release_partition(self, partition: int, now: datetime, count: int, append: Append) -> int:
        again = f"{to_ms(now + self._release_again)}.5"
        due, due_entries = self._keys.due(partition), self._keys.due_entries(partition)
        taken = await self._link.run(
            _TAKE_DUE, [self._keys.generation(partition), due, due_entries], [to_ms(now), again, count]
        )
        if not taken:
            return 0
        await append([msgspec.json.decode(text, type=dict[str, str]) for text in taken[1::2]])
        await self._link.run(_DROP_DUE, [due, due_entries], [again, *taken[::2]])
        return len(taken) // 2
