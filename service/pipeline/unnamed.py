"""Under which key a meeting goes whose events do not show its iCalUId, or not all of them. Commits nothing.

Answers name a meeting by its global object id. An event shows that as its iCalUId, but for some items Graph
gives null, and such a meeting goes by `id:` and the id of its event (of its series master). What ties the
two is the event's own global object id, an extended property: it is noted with the commit of the event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from service.errors import GoneError, RefusedError
from service.pipeline.committer import name_answered, read_state
from service.ports import MailboxReader, StateStore
from service.reconcile.instant import Instant
from service.reconcile.model import (
    BY_ID,
    WHOLE,
    CalendarEvent,
    MeetingKey,
    ResponseFact,
    Slot,
)
from service.reconcile.state import MeetingState
from service.roster import WatchedOwner


class UnnamedMeetings:
    """Finds the key of meetings whose events show no iCalUId."""

    def __init__(self, reader: MailboxReader, states: StateStore) -> None:
        self._reader = reader
        self._states = states

    async def settle(self, owner: WatchedOwner, event: CalendarEvent) -> CalendarEvent:
        """Give an event under the key of the meeting to which it belongs.

        A series is one meeting, whichever of its events show an iCalUId; and a meeting keeps the key under
        which it was first read.

        Raises:
            GraphError, TokenError, StreamError: the series, or what is held of it, could not be read.
        """
        if not event.is_unnamed and await self._is_held(owner, event.meeting):
            return event
        known = await self._find_held(owner, event)
        if known is None and event.is_unnamed:
            known = await self._ask_series(owner, event)
        return event if known is None else move_under(known, event)

    async def settle_by_series(self, owner: WatchedOwner, event: CalendarEvent) -> CalendarEvent:
        """Give an occurrence that shows an iCalUId under the key of its series, if that shows none."""
        known = None if event.is_unnamed else await self._ask_series(owner, event)
        return move_under(known, event) if known is not None and known.startswith(BY_ID) else event

    async def find_noted(self, owner: WatchedOwner, answered: MeetingKey) -> MeetingKey:
        """Give the key under which the meeting is held that answers with this global object id are for."""
        known = await self._states.find_event(owner.key, name_answered(answered))
        return answered if known is None else known[0]

    async def find(self, owner: WatchedOwner, meeting: MeetingKey, slot: Slot) -> MeetingKey | None:
        """Look into the calendar for the meeting that was answered; None where the owner has none.

        Args:
            slot: what was answered; its start tells where to look.
        """
        if slot.start is None:
            return None
        try:
            look = await self._reader.find_unnamed(owner.key, meeting, Instant(ns=slot.start, text=""))
        except (GoneError, RefusedError):  # no such calendar, or no such view of it
            return None
        return next((event.meeting for event in look.events if event.is_organizer), None)

    async def list_waiting(self, owner: WatchedOwner, event: CalendarEvent) -> list[ResponseFact]:
        """Give the answers that came before an unnamed event was found, as answers to its meeting."""
        if event.global_id is None or event.global_id == event.meeting:
            return []
        held = await read_state(self._states, owner.key, event.global_id)
        return list(_move_answers(held, owner, event.meeting))

    async def _is_held(self, owner: WatchedOwner, meeting: MeetingKey) -> bool:
        state = await read_state(self._states, owner.key, meeting)
        return state.facts.instance(WHOLE).head is not None

    async def _find_held(self, owner: WatchedOwner, event: CalendarEvent) -> MeetingKey | None:
        """Give the key under which the event or its series is held; of a named event only one by id."""
        for event_id in (event.details.id, event.details.series_master_id):
            known = None if event_id is None else await self._states.find_event(owner.key, event_id)
            if known is not None and (event.is_unnamed or known[0].startswith(BY_ID)):
                return known[0]
        return None

    async def _ask_series(self, owner: WatchedOwner, event: CalendarEvent) -> MeetingKey | None:
        if event.details.series_master_id is None:
            return None
        try:
            return (await self._reader.fetch_event(owner.key, event.details.series_master_id)).meeting
        except GoneError:  # then the occurrence stands alone
            return None


def move_under(meeting: MeetingKey, event: CalendarEvent) -> CalendarEvent:
    """Give an event under the key of its meeting; an iCalUId that it shows itself is what answers name."""
    shown = None if event.is_unnamed else event.meeting
    return replace(event, meeting=meeting, global_id=event.global_id or shown)


def _move_answers(held: MeetingState, owner: WatchedOwner, meeting: MeetingKey) -> Iterator[ResponseFact]:
    for key, instance in held.facts.instances.items():
        for attendee, facts in instance.attendees.items():
            for answer in facts.answers:
                yield ResponseFact(
                    owner=owner.key,
                    meeting=meeting,
                    instance=key,
                    attendee=attendee,
                    slot=answer.slot,
                    sequence=answer.sequence,
                    value=answer.value,
                    at=answer.at,
                    comment=answer.comment,
                    proposal=answer.proposal,
                    witness=answer.witness,
                )
