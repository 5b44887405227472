"""One entry from start to end: read what it points to, make facts of it, commit them.

Must never wait: an error goes up, and `retry.py` decides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol, assert_never

import msgspec

from service.entries import IntakeEntry, Kind, Origin
from service.errors import GoneError, LookedTooSoonError
from service.pipeline.committer import Committer, Outcome, decode_pair, read_state
from service.pipeline.outcomes import Ending, Processed
from service.ports import Look, MailboxReader, StateStore
from service.reconcile.matching import is_legacy_address
from service.reconcile.model import (
    WHOLE,
    Address,
    CalendarEvent,
    DueFact,
    EventFact,
    EventId,
    EventType,
    Fact,
    GoneFact,
    InstanceKey,
    MailboxKey,
    MeetingKey,
    MeetingResponse,
    MessageId,
    OwnerKey,
    ResponseFact,
)
from service.reconcile.state import MeetingState
from service.roster import WatchedOwner, WatchList


class LifecycleDesk(Protocol):
    """Takes lifecycle notifications to the keeper."""

    async def handle_lifecycle(self, entry: IntakeEntry) -> None:
        """Note what Graph asks for, durably; repeats collapse."""


Read = MeetingResponse | CalendarEvent | None


class Processor:
    """Processes entries. One instance per worker; holds no state of its own."""

    def __init__(
        self,
        *,
        reader: MailboxReader,
        states: StateStore,
        committer: Committer,
        watch: Callable[[], WatchList],
        desk: LifecycleDesk,
        follow_up: Callable[[list[IntakeEntry]], Awaitable[None]],
    ) -> None:
        self._reader = reader
        self._states = states
        self._committer = committer
        self._watch = watch
        self._desk = desk
        self._follow_up = follow_up

    async def fetch(self, entry: IntakeEntry) -> Read:
        """Read the message or event that an entry points to; None where there is nothing to read for us.

        Raises:
            GoneError: Graph does not find it.
            GraphError, TokenError: as the reader has them.
        """
        if entry.kind is Kind.MESSAGE and self._watch().owners_served_by(MailboxKey(entry.mailbox)):
            return await self._reader.fetch_message(MailboxKey(entry.mailbox), MessageId(entry.item))
        if entry.kind is Kind.EVENT and OwnerKey(entry.mailbox) in self._watch().owners:
            return await self._reader.fetch_event(OwnerKey(entry.mailbox), EventId(entry.item))
        return None

    async def process(self, entry: IntakeEntry, fetched: Awaitable[Read]) -> Processed:
        """Process an entry whose item is being fetched.

        Raises:
            ServiceError: for `retry.py` to decide about.
        """
        match entry.kind:
            case Kind.MESSAGE:
                return await self._process_message(entry, fetched)
            case Kind.EVENT:
                return await self._process_event(entry, fetched)
            case Kind.DUE:
                return await self._process_due(entry)
            case Kind.LIFECYCLE:
                await self._desk.handle_lifecycle(entry)
                return Processed(ending=Ending.LIFECYCLE)
            case _:
                assert_never(entry.kind)

    # --- messages ---

    async def _process_message(self, entry: IntakeEntry, fetched: Awaitable[Read]) -> Processed:
        owners = self._watch().owners_served_by(MailboxKey(entry.mailbox))
        if not owners:
            return Processed(ending=Ending.NOT_WATCHED)
        try:
            response = await fetched
        except GoneError:
            return Processed(ending=Ending.MESSAGE_GONE)
        if not isinstance(response, MeetingResponse):
            return Processed(ending=Ending.NOT_A_RESPONSE)
        attendee = _find_attendee(response)
        if response.meeting is None or attendee is None:
            return Processed(ending=Ending.UNMATCHED)
        return await self._join_response(entry, response, response.meeting, attendee, owners)

    async def _join_response(
        self,
        entry: IntakeEntry,
        response: MeetingResponse,
        meeting: MeetingKey,
        attendee: Address,
        owners: tuple[WatchedOwner, ...],
    ) -> Processed:
        for owner in _likely_first(owners, response.represented):
            found = await self._read_meeting(owner, meeting, response.instance)
            if found is None and not _is_represented(owner, response.represented):
                continue
            if attendee in owner.aliases:
                return Processed(ending=Ending.BY_ORGANIZER)
            fact = _response_fact(owner, meeting, attendee, response)
            outcome = await self._commit(entry, owner, meeting, [*(found or ()), fact])
            return _processed([outcome])
        return Processed(ending=Ending.NOT_OURS)

    async def _read_meeting(
        self, owner: WatchedOwner, meeting: MeetingKey, instance: InstanceKey
    ) -> list[Fact] | None:
        """Give what must be read beside the answer; None where the meeting is not the owner's."""
        state = await read_state(self._states, owner.key, meeting)
        facts: list[Fact] = []
        series = state.facts.instance(WHOLE).head
        series_id = None if series is None else series.details.id
        zone = "UTC" if series is None else series.details.zone
        if series is None:
            look = await self._reader.find_meeting(owner.key, meeting)
            events = _organized(look, meeting)
            if not events:
                return None
            facts = [_event_fact(owner, event) for event in events]
            series_id, zone = events[0].details.id, events[0].details.zone
        if instance != WHOLE and series_id is not None and state.facts.instance(instance).head is None:
            facts += await self._read_instance(owner, meeting, series_id, instance, zone)
        return facts

    async def _read_instance(
        self, owner: WatchedOwner, meeting: MeetingKey, series: EventId, instance: InstanceKey, zone: str
    ) -> list[Fact]:
        try:
            look = await self._reader.find_instance(owner.key, series, instance, zone)
        except GoneError:  # the series went meanwhile; its own notification tells
            return []
        return [_event_fact(owner, event) for event in _organized(look, meeting)]

    # --- events ---

    async def _process_event(self, entry: IntakeEntry, fetched: Awaitable[Read]) -> Processed:
        owner = self._watch().owners.get(OwnerKey(entry.mailbox))
        if owner is None:
            return Processed(ending=Ending.NOT_WATCHED)
        try:
            event = await fetched
        except GoneError:
            return await self._process_missing(entry, owner)
        if not isinstance(event, CalendarEvent) or not event.is_organizer:
            return Processed(ending=Ending.NOT_ORGANIZER)
        facts: list[Fact] = [_event_fact(owner, event)]
        if event.instance != WHOLE:
            facts += await self._read_series(owner, event)
        outcome = await self._commit(entry, owner, event.meeting, facts)
        await self._reread_occurrences(entry, outcome)
        return _processed([outcome])

    async def _read_series(self, owner: WatchedOwner, occurrence: CalendarEvent) -> list[Fact]:
        """Read the series of an occurrence where it is not held yet."""
        state = await read_state(self._states, owner.key, occurrence.meeting)
        if state.facts.instance(WHOLE).head is not None:
            return []
        look = await self._reader.find_meeting(owner.key, occurrence.meeting)
        return [_event_fact(owner, event) for event in _organized(look, occurrence.meeting)]

    async def _reread_occurrences(self, entry: IntakeEntry, outcome: Outcome) -> None:
        """Ask for the held occurrences again when their series moved: Exchange changed or dropped them."""
        before, after = (
            outcome.before.facts.instance(WHOLE).head,
            outcome.decision.state.facts.instance(WHOLE).head,
        )
        if before is None or after is None or before.slot == after.slot:
            return
        occurrences = [
            replace(
                entry, origin=Origin.FOLLOW_UP, item=held.head.details.id, change="", etag="", attempt="0"
            )
            for key, held in outcome.decision.state.facts.instances.items()
            if key != WHOLE and held.head is not None
        ]
        if occurrences:
            await self._follow_up(occurrences)

    async def _process_missing(self, entry: IntakeEntry, owner: WatchedOwner) -> Processed:
        """Look into the calendar for an event that Graph does not find by its id."""
        known = await self._states.find_event(owner.key, EventId(entry.item))
        if known is None:
            return Processed(ending=Ending.NEVER_KNOWN)
        meeting, instance = known
        state = await read_state(self._states, owner.key, meeting)
        look, instance = await self._look_for(owner, meeting, instance, state)
        found = [_event_fact(owner, event) for event in _organized(look, meeting)]
        facts: list[Fact] = [fact for fact in found if fact.instance == instance]
        if not facts:
            seen = state.facts.instance(instance).seen
            if seen is not None and seen.ns == look.at.ns:
                raise LookedTooSoonError("not found in the second in which it was last seen")
            facts = [GoneFact(owner=owner.key, meeting=meeting, instance=instance, at=look.at)]
        outcome = await self._commit(entry, owner, meeting, facts)
        return _processed([outcome])

    async def _look_for(
        self, owner: WatchedOwner, meeting: MeetingKey, instance: InstanceKey, state: MeetingState
    ) -> tuple[Look, InstanceKey]:
        """Look for an instance; where its whole series is gone, that is what was looked for."""
        series = state.facts.instance(WHOLE).head
        if instance != WHOLE and series is not None:
            try:
                return (
                    await self._reader.find_instance(
                        owner.key, series.details.id, instance, series.details.zone
                    ),
                    instance,
                )
            except GoneError:
                pass
        return await self._reader.find_meeting(owner.key, meeting), WHOLE

    # --- timers ---

    async def _process_due(self, entry: IntakeEntry) -> Processed:
        owner = self._watch().owners.get(OwnerKey(entry.owner))
        if owner is None:
            return Processed(ending=Ending.NOT_WATCHED)
        meeting, instance = MeetingKey(entry.meeting), InstanceKey(entry.instance)
        attendee = Address(entry.attendee)
        state = await read_state(self._states, owner.key, meeting)
        try:
            pair = decode_pair(entry.pair)
        except msgspec.DecodeError:
            return Processed(ending=Ending.TIMER_STALE)
        if state.timers.get((instance, attendee)) != pair:
            return Processed(ending=Ending.TIMER_STALE)
        fact = DueFact(owner=owner.key, meeting=meeting, instance=instance, attendee=attendee, pair=pair)
        return _processed([await self._commit(entry, owner, meeting, [fact])])

    async def _commit(
        self, entry: IntakeEntry, owner: WatchedOwner, meeting: MeetingKey, facts: list[Fact]
    ) -> Outcome:
        return await self._committer.commit(
            owner,
            meeting,
            facts,
            is_baseline=entry.origin is Origin.BASELINE,
            traceparent=entry.traceparent,
        )


