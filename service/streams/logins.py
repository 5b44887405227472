"""Sign-ins in Redis, by person. Must never hold a token that is not sealed."""

from __future__ import annotations

from typing import Final

from service.ports import Book
from service.streams.keys import KeyNames
from service.streams.link import RedisLink, load_script
from service.streams.records import RedisRecords

_REPLACE_RECORD: Final = load_script("replace_record")


class RedisSignIns:
    """The book of sign-ins. Every method raises `StreamError`."""

    def __init__(self, link: RedisLink, keys: KeyNames, records: RedisRecords) -> None:
        self._link = link
        self._keys = keys
        self._records = records

    async def read_all(self) -> dict[str, str]:
        """Give all; may be empty."""
        return await self._records.read_all(Book.SIGN_INS)

    async def read_one(self, person: str) -> str | None:
        """Give one; None where there is none."""
        text: str | None = await self._link.call("HGET", self._keys.book(Book.SIGN_INS), person)
        return text

    async def read_counter(self) -> int:
        """Give a number that differs after every change."""
        return await self._records.read_counter(Book.SIGN_INS)

    async def put(self, person: str, text: str) -> None:
        """Keep a sign-in, in place of an earlier one."""
        await self._records.write(Book.SIGN_INS, {person: text})

    async def replace(self, person: str, expected: str, text: str) -> bool:
        """Put a text in the place of another; tells whether that one was still there.

        So a process that renewed a token cannot undo that somebody signed out, or in again.
        """
        keys = [self._keys.book(Book.SIGN_INS), self._keys.counter(Book.SIGN_INS)]
        return bool(await self._link.run(_REPLACE_RECORD, keys, [person, expected, text]))

    async def drop(self, person: str) -> bool:
        """Forget a sign-in; tells whether there was one."""
        had_one = await self.read_one(person) is not None
        await self._records.drop(Book.SIGN_INS, [person])
        return had_one
