"""Events that Graph did not find: each is noted, so that whoever holds one too late looks again.

What tells of an event may come after its deletion, and a worker may hold what it read before another one did
not find it. Whoever does not find an event notes that before looking whether it is held; whoever holds an
event for the first time looks for the note afterwards. So one of the two sees the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from service.entries import IntakeEntry, Kind, Origin
from service.pipeline.snapshots import Appending
from service.ports import StateStore
from service.reconcile.model import EventFact, EventId, Fact, InstanceKey, MeetingKey, OwnerKey
from service.reconcile.state import MeetingState


class GoneEvents:
    """Notes what was not found, and has it looked for where it is held nevertheless."""

    def __init__(self, states: StateStore, intake: Appending) -> None:
        self._states = states
        self._intake = intake

    async def note(self, owner: OwnerKey, event: EventId) -> tuple[MeetingKey, InstanceKey] | None:
        """Note that an event was not found; gives what it belongs to where it is held.

        Raises:
            StreamError: Redis refused or is away.
        """
        await self._states.note_gone(owner, event)
        return await self._states.find_event(owner, event)

    async def look_again(
        self, entry: IntakeEntry, owner: OwnerKey, before: MeetingState, facts: Iterable[Fact]
    ) -> None:
        """Have events looked for that are held now, and were not found before.

        Args:
            entry: what made them held.
            before: what was held until then of their meeting.

        Raises:
            StreamError: Redis refused or is away.
        """
        first = _list_first(before, facts)
        gone = [event for event in first if await self._states.was_gone(owner, event)]
        if gone:
            await self._intake.append([_look_for(event, owner, entry) for event in gone])


def _list_first(before: MeetingState, facts: Iterable[Fact]) -> Iterator[EventId]:
    """Give the events of whose instance none was held before."""
    for fact in facts:
        if isinstance(fact, EventFact) and before.facts.instance(fact.instance).head is None:
            yield fact.details.id


def _look_for(event: EventId, owner: OwnerKey, entry: IntakeEntry) -> IntakeEntry:
    return IntakeEntry(
        kind=Kind.EVENT,
        origin=Origin.TIMER,
        mailbox=owner,
        item=event,
        change="deleted",
        arrived_at=entry.arrived_at,
    )