def _find_attendee(response: MeetingResponse) -> Address | None:
    """Give who answered: `from`, or the SMTP address behind a legacy one."""
    if response.attendee is None or is_legacy_address(response.attendee):
        return response.attendee_smtp or response.attendee
    return response.attendee


def _likely_first(owners: tuple[WatchedOwner, ...], represented: Address | None) -> tuple[WatchedOwner, ...]:
    """Order the owners so that the one for whom the message was received comes first.

    Whether delegates' copies carry that property is unverified, so the others stay: only an organizer's
    event with the same global object id makes a message theirs.
    """
    return tuple(sorted(owners, key=lambda owner: not _is_represented(owner, represented)))


def _is_represented(owner: WatchedOwner, represented: Address | None) -> bool:
    return represented is not None and represented in owner.aliases


def _organized(look: Look, meeting: MeetingKey) -> list[CalendarEvent]:
    return [event for event in look.events if event.is_organizer and event.meeting == meeting]


def _event_fact(owner: WatchedOwner, event: CalendarEvent) -> EventFact:
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
        rows=event.rows,
        details=event.details,
    )


def _response_fact(
    owner: WatchedOwner, meeting: MeetingKey, attendee: Address, response: MeetingResponse
) -> ResponseFact:
    return ResponseFact(
        owner=owner.key,
        meeting=meeting,
        instance=response.instance,
        attendee=attendee,
        slot=response.slot,
        sequence=response.sequence,
        value=response.value,
        at=response.at,
        comment="" if response.is_private else response.comment,
        proposal=response.proposal,
        witness=response.witness,
    )


def _processed(outcomes: list[Outcome]) -> Processed:
    updates = tuple(str(said.type) for outcome in outcomes for said in outcome.said)
    ending = Ending.PUBLISHED if updates else Ending.JOINED
    return Processed(ending=ending, updates=updates, meetings=len(outcomes))
