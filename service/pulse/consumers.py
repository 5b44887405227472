"""Warns of consumer groups that fall behind, before trimming reaches what they have not read, and after.

Each is said when it begins and when it grows worse, not at every look.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from service.consuming.backlog import GroupBacklog

_LOG: Final = structlog.get_logger(__name__)

ListBacklogs = Callable[[], Awaitable[Sequence[GroupBacklog]]]
"""Reads how far each group is behind; raises `StreamError`."""


class ConsumerWatch:
    """Remembers what was said already."""

    def __init__(self, list_backlogs: ListBacklogs, *, headroom_min: float) -> None:
        """Prepare.

        Args:
            headroom_min: part of the stream's bound; a group with less is warned of.
        """
        self._list_backlogs = list_backlogs
        self._headroom_min = headroom_min
        self._warned: set[tuple[str, str]] = set()
        self._trimmed: dict[tuple[str, str], int] = {}

    async def look(self) -> None:
        """Look once.

        Raises:
            StreamError: Redis is away.
        """
        backlogs = {(one.stream, one.group): one for one in await self._list_backlogs()}
        for place, backlog in backlogs.items():
            if backlog.trimmed > self._trimmed.get(place, 0):
                _LOG.error("consumer.lost_updates", **_describe(backlog), trimmed=backlog.trimmed)
            if backlog.headroom < self._headroom_min and place not in self._warned:
                headroom = round(backlog.headroom, 3)
                _LOG.warning("consumer.fell_behind", **_describe(backlog), headroom=headroom)
        self._trimmed = {place: one.trimmed for place, one in backlogs.items() if one.trimmed}
        self._warned = {place for place, one in backlogs.items() if one.headroom < self._headroom_min}


def _describe(backlog: GroupBacklog) -> dict[str, object]:
    return {"stream": backlog.stream, "group": backlog.group, "unread": backlog.unread}
