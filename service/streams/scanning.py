"""Whole streams and hashes, read in bounded pieces so that no other client waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from service.streams.link import RedisLink

_PAGE: Final = 500


async def read_stream(link: RedisLink, key: str) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """Give every entry of a stream, oldest first.

    Raises:
        StreamError: Redis refused or is away.
    """
    start = "-"
    while page := await link.call("XRANGE", key, start, "+", "COUNT", _PAGE):
        for entry_id, fields in page:
            yield entry_id, fields
        start = f"({page[-1][0]}"


async def read_hash(link: RedisLink, key: str) -> AsyncIterator[dict[str, str]]:
    """Give the members of a hash, some at a time. One may come twice, a new one not at all.

    Raises:
        StreamError: Redis refused or is away.
    """
    cursor = 0
    while True:
        cursor, members = await link.call("HSCAN", key, cursor, "COUNT", _PAGE)
        yield members
        if cursor == 0:
            return
