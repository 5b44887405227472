"""One entry from start to end: read what it points to, make facts of it, commit them.

Must never wait: an error goes up, and `retry.py` decides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Final, Protocol, assert_never

import msgspec

from service.entries import OF_ROUNDS, IntakeEntry, Kind, Origin
from service.errors import ForgedError, GoneError, UntalliedError
from service.pipeline.behind import NOTHING_BEHIND, Behind, Read
from service.pipeline.calendar import CalendarReads
from service.pipeline.committer import Committer, decode_pair, read_state
from service.pipeline.gone import GoneEvents
from service.pipeline.known import KNOWN, KnownLimits, KnownVersions
from service.pipeline.outcomes import Ending, Processed
from service.pipeline.people import People
from service.pipeline.snapshots import Appending, Snapshots
from service.pipeline.told import ToldItems
from service.ports import MailboxReader, NotifiedReader, StateStore, Told
from service.reconcile.matching import find_attendee, is_legacy_address
from service.reconcile.model import (
    WHOLE,
    Address,
    AliasFact,
    CalendarEvent,
    DueFact,
    EventFact,
    EventId,
    Fact,
    InstanceKey,
    MailboxKey,
    MeetingKey,
    MeetingResponse,
    MessageId,
    OwnerKey,
    ResponseFact,
)
from service.roster import WatchedOwner, WatchList
from service.tracing.spans import UNTRACED, SpanName, Tracing


class LifecycleDesk(Protocol):
    """Takes lifecycle notifications to the keeper."""

    async def handle_lifecycle(self, entry: IntakeEntry) -> None:
        """Note what Graph asks for, durably; repeats collapse."""


_DONE_WITH: Final = frozenset({Ending.NOT_A_RESPONSE, Ending.JOINED, Ending.PUBLISHED})
"""Endings of a message that reading it once more would not change."""


class Processor:
    """Processes entries. One instance per worker; holds no state of its own."""

    def __init__(
        self,
        *,
        reader: MailboxReader,
        states: StateStore,
        calendar: CalendarReads,
        committer: Committer,
        watch: Callable[[], WatchList],
        desk: LifecycleDesk,
        intake: Appending,
        people: People | None = None,
        notified: NotifiedReader | None = None,
        known_limits: KnownLimits | None = None,
        on_order_unclear: Callable[[IntakeEntry], None] = lambda _: None,
        on_replay: Callable[[], None] = lambda: None,
        tracing: Tracing = UNTRACED,
    ) -> None:
        """Take what is needed.

        Args:
            notified: reads items out of their notifications; None where all are fetched.
            on_order_unclear: called for an event that came along and had to be read nevertheless.
            on_replay: called before a requeued entry is read: something may have been repaired.
        """
        self._reader = reader
        self._states = states
        self._calendar = calendar
        self._committer = committer
        self._watch = watch
        self._desk = desk
        self._gone = GoneEvents(states, intake)
        self._snapshots = Snapshots(states=states, committer=committer, intake=intake, watch=watch)
        self._people = people or People()
        self._notified = notified
        self._known = KnownVersions(states, known_limits)
        self._on_replay = on_replay
        self._tracing = tracing
        self._told = ToldItems(reader, states, on_order_unclear=on_order_unclear)

    async def fetch(self, entry: IntakeEntry) -> Read:
        """Read the message or event that an entry points to; None where there is nothing to read for us.

        Raises:
            GoneError: Graph does not find it.
            ForgedError: somebody else than Graph sent the notification.
            GraphError, TokenError: as the reader has them.
            SigningKeysError, StreamError: as the reader of notifications has them.
        """
        if entry.origin is Origin.REPLAY:
            self._on_replay()
        if entry.kind is Kind.MESSAGE and self._watch().owners_served_by(MailboxKey(entry.mailbox)):
            mailbox, message = MailboxKey(entry.mailbox), MessageId(entry.item)
            return await self._read(entry, lambda: self._reader.fetch_message(mailbox, message))
        if entry.kind is Kind.EVENT and OwnerKey(entry.mailbox) in self._watch().owners:
            owner, event = OwnerKey(entry.mailbox), EventId(entry.item)
            return await self._read(entry, lambda: self._reader.fetch_event(owner, event))
        return None

    async def _read(self, entry: IntakeEntry, ask: Callable[[], Awaitable[Read]]) -> Read:
        """Read an item out of its notification, or ask Graph for it."""
        with self._tracing.span(SpanName.FETCH, parent=entry.traceparent) as span:
            told = None if self._notified is None else await self._notified.read(entry)
            span.tell({"response_sync.carried": told is not None})
            if told is None and await self._known.has(entry):
                return KNOWN
            return told or await ask()

    async def process(
        self, entry: IntakeEntry, fetched: Awaitable[Read], *, behind: Behind = NOTHING_BEHIND
    ) -> Processed:
        """Process an entry whose item is being fetched.

        Args:
            behind: what follows it in its lane.

        Raises:
            ServiceError: for `retry.py` to decide about.
        """
        try:
            processed = await self._process(entry, fetched, behind)
        except ForgedError as error:
            return Processed(ending=Ending.FORGED, forgery=error.reason)
        except UntalliedError:
            return Processed(ending=Ending.NOT_TALLIED)
        if entry.kind is Kind.MESSAGE and processed.ending in _DONE_WITH:
            self._known.note_message(entry)
        return processed

    async def _process(self, entry: IntakeEntry, fetched: Awaitable[Read], behind: Behind) -> Processed:
        match entry.kind:
            case Kind.MESSAGE:
                return await self._process_message(entry, fetched, behind)
            case Kind.EVENT:
                return await self._process_event(entry, fetched, behind)
            case Kind.DUE:
                return await self._process_due(entry)
            case Kind.LIFECYCLE:
                await self._desk.handle_lifecycle(entry)
                return Processed(ending=Ending.LIFECYCLE)
            case Kind.SNAPSHOT:
                return await self._snapshots.process(entry)
            case _:
                assert_never(entry.kind)

    # --- messages ---

    async def _process_message(
        self, entry: IntakeEntry, fetched: Awaitable[Read], behind: Behind
    ) -> Processed:
        owners = self._watch().owners_served_by(MailboxKey(entry.mailbox))
        if not owners:
            return Processed(ending=Ending.NOT_WATCHED)
        try:
            read = await fetched
        except GoneError:
            return Processed(ending=Ending.MESSAGE_GONE)
        if read is KNOWN:
            return Processed(ending=Ending.ALREADY_KNOWN)
        response = read.item if isinstance(read, Told) else read
        if not isinstance(response, MeetingResponse):
            return Processed(ending=Ending.NOT_A_RESPONSE)
        attendee = find_attendee(response)
        if response.meeting is None or attendee is None:
            return Processed(ending=Ending.UNMATCHED)
        is_told = isinstance(read, Told)
        return await self._join_response(
            entry, response, response.meeting, attendee, owners, behind=behind, is_told=is_told
        )

    async def _join_response(
        self,
        entry: IntakeEntry,
        response: MeetingResponse,
        answered: MeetingKey,
        attendee: Address,
        owners: tuple[WatchedOwner, ...],
        *,
        behind: Behind,
        is_told: bool,
    ) -> Processed:
        for owner in _likely_first(owners, response.represented):
            meeting, found = await self._calendar.find_answered(owner, answered, response, attendee, behind)
            if found is None and not _is_represented(owner, response.represented):
                continue
            if attendee in owner.aliases or response.attendee_smtp in owner.aliases:
                return Processed(ending=Ending.BY_ORGANIZER)
            if is_told:
                response = await self._told.complete(entry, response, owner.key, meeting, found or ())
            fact = _response_fact(owner, meeting, attendee, response)
            facts = [*(found or ()), *_resolve_legacy(owner, meeting, response), fact]
            return await self._commit(
                entry,
                owner,
                meeting,
                facts,
                paired=_pair_addresses(response),
                look_again=_made_known(found or ()),
            )
        return Processed(ending=Ending.NOT_OURS)

    # --- events ---

    async def _process_event(self, entry: IntakeEntry, fetched: Awaitable[Read], behind: Behind) -> Processed:
        owner = self._watch().owners.get(OwnerKey(entry.mailbox))
        if owner is None:
            return Processed(ending=Ending.NOT_WATCHED)
        try:
            read = await fetched
            event = await self._told.settle(entry, owner, read.item) if isinstance(read, Told) else read
        except GoneError:
            return await self._process_missing(entry, owner)
        if event is KNOWN:
            return Processed(ending=Ending.ALREADY_KNOWN)
        if not isinstance(event, CalendarEvent) or not event.is_organizer:
            return Processed(ending=Ending.NOT_ORGANIZER)
        is_in_primary = entry.origin in OF_ROUNDS
        facts = await self._calendar.read_around(owner, event, behind, is_in_primary=is_in_primary)
        return await self._commit(entry, owner, facts[0].meeting, facts)

    async def _process_missing(self, entry: IntakeEntry, owner: WatchedOwner) -> Processed:
        """Look into the calendar for an event that Graph does not find by its id."""
        known = await self._gone.note(owner.key, EventId(entry.item))
        if known is None:
            return Processed(ending=Ending.NEVER_KNOWN)
        meeting, instance = known
        facts = await self._calendar.look_for_missing(owner, meeting, instance)
        return await self._commit(entry, owner, meeting, facts)

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
        return await self._commit(entry, owner, meeting, [fact])

    async def _commit(
        self,
        entry: IntakeEntry,
        owner: WatchedOwner,
        meeting: MeetingKey,
        facts: list[Fact],
        *,
        paired: Mapping[Address, Address] | None = None,
        look_again: Collection[EventId] = (),
    ) -> Processed:
        stored = await self._states.read(owner.key, meeting)
        aliases = await self._people.find_aliases(
            owner,
            meeting,
            facts,
            stored=stored,
            paired=paired or {},
            is_thorough=entry.origin is not Origin.NOTIFICATION,  # sweeps look again
        )
        outcome = await self._committer.commit(
            owner,
            meeting,
            [*facts, *aliases],
            is_baseline=entry.origin is Origin.BASELINE or not owner.is_baselined,
            look_again=look_again,
            traceparent=entry.traceparent,
            stored=stored,
        )
        await self._gone.look_again(entry, owner.key, outcome.before, facts)
        updates = tuple(str(said.type) for said in outcome.said)
        return Processed(
            ending=Ending.PUBLISHED if updates else Ending.JOINED,
            updates=updates,
            skipped=tuple(str(fate) for fate in outcome.decision.skipped),
            owner=owner.key,
            meeting=meeting,
            facts=len(facts) + len(aliases),
        )


def _made_known(found: Iterable[Fact]) -> list[EventId]:
    """Give the events of meetings of which only an answer told.

    Their calendar may never tell of them: what was made and deleted while its subscription was away is in no
    notification and in no delta query, so they are looked at once more.
    """
    return [fact.details.id for fact in found if isinstance(fact, EventFact) and fact.instance == WHOLE]


def _resolve_legacy(owner: WatchedOwner, meeting: MeetingKey, response: MeetingResponse) -> list[AliasFact]:
    """Give what the message tells of rows: which SMTP address is behind its sender's legacy one."""
    legacy, smtp = response.attendee, response.attendee_smtp
    if legacy is None or smtp is None or not is_legacy_address(legacy):
        return []
    return [AliasFact(owner=owner.key, meeting=meeting, alias=legacy, person=smtp)]


def _pair_addresses(response: MeetingResponse) -> dict[Address, Address]:
    """Give both addresses that the message has for who answered."""
    if response.attendee is None or response.attendee_smtp is None:
        return {}
    return {response.attendee: response.attendee_smtp}


def _likely_first(owners: tuple[WatchedOwner, ...], represented: Address | None) -> tuple[WatchedOwner, ...]:
    """Order the owners so that the one for whom the message was received comes first.

    Whether delegates' copies carry that property is unverified, so the others stay: only an organizer's
    event with the same global object id makes a message theirs.
    """
    return tuple(sorted(owners, key=lambda owner: not _is_represented(owner, represented)))


def _is_represented(owner: WatchedOwner, represented: Address | None) -> bool:
    return represented is not None and represented in owner.aliases


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
