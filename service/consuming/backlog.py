"""How far consumer groups are behind, and what was trimmed before they read it. Does no I/O.

Source: https://redis.io/docs/latest/commands/xinfo-groups/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from service.stream_ids import order_of
from service.streams.update_stream import UpdateStreamFacts

FIRST: Final = "0-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupBacklog:
    """What a consumer group has not read of one stream.

    Attributes:
        unread: entries published and not yet handed to the group, those trimmed meanwhile included; where
            Redis cannot tell, all that the stream holds.
        trimmed: of these, entries that are gone; 1 where they cannot be counted and there is at least one.
        headroom: part of the stream's bound, 0 to 1, that may still be published before the group loses an
            entry: trimming is approximate, and never takes more than what lies beyond the bound.
    """

    stream: str
    group: str
    unread: int
    trimmed: int
    headroom: float


def list_backlogs(
    streams: Iterable[UpdateStreamFacts], *, entries_max: int, groups_max: int
) -> tuple[GroupBacklog, ...]:
    """List groups by how little headroom they have, the worst first.

    Args:
        entries_max: the bound of each stream, `STREAM_MAXLEN`.
        groups_max: of more pairs of stream and group than that, the best are left out.
    """
    found = [_judge(facts, group, entries_max) for facts in streams for group in facts.groups]
    found.sort(key=lambda one: (-one.trimmed, one.headroom, one.stream, one.group))
    return tuple(found[:groups_max])


def count_trimmed(facts: UpdateStreamFacts, group: Mapping[str, Any]) -> int | None:
    """Count entries that were trimmed before the group read them; None where Redis cannot tell how many."""
    last = group["last-delivered-id"]
    if order_of(last) >= order_of(facts.first_id or facts.last_id or FIRST):
        return 0
    read = 0 if last == FIRST else group.get("entries-read")
    return None if read is None else facts.added - facts.length - read


def _judge(facts: UpdateStreamFacts, group: Mapping[str, Any], entries_max: int) -> GroupBacklog:
    trimmed = count_trimmed(facts, group)
    unread = _count_unread(facts, group, has_lost=trimmed != 0)
    return GroupBacklog(
        stream=facts.stream,
        group=group["name"],
        unread=unread,
        trimmed=1 if trimmed is None else trimmed,
        headroom=min(max(1 - unread / entries_max, 0.0), 1.0),
    )


def _count_unread(facts: UpdateStreamFacts, group: Mapping[str, Any], *, has_lost: bool) -> int:
    """Count what was not handed out.

    A group that read on after a loss is told by Redis 7.0 and Valkey as if it still had the lost entries
    before it; but it cannot have more than the stream holds.
    """
    if order_of(group["last-delivered-id"]) >= order_of(facts.last_id or FIRST):
        return 0
    lag = group.get("lag")
    if lag is None:
        return facts.length
    return int(lag) if has_lost else min(int(lag), facts.length)
