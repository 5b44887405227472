"""What must be read of an owner's calendar beside the item that an entry points to. Commits nothing.

Parts of a series are read together wherever one alone would be misunderstood: an occurrence that was read
before its series changed looks like an exception, and would be published as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain

from service.errors import GoneError, LookedTooSoonError
from service.pipeline.committer import read_state
from service.pipeline.unnamed import UnnamedMeetings, move_under
from service.ports import Look, MailboxReader, StateStore
from service.reconcile.facts import InstanceFacts, same_slot, status_ns
from service.reconcile.instant import Instant
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarLimits:
    """Bounds of reading along.

    Attributes:
        occurrences_max: held occurrences that are read together with their series; sweeps find the others.
    """

    occurrences_max: int = 50


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
        self, owner: WatchedOwner, answered: MeetingKey, response: MeetingResponse, attendee: Address
    ) -> tuple[MeetingKey, list[Fact] | None]:
        """Find the meeting of an owner that was answered, and read what is needed to understand the answer.

        Args:
            answered: cleaned global object id.

        Returns:
            The meeting's key, and None where it is not one that the owner organizes; an empty list where all
            is held.
        """
        meeting = await self._unnamed.find_noted(owner, answered)
        found = await self.read_for_answer(owner, meeting, response.instance, attendee)
        is_for_another = response.represented is not None and response.represented not in owner.aliases
        if found is not None or is_for_another:
            return meeting, found
        unnamed = await self._unnamed.find(owner, meeting, response.slot)
        if unnamed is None:
            return meeting, None
        return unnamed, await self.read_for_answer(owner, unnamed, response.instance, attendee)

    async def read_for_answer(
        self, owner: WatchedOwner, meeting: MeetingKey, instance: InstanceKey, attendee: Address
    ) -> list[Fact] | None:
        """Read what is needed to understand an answer.

        Returns:
            None where the meeting is not one that the owner organizes; empty where all is held.
        """
        state = await read_state(self._states, owner.key, meeting)
        facts: list[Fact] = []
        series_id, zone = _series_of(state)
        if series_id is None:
            found = await self._find_meeting(owner, meeting)
            if not found:
                return None
            facts += found
            series_id, zone = found[0].details.id, found[0].details.zone
        if instance != WHOLE and _is_unlisted(state.facts.instance(instance), attendee):
            facts += await self._find_instance(owner, meeting, series_id, instance, zone)
        return facts

    async def read_around(self, owner: WatchedOwner, event: CalendarEvent) -> list[Fact]:
        """Give an event with what must be understood together with it; the first fact is the event's own."""
        event = await self._unnamed.settle(owner, event)
        waiting = await self._unnamed.list_waiting(owner, event)
        fact = event_fact(owner, event)
        state = await read_state(self._states, owner.key, event.meeting)
        if fact.instance == WHOLE:
            gone = self._find_cancelled(fact, event.cancelled, state)
            return [fact, *await self._read_occurrences(owner, fact, state), *gone, *waiting]
        if _is_copied(fact, state.facts.instance(WHOLE)):
            return [fact, *waiting]
        found = await self._find_meeting(owner, event.meeting)
        if not found and (named := await self._unnamed.settle_by_series(owner, event)) != event:
            return await self.read_around(owner, named)
        again = [await self._read_occurrences(owner, series, state, besides=fact) for series in found]
        return [fact, *found, *chain.from_iterable(again), *waiting]

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
                return _found_or_gone(owner, meeting, instance, state, look)
            except GoneError:  # then the whole series may be
                instance = WHOLE
        look = await self._reader.find_meeting(owner.key, meeting)
        return _found_or_gone(owner, meeting, instance, state, look)

    async def _read_occurrences(
        self,
        owner: WatchedOwner,
        series: EventFact,
        state: MeetingState,
        *,
        besides: EventFact | None = None,
    ) -> list[Fact]:
        """Read the held occurrences again where their series moved or has other attendees.

        After a move only what is seen since counts.

        Args:
            besides: an occurrence that was read before its series was, held or not.
        """
        if not _changes_occurrences(series, state.facts.instance(WHOLE)):
            return []
        facts: list[Fact] = []
        known = {
            key: instance.head.details.id
            for key, instance in state.facts.instances.items()
            if key != WHOLE and instance.head is not None
        }
        if besides is not None:
            known[besides.instance] = besides.details.id
        for key, event_id in sorted(known.items(), reverse=True)[: self._limits.occurrences_max]:
            try:
                event = await self._reader.fetch_event(owner.key, event_id)
                facts.append(event_fact(owner, move_under(series.meeting, event)))
            except GoneError:
                facts += await self._find_instance(
                    owner, series.meeting, series.details.id, key, series.details.zone
                )
        return facts

    def _find_cancelled(
        self, series: EventFact, cancelled: Sequence[InstanceKey], state: MeetingState
    ) -> list[Fact]:
        """Give the end of occurrences that the calendar says are cancelled, the nearest to now first.

        That is how one ends which was never read by itself, and whose own notification was lost. What its
        own event said of its end before stands, unless the series moved since.

        Raises:
            LookedTooSoonError: one was last seen in the second in which the series was read.
        """
        since_ns = _stands_since(series, state.facts.instance(WHOLE))
        gone: list[Fact] = []
        for key in _nearest(cancelled, series.seen)[: self._limits.occurrences_max]:
            held = state.facts.instance(key)
            if since_ns is not None and _ended_at(held) >= since_ns:
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


def _stands_since(series: EventFact, held: InstanceFacts) -> int | None:
    """Give since when a series is known to stand where it stands; None where it moved just now.

    What was seen of its occurrences before does not count any more.
    """
    present = [span.first_seen.ns for span in held.slots if same_slot(span.slot, series.slot)]
    if len(present) == len(held.slots):
        return 0
    return min(present, default=None)


def _ended_at(held: InstanceFacts) -> int:
    """Give when an occurrence was last seen to have ended; -1 where it was not."""
    if held.is_gone and held.gone_at is not None:
        return held.gone_at.ns
    is_cancelled = held.head is not None and held.head.is_cancelled
    return held.seen.ns if is_cancelled and held.seen is not None else -1


def _nearest(keys: Sequence[InstanceKey], now: Instant) -> list[InstanceKey]:
    today = now.to_datetime().date()
    return sorted(keys, key=lambda key: (abs(date.fromisoformat(key) - today), key))


def _is_unlisted(instance: InstanceFacts, attendee: Address) -> bool:
    held = instance.attendees.get(attendee)
    return instance.head is None or held is None or held.row is None


def _is_copied(occurrence: EventFact, series: InstanceFacts) -> bool:
    """Tell whether every answer on an occurrence stands in a version of the series that was read."""
    if series.head is None:
        return False
    answered = [row for row in occurrence.rows if row.value.is_answer]
    return all(
        (held := series.attendees.get(row.address)) is not None and status_ns(row) in held.row_times_ns
        for row in answered
    )


def _changes_occurrences(series: EventFact, held: InstanceFacts) -> bool:
    if held.head is None:
        return False
    listed = {address for address, facts in held.attendees.items() if facts.row is not None}
    return held.head.slot != series.slot or listed != {row.address for row in series.rows}


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
