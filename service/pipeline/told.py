"""Items that came with their notifications: whether they are enough, and what has to be read nevertheless."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from service.entries import IntakeEntry
from service.errors import GoneError
from service.pipeline.calendar import event_fact
from service.pipeline.committer import read_state
from service.ports import MailboxReader, StateStore
from service.reconcile.facts import EventHead, InstanceFacts, same_slot
from service.reconcile.model import (
    WHOLE,
    CalendarEvent,
    EventFact,
    EventId,
    Fact,
    MailboxKey,
    MeetingKey,
    MeetingResponse,
    MessageId,
    OwnerKey,
)
from service.reconcile.notified import is_sight_needed, stamp_with
from service.roster import WatchedOwner


class ToldItems:
    """Makes of what a notification carried what a fetch would have given; fetches where that cannot be."""

    def __init__(
        self,
        reader: MailboxReader,
        states: StateStore,
        *,
        on_order_unclear: Callable[[IntakeEntry], None] = lambda _: None,
    ) -> None:
        self._reader = reader
        self._states = states
        self._on_order_unclear = on_order_unclear

    async def settle(self, entry: IntakeEntry, owner: WatchedOwner, event: object) -> CalendarEvent | None:
        """Give an event that may be joined: the one that was told, or the same one read anew.

        Raises:
            GoneError: it had to be read, and is not there any more.
            GraphError, TokenError, StreamError: it could not be read, or the state could not.
        """
        if not isinstance(event, CalendarEvent) or not event.is_organizer:
            return None
        state = await read_state(self._states, owner.key, event.meeting)
        fact = event_fact(owner, event)
        held = state.facts.instance(fact.instance)
        if is_sight_needed(state.facts, fact, event.cancelled) or await self._may_be_over(entry, owner, held):
            self._on_order_unclear(entry)
            return await self._reader.fetch_event(owner.key, event.details.id)
        return replace(event, seen=stamp_with(held, event.seen))

    async def _may_be_over(self, entry: IntakeEntry, owner: WatchedOwner, held: InstanceFacts) -> bool:
        """Tell whether the deletion of an occurrence of which no event was read overtook what tells of it.

        Its series does not tell, for what it says of cancelled occurrences need not come along.
        """
        return held.head is None and await self._states.was_gone(owner.key, EventId(entry.item))

    async def complete(
        self,
        entry: IntakeEntry,
        response: MeetingResponse,
        owner: OwnerKey,
        meeting: MeetingKey,
        found: Iterable[Fact],
    ) -> MeetingResponse:
        """Give an answer with the recurrence that it was to, which no extended property tells.

        An answer to the version that is held was to that version's recurrence. Any other is fetched; where it
        is not there any more, its recurrence stays unknown.

        Args:
            found: what was read of the meeting for this answer; else the state is asked.
        """
        if response.instance != WHOLE or response.slot.recurrence is not None:
            return response
        version = _find_version(found) or await self._read_head(owner, meeting)
        if version is not None and _is_answer_to(version, response):
            return replace(response, slot=replace(response.slot, recurrence=version.slot.recurrence))
        try:
            fetched = await self._reader.fetch_message(MailboxKey(entry.mailbox), MessageId(entry.item))
        except GoneError:
            return response
        return fetched or response

    async def _read_head(self, owner: OwnerKey, meeting: MeetingKey) -> EventHead | None:
        return (await read_state(self._states, owner, meeting)).facts.instance(WHOLE).head


def _find_version(found: Iterable[Fact]) -> EventFact | None:
    whole = [fact for fact in found if isinstance(fact, EventFact) and fact.instance == WHOLE]
    return whole[-1] if whole else None


def _is_answer_to(version: EventFact | EventHead, response: MeetingResponse) -> bool:
    is_numbered = version.sequence is not None and version.sequence == response.sequence
    return is_numbered and same_slot(response.slot, version.slot)
