"""What waits behind an entry in its lane: read already, it may explain what comes first. Commits nothing.

An answer and its event are announced together. Looked at alone, more would have to be read about either: an
occurrence that shows an answer may have it from its series, and nothing may be held of one that was answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from service.pipeline.series import Said
from service.ports import Told
from service.reconcile.matching import find_attendee
from service.reconcile.model import CalendarEvent, InstanceKey, MeetingKey, MeetingResponse

Read = MeetingResponse | CalendarEvent | Told | None
"""What an entry pointed to; None where there is nothing to read for us."""


class Behind:
    """The reads of messages and events that follow an entry in its lane.

    Args:
        list_reads: gives them as they are now, in order; each may still be under way, or fail.
        wait_s: so long what is under way is waited for.
    """

    def __init__(self, list_reads: Callable[[], Sequence[asyncio.Task[Read]]], wait_s: float) -> None:
        self._list_reads = list_reads
        self._wait_s = wait_s

    async def list_answers(self, meeting: MeetingKey, instance: InstanceKey) -> list[Said]:
        """Give who answered an occurrence, in order; may be empty."""
        return [
            Said(attendee=attendee, slot=item.slot, at_ns=item.at.ns)
            async for item in self._list_items()
            if isinstance(item, MeetingResponse)
            and (item.meeting, item.instance) == (meeting, instance)
            and (attendee := find_attendee(item)) is not None
        ]

    async def has_event(self, meeting: MeetingKey, instance: InstanceKey) -> bool:
        """Tell whether an occurrence's own event follows."""
        return any(
            [
                (item.meeting, item.instance) == (meeting, instance)
                async for item in self._list_items()
                if isinstance(item, CalendarEvent) and item.is_organizer
            ]
        )

    async def _list_items(self) -> AsyncIterator[MeetingResponse | CalendarEvent | None]:
        reads = self._list_reads()
        done, _ = await asyncio.wait(reads, timeout=self._wait_s) if reads else ((), ())
        for read in reads:
            # What failed is told when it is that entry's turn.
            if read in done and not read.cancelled() and read.exception() is None:
                found = read.result()
                yield found.item if isinstance(found, Told) else found


NOTHING_BEHIND: Final = Behind(tuple, 0)
