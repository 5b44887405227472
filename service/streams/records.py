"""Small records by name, and counters by which their readers notice a change.

Must never write for a keeper that has lost its lease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from service.ports import Book
from service.streams.keys import KEEPER, KeyNames
from service.streams.link import RedisLink, load_script

_CHANGE_RECORDS: Final = load_script("change_records")


class RedisRecords:
    """The Redis side of `Records`. Every method raises `StreamError`."""

    def __init__(self, link: RedisLink, keys: KeyNames, *, lease_name: str = KEEPER) -> None:
        """Prepare; nothing is sent.

        Args:
            lease_name: the lease whose fencing numbers `write` and `drop` compare.
        """
        self._link = link
        self._keys = keys
        self._lease_name = lease_name

    async def read_all(self, book: Book) -> dict[str, str]:
        """Give all records of a book; may be empty."""
        records: dict[str, str] = await self._link.call("HGETALL", self._keys.book(book))
        return records

    async def read(self, book: Book, names: Sequence[str]) -> dict[str, str]:
        """Give those of these records that there are."""
        if not names:
            return {}
        texts = await self._link.call("HMGET", self._keys.book(book), *names)
        return {name: text for name, text in zip(names, texts, strict=True) if text is not None}

    async def write(self, book: Book, records: Mapping[str, str], *, fence: int | None = None) -> None:
        """Write these records and raise the book's counter, atomically; no records, no change.

        Raises:
            FencedError: the lease was given to another since, or was lost with all else; nothing was written.
        """
        await self._change(book, records, (), fence)

    async def drop(self, book: Book, names: Sequence[str], *, fence: int | None = None) -> None:
        """Delete these records and raise the book's counter, atomically; no names, no change.

        Raises:
            FencedError: as for `write`.
        """
        await self._change(book, {}, names, fence)

    async def read_counter(self, book: Book) -> int:
        """Give the book's counter: it differs after every change; 0 where nothing was ever written."""
        return int(await self._link.call("GET", self._keys.counter(book)) or 0)

    async def _change(
        self, book: Book, records: Mapping[str, str], names: Sequence[str], fence: int | None
    ) -> None:
        if not records and not names:
            return
        flat = [text for item in records.items() for text in item]
        await self._link.run(
            _CHANGE_RECORDS,
            [self._keys.book(book), self._keys.counter(book), self._keys.fence(self._lease_name)],
            ["" if fence is None else fence, len(records), *flat, *names],
        )
