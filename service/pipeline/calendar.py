"""What must be read of an owner's calendar beside the item that an entry points to. Commits nothing.

Parts of a series are read together wherever one alone would be misunderstood: an occurrence that was read
before its series changed looks like an exception, and would be published as one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Final

from service.errors import GoneError, LookedTooSoonError, UntalliedError
from service.pipeline.behind import NOTHING_BEHIND, Behind
from service.pipeline.committer import read_state
from service.pipeline.series import (
    Answered,
    ended_at,
    is_explained,
    list_outdated,
    nearest,
    shows_news,
    stands_since,
)
from service.pipeline.unnamed import UnnamedMeetings, move_under
from service.ports import Look, MailboxReader, StateStore
from service.reconcile.facts import InstanceFacts
from service.reconcile.instant import NS_PER_S
from service.reconcile.model import (
    WHOLE,
    Address,
    CalendarEvent,
    EventFact,
    EventId,
    EventType,
    Fact,
    GoneFact,
    InstanceKey,
    MeetingKey,
    MeetingResponse,
)
from service.reconcile.state import MeetingState
from service.roster import WatchedOwner

_ROUNDS_MAX: Final = 3  # somebody who changes a series faster than it is read


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarLimits:
    """Bounds of reading along.

    Attributes:
        occurrences_max: held occurrences that are read together with their series; sweeps find the others.
        tolerance_s: two instants closer than this are the same moment.
    """

    occurrences_max: int = 50
    tolerance_s: float = 2.0


class CalendarReads:
    """Reads meetings of owners' calendars and gives them as facts."""

    def __init__(
        self, reader: MailboxReader, states: StateStore, limits: CalendarLimits | None = None
    ) -> None:
        self._reader = reader
        self._states = states
        self._limits = limits or CalendarLimits()
        self._unnamed = UnnamedMeetings(reader, states)

    async def find_answered(
        self,
        owner: WatchedOwner,
        answered: MeetingKey,
        response: MeetingResponse,
        attendee: Address,
        behind: Behind = NOTHING_BEHIND,
    ) -> tuple[MeetingKey, list[Fact] | None]:
        """Find the meeting of an owner that was answered, and read what is needed to understand the answer.

        Args:
            answered: cleaned global object id.
            behind: what follows the answer in its lane.

        Returns:
            The meeting's key, and None where it is not one that the owner organizes; an empty list where all
            is held.

        Raises:
            UntalliedError: its calendar is one whose answers Exchange does not tally.
        """
        meeting = await self._unnamed.find_noted(owner, answered)
        found = await self.read_for_answer(owner, meeting, response.instance, attendee, behind)
        is_for_another = response.represented is not None and response.represented not in owner.aliases
        if found is not None or is_for_another:
            return meeting, found
        unnamed = await self._unnamed.find(owner, meeting, response.slot)
        if unnamed is None:
            return meeting, None
        return unnamed, await self.read_for_answer(owner, unnamed, response.instance, attendee, behind)

    async def read_for_answer(
        self,
        owner: WatchedOwner,
        meeting: MeetingKey,
        instance: InstanceKey,
        attendee: Address,
        behind: Behind = NOTHING_BEHIND,
    ) -> list[Fact] | None:
        """Read what is needed to understand an answer; an occurrence whose event comes along is not.

        Returns:
            None where the meeting is not one that the owner organizes; empty where all is held.

        Raises:
            UntalliedError: its calendar is one whose answers Exchange does not tally.
        """
        state = await read_state(self._states, owner.key, meeting)
        facts: list[Fact] = []
        series_id, zone = _series_of(state)
        if series_id is None:
            found = await self._find_meeting(owner, meeting)
            if not found:
                return None
            await self._need_tallied(owner, found[0].details.id, state)
            facts += found
            series_id, zone = found[0].details.id, found[0].details.zone
        is_unlisted = instance != WHOLE and _is_unlisted(state.facts.instance(instance), attendee)
        if is_unlisted and not await behind.brings_event(meeting, instance):
            for fact in await self._find_instance(owner, meeting, series_id, instance, zone):
                facts += [fact] if facts else await self._read_along(owner, fact, state)
        return facts

    async def read_around(
        self,
        owner: WatchedOwner,
        event: CalendarEvent,
        behind: Behind = NOTHING_BEHIND,
        *,
        is_in_primary: bool = False,
    ) -> list[Fact]:
        """Give an event with what must be understood together with it; the first fact is the event's own.

        Args:
            behind: what follows the event in its lane.
            is_in_primary: it was found in the owner's primary calendar.

        Raises:
            UntalliedError: its calendar is one whose answers Exchange does not tally.
        """
        event = await self._unnamed.settle(owner, event)
        waiting = await self._unnamed.list_waiting(owner, event)
        fact = event_fact(owner, event)
        state = await read_state(self._states, owner.key, event.meeting)
        if not is_in_primary:
            await self._need_tallied(owner, event.details.id, state)
        if fact.instance == WHOLE:
            gone = self._find_cancelled(fact, event.cancelled, state)
            again = await self._read_occurrences(owner, fact, state, cancelled=event.cancelled)
            return [fact, *again, *gone, *waiting]
        along = await self._read_along(owner, fact, state, behind)
        is_lonely = along == [fact] and state.facts.instance(WHOLE).head is None
        if is_lonely and (named := await self._unnamed.settle_by_series(owner, event)) != event:
            return await self.read_around(owner, named, behind, is_in_primary=True)
        return [*along, *waiting]

    async def look_for_missing(
        self, owner: WatchedOwner, meeting: MeetingKey, instance: InstanceKey
    ) -> list[Fact]:
        """Look for an instance that Graph does not find by its id: it is there, or gone.

        Raises:
            LookedTooSoonError: it was last seen in the second of this look.
        """
        state = await read_state(self._states, owner.key, meeting)
        series_id, zone = _series_of(state)
        if instance != WHOLE and series_id is not None:
            try:
                look = await self._reader.find_instance(owner.key, series_id, instance, zone)
                (fact,) = _found_or_gone(owner, meeting, instance, state, look)
                return await self._read_along(owner, fact, state) if isinstance(fact, EventFact) else [fact]
            except GoneError:  # then the whole series may be
                instance = WHOLE
        look = await self._reader.find_meeting(owner.key, meeting)
        return _found_or_gone(owner, meeting, instance, state, look)

    async def _need_tallied(self, owner: WatchedOwner, event: EventId, state: MeetingState) -> None:
        """Ask once for each meeting, before any event of it is held.

        Raises:
            UntalliedError: Exchange does not tally answers in the calendar of that event.
        """
        is_held = any(one.head is not None for one in state.facts.instances.values())
        if not is_held and not await self._reader.is_tallied(owner.key, event):
            raise UntalliedError("Exchange does not tally answers in the calendar of this meeting")

    async def _read_along(
        self, owner: WatchedOwner, fact: EventFact, state: MeetingState, behind: Behind = NOTHING_BEHIND
    ) -> list[Fact]:
        """Give an occurrence, with its series as it is now where it would be misunderstood alone."""
        if fact.instance == WHOLE or self._is_explained(fact, state):
            return [fact]
        if self._is_explained(fact, state, await behind.list_answers(fact.meeting, fact.instance)):
            return [fact]
        found = await self._find_meeting(owner, fact.meeting)
        again = [await self._read_occurrences(owner, series, state, besides=fact) for series in found]
        return [fact, *found, *chain.from_iterable(again)]

    def _is_explained(self, fact: EventFact, state: MeetingState, said: Sequence[Answered] = ()) -> bool:
        return is_explained(fact, state, said=said, tolerance_ns=round(self._limits.tolerance_s * NS_PER_S))

    async def _read_occurrences(
        self,
        owner: WatchedOwner,
        series: EventFact,
        state: MeetingState,
        *,
        cancelled: Collection[InstanceKey] = (),
        besides: EventFact | None = None,
        more_rounds: int = _ROUNDS_MAX,
    ) -> list[EventFact]:
        """Read the held occurrences again that the series as it is now outdates.

        Args:
            cancelled: occurrences that the series says are cancelled, as far as it was asked.
            besides: an occurrence that was read before its series was, held or not.
            more_rounds: how often the series may be found to have changed meanwhile; sweeps find the rest.
        """
        facts: list[EventFact] = []
        known = list_outdated(series, state, cancelled=cancelled, besides=besides)
        for key, event_id in sorted(known.items(), reverse=True)[: self._limits.occurrences_max]:
            facts += await self._read_occurrence_again(owner, series, key, event_id)
        if more_rounds and any(shows_news(fact, series, state) for fact in facts):
            for later in await self._find_meeting(owner, series.meeting):
                if later.change_key != series.change_key:
                    again = await self._read_occurrences(owner, later, state, more_rounds=more_rounds - 1)
                    facts += [later, *again]
        return facts

    async def _read_occurrence_again(
        self, owner: WatchedOwner, series: EventFact, key: InstanceKey, event_id: EventId | None
    ) -> list[EventFact]:
        """Read an occurrence by its id, else by its date; may find none.

        One that was cancelled is still read by its id, from Deleted Items; but a series that moves takes
        place on that date again.
        """
        held: list[EventFact] = []
        if event_id is not None:
            with suppress(GoneError):
                event = await self._reader.fetch_event(owner.key, event_id)
                held = [event_fact(owner, move_under(series.meeting, event))]
        if held and not held[0].is_cancelled:
            return held
        zone = series.details.zone
        return await self._find_instance(owner, series.meeting, series.details.id, key, zone) or held

    def _find_cancelled(
        self, series: EventFact, cancelled: Sequence[InstanceKey], state: MeetingState
    ) -> list[Fact]:
        """Give the end of occurrences that the calendar says are cancelled, the nearest to now first.

        That is how one ends which was never read by itself, and whose own notification was lost. What its
        own event said of its end before stands, unless the series moved since.

        Raises:
            LookedTooSoonError: one was last seen in the second in which the series was read.
        """
        since_ns = stands_since(series, state.facts.instance(WHOLE))
        gone: list[Fact] = []
        for key in nearest(cancelled, series.seen)[: self._limits.occurrences_max]:
            held = state.facts.instance(key)
            if since_ns is not None and ended_at(held) >= since_ns:
                continue
            if held.seen is not None and held.seen.ns == series.seen.ns:
                raise LookedTooSoonError("cancelled in the second in which it was last seen")
            gone.append(GoneFact(owner=series.owner, meeting=series.meeting, instance=key, at=series.seen))
        return gone

    async def _find_meeting(self, owner: WatchedOwner, meeting: MeetingKey) -> list[EventFact]:
        look = await self._reader.find_meeting(owner.key, meeting)
        return _organized(owner, meeting, look.events)

    async def _find_instance(
        self, owner: WatchedOwner, meeting: MeetingKey, series: EventId, instance: InstanceKey, zone: str
    ) -> list[EventFact]:
        try:
            look = await self._reader.find_instance(owner.key, series, instance, zone)
        except GoneError:  # the series went meanwhile; its own notification tells
            return []
        return _organized(owner, meeting, look.events)


