"""Ids of entries of Redis' streams: `<milliseconds of Redis' clock>-<number>`. Pure.

Source: https://redis.io/docs/latest/develop/data-types/streams/#entry-ids
"""

from __future__ import annotations


def order_of(entry_id: str) -> tuple[int, int]:
    """Give the key by which ids of one stream are in order."""
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number or 0)


def ms_of(entry_id: str) -> int:
    """Give the moment at which an entry was added, in ms since 1970."""
    return order_of(entry_id)[0]
