"""Deletes what names an owner or a mailbox. Must never touch a key of another deployment or another owner."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Final

import msgspec

from service.reconcile.model import OwnerKey
from service.streams.keys import KeyNames, name_timers_of
from service.streams.link import RedisLink

_PAGE: Final = 500


async def forget_owner(link: RedisLink, keys: KeyNames, owner: OwnerKey) -> int:
    """Delete states, event ids, the list of meetings, timers and retries of an owner.

    Returns:
        How many states there were.

    Raises:
        StreamError: Redis refused or is away; calling again finishes it.
    """
    partition = keys.partition_of(owner)
    await _forget_due(link, keys.due(partition), keys.due_entries(partition), owner)
    removed = [await _unlink_all(link, keys.meetings(owner), glob) for glob in keys.owner_patterns(owner)]
    return removed[0]


def names_one_of(fields: Mapping[str, str], names: Collection[str]) -> bool:
    """Tell whether an intake entry is about one of these owners or mailboxes."""
    return fields.get("owner") in names or fields.get("mailbox") in names


async def read_stream(link: RedisLink, key: str) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """Give every entry of a stream, oldest first, in bounded reads."""
    start = "-"
    while page := await link.call("XRANGE", key, start, "+", "COUNT", _PAGE):
        for entry_id, fields in page:
            yield entry_id, fields
        start = f"({page[-1][0]}"


async def _unlink_all(link: RedisLink, of_slot: str, pattern: str) -> int:
    removed = 0
    async for names in link.scan(of_slot, pattern):
        removed += await link.call("UNLINK", *names)
    return removed


async def _forget_due(link: RedisLink, due: str, due_entries: str, owner: OwnerKey) -> None:
    """Take the owner's timers and retries out; the entry first, since a name alone says less."""
    cursor = 0
    while True:
        cursor, entries = await link.call("HSCAN", due_entries, cursor, "COUNT", _PAGE)
        named = [name for name, text in entries.items() if _is_about(name, text, owner)]
        if named:
            await link.call("HDEL", due_entries, *named)
            await link.call("ZREM", due, *named)
        if cursor == 0:
            return


def _is_about(name: str, text: str, owner: OwnerKey) -> bool:
    if name.startswith(name_timers_of(owner)):
        return True
    return names_one_of(msgspec.json.decode(text, type=dict[str, str]), {owner})
