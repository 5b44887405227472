"""Of what waited for a worker, messages are worked off before events.

A calendar shows what is so now. Read while answers given before still wait, it would confirm the last one,
and the earlier ones would be passed over. So an event that lies far before the stream's end goes behind it.
Must never keep one there longer than a limit, and puts nothing off while workers keep up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from service.clock import Clock
from service.entries import IntakeEntry, Kind, parse_entry
from service.ports import Delivered, IntakeStream
from service.reconcile.instant import instant_of, parse_instant
from service.reconcile.model import OwnerKey
from service.roster import WatchList
from service.stream_ids import ms_of

_log = structlog.get_logger("worker")
_MS_PER_S: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogLimits:
    """Bounds of waiting.

    Attributes:
        lag_s: an event goes behind the end of the stream where that is younger by more than this. Two
            answers of one person that are closer together than this may still be told as one.
        wait_max_s: no event is put off any more so long after it was for the first time; 0 puts none off.
    """

    lag_s: float = 2.0
    wait_max_s: float = 60.0


class MessagesFirst:
    """Lets entries through, or puts events behind the messages that wait with them.

    What is compared are ids of the stream, which are Redis' time: no clock of ours matters. Of one worker's
    lane, what goes ahead is committed before what comes behind.
    """

    def __init__(self, *, intake: IntakeStream, clock: Clock, limits: BacklogLimits | None = None) -> None:
        self._intake = intake
        self._clock = clock
        self._limits = limits or BacklogLimits()

    async def let_through(self, taken: Sequence[Delivered], watch: WatchList) -> Sequence[Delivered]:
        """Give the entries that may be processed now, in order; the others were put off.

        Raises:
            StreamError: Redis is away; what was not put off stays pending.
        """
        events = {one.id: entry for one in taken if (entry := _find_event(one, watch)) is not None}
        if not events or self._limits.wait_max_s <= 0:
            return taken
        end_ms = ms_of(await self._intake.find_last_id())
        held = [one for one in taken if one.id in events and self._has_to_wait(one, events[one.id], end_ms)]
        await asyncio.gather(*(self._put_off(one, events[one.id]) for one in held))
        if held:
            _log.info("worker.events_put_off", count=len(held))
        waiting = {one.id for one in held}
        return [one for one in taken if one.id not in waiting]

    def _has_to_wait(self, delivered: Delivered, event: IntakeEntry, end_ms: int) -> bool:
        is_behind = end_ms - ms_of(delivered.id) > self._limits.lag_s * _MS_PER_S
        return is_behind and not self._has_waited(delivered, event)

    def _has_waited(self, delivered: Delivered, event: IntakeEntry) -> bool:
        """Tell whether an event was put off long enough; what a dead worker had taken begins anew."""
        if not event.held_since or delivered.deliveries > 1:
            return False
        waited = self._clock.now() - parse_instant(event.held_since).to_datetime()
        return abs(waited.total_seconds()) >= self._limits.wait_max_s  # by another worker's clock, maybe

    async def _put_off(self, delivered: Delivered, event: IntakeEntry) -> None:
        now = self._clock.now()
        is_first = not event.held_since or delivered.deliveries > 1
        again = replace(event, held_since=instant_of(now).text) if is_first else event
        await self._intake.defer(delivered, again, due_at=now)


def _find_event(delivered: Delivered, watch: WatchList) -> IntakeEntry | None:
    """Read an entry about an event whose owner's answers are told one by one: not at first sight."""
    try:
        entry = parse_entry(delivered.fields)
    except ValueError:
        return None
    owner = watch.owners.get(OwnerKey(entry.mailbox))
    is_told = owner is not None and owner.is_baselined
    return entry if entry.kind is Kind.EVENT and is_told else None