def event_fact(owner: WatchedOwner, event: CalendarEvent) -> EventFact:
    """Give an event that was read as a fact about the owner's meeting.

    A row under another address of the owner's is the organizer's own, and no row.
    """
    is_whole = event.details.type in (EventType.SINGLE, EventType.SERIES)
    return EventFact(
        owner=owner.key,
        meeting=event.meeting,
        instance=WHOLE if is_whole else event.instance,
        last_modified=event.last_modified,
        change_key=event.change_key,
        seen=event.seen,
        sequence=event.sequence,
        slot=event.slot,
        is_cancelled=event.is_cancelled,
        rows=tuple(row for row in event.rows if row.address not in owner.aliases),
        details=event.details,
        answered_as=event.answered_as,
    )


def _organized(owner: WatchedOwner, meeting: MeetingKey, events: Iterable[CalendarEvent]) -> list[EventFact]:
    """Give the events that were found of a meeting, under its key whatever iCalUId they show."""
    return [event_fact(owner, move_under(meeting, each)) for each in events if each.is_organizer]


def _series_of(state: MeetingState) -> tuple[EventId | None, str]:
    head = state.facts.instance(WHOLE).head
    return (None, "UTC") if head is None else (head.details.id, head.details.zone)


def _is_unlisted(instance: InstanceFacts, attendee: Address) -> bool:
    held = instance.attendees.get(attendee)
    return instance.head is None or held is None or held.row is None


def _found_or_gone(
    owner: WatchedOwner, meeting: MeetingKey, instance: InstanceKey, state: MeetingState, look: Look
) -> list[Fact]:
    found: list[Fact] = [
        fact for fact in _organized(owner, meeting, look.events) if fact.instance == instance
    ]
    if found:
        return found
    seen = state.facts.instance(instance).seen
    if seen is not None and seen.ns == look.at.ns:
        raise LookedTooSoonError("not found in the second in which it was last seen")
    return [GoneFact(owner=owner.key, meeting=meeting, instance=instance, at=look.at)]
