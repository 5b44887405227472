"""What waits behind an entry in its lane: read already, it may explain what comes first. Commits nothing.

An answer and its event are announced together. Looked at alone, more would have to be read about either: an
occurrence that shows an answer may have it from its series, and nothing may be held of one that was answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from service.pipeline.known import Known
from service.pipeline.series import Answered
from service.ports import Told
from service.reconcile.matching import find_attendee
from service.reconcile.model import CalendarEvent, InstanceKey, MeetingKey, MeetingResponse

Read = MeetingResponse | CalendarEvent | Told | Known | None
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

    async def list_answers(self, meeting: MeetingKey, instance: InstanceKey) -> list[Answered]:
        """Give who answered an occurrence, in order; may be empty."""
        items = [read.item if isinstance(read, Told) else read for read in await self._wait()]
        return [
            Answered(attendee=attendee, slot=item.slot, at_ns=item.at.ns)
            for item in items
            if isinstance(item, MeetingResponse)
            and (item.meeting, item.instance) == (meeting, instance)
            and (attendee := find_attendee(item)) is not None
        ]

    async def brings_event(self, meeting: MeetingKey, instance: InstanceKey) -> bool:
        """Tell whether a notification follows that carries an occurrence's own event.

        One that was fetched ahead does not count: it may be from before the series moved, and what is read
        now is not. One that was carried is read nevertheless where that matters.
        """
        items = [read.item for read in await self._wait() if isinstance(read, Told)]
        events = [item for item in items if isinstance(item, CalendarEvent) and item.is_organizer]
        return any((event.meeting, event.instance) == (meeting, instance) for event in events)

    async def _wait(self) -> list[Read]:
        """Give what is read; what failed is told when it is that entry's turn."""
        reads = self._list_reads()
        done, _ = await asyncio.wait(reads, timeout=self._wait_s) if reads else ((), ())
        return [
            read.result()
            for read in reads
            if read in done and not read.cancelled() and read.exception() is None
        ]


NOTHING_BEHIND: Final = Behind(tuple, 0)
