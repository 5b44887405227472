"""Deletes what names an owner or a mailbox. Must never touch a key of another deployment or another owner."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from service.reconcile.model import OwnerKey
from service.streams.keys import KeyNames, name_timers_of
from service.streams.link import RedisLink, load_script
from service.streams.scanning import read_hash

_PURGE: Final = load_script("purge")


async def purge_owner(link: RedisLink, keys: KeyNames, owner: OwnerKey) -> int:
    """Delete states, event ids, the list of meetings, timers and retries of an owner marked as forgotten.

    Returns:
        How many states there were.

    Raises:
        FencedError: the owner was admitted again; what was not deleted yet stays.
        StreamError: Redis refused or is away; calling again finishes it.
    """
    partition = keys.partition_of(owner)
    fixed = (keys.forgotten(owner), keys.due(partition), keys.due_entries(partition))
    async for entries in read_hash(link, keys.due_entries(partition)):
        if named := [name for name, text in entries.items() if _is_about(name, text, owner)]:
            await link.run(_PURGE, fixed, named)
    removed: list[int] = []
    for pattern in keys.owner_patterns(owner):
        pages = link.scan(keys.meetings(owner), pattern)
        removed.append(sum([await link.run(_PURGE, [*fixed, *names], []) async for names in pages]))
    return removed[0]


def names_one_of(fields: Mapping[str, str], names: Collection[str]) -> bool:
    """Tell whether an intake entry is about one of these owners or mailboxes."""
    return fields.get("owner") in names or fields.get("mailbox") in names


def _is_about(name: str, text: str, owner: OwnerKey) -> bool:
    if name.startswith(name_timers_of(owner)):
        return True
    return names_one_of(msgspec.json.decode(text, type=dict[str, str]), {owner})
