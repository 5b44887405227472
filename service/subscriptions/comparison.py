"""A full calendar round held against the state: which events are held that the calendar no longer lists.

Finds deletions that nobody announced. Only points at them: the worker looks into the calendar before it
believes that an event is gone.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from service.clock import Clock
from service.entries import IntakeEntry, Kind, Origin
from service.ports import DeltaPage, StateStore
from service.reconcile.facts import InstanceFacts
from service.reconcile.instant import instant_of
from service.reconcile.model import MailboxKey, OwnerKey
from service.reconcile.state import decode_state
from service.subscriptions.resync import Window


class StateComparison:
    """One full round of one owner's calendar.

    Args:
        origin: what the entries say.

    After a crash the pages before it are not seen again: more is pointed at then, nothing is missed.
    """

    def __init__(
        self,
        *,
        states: StateStore,
        owner: OwnerKey,
        clock: Clock,
        window: Window,
        origin: Origin = Origin.SWEEP,
    ) -> None:
        self._states = states
        self._owner = owner
        self._clock = clock
        self._window = window
        self._origin = origin
        self._seen: set[str] = set()

    async def take_page(self, page: DeltaPage) -> list[IntakeEntry]:
        """Note what a page lists; after the last one give an entry for each event that was not listed.

        Raises:
            StreamError: the state could not be read.
        """
        for item in page.items:
            if not item.is_removed:
                self._seen |= {item.id, item.series_master_id}
        if page.delta_link is None:
            return []
        return [self._point_at(event_id) for event_id in await self._list_missing()]

    async def _list_missing(self) -> list[str]:
        now = self._clock.now()
        missing: list[str] = []
        for meeting in await self._states.list_meetings(self._owner):
            stored = await self._states.read(self._owner, meeting)
            try:
                state = decode_state(stored.fields)
            except msgspec.DecodeError:
                continue
            for held in state.facts.instances.values():
                if is_expected(held, now, self._window) and held.head is not None:
                    missing += [held.head.details.id] if held.head.details.id not in self._seen else []
        return missing

    def _point_at(self, event_id: str) -> IntakeEntry:
        return IntakeEntry(
            kind=Kind.EVENT,
            origin=self._origin,
            mailbox=MailboxKey(self._owner),
            item=event_id,
            change="deleted",
            arrived_at=instant_of(self._clock.now()).text,
        )


def is_expected(held: InstanceFacts, now: datetime, window: Window) -> bool:
    """Tell whether a held event must be listed: it stands, and lies within the window by a day."""
    head = held.head
    if head is None or held.is_gone or head.is_cancelled:
        return False
    first = instant_of(now - timedelta(days=window.days_back - 1)).ns
    last = instant_of(now + timedelta(days=window.days_ahead - 1)).ns
    begins = head.slot.start
    ends_at = head.details.ends_at
    return (ends_at is None or ends_at.ns > first) and (begins is None or begins < last)
