"""A processor with mailboxes, calendars, directory and state in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from service.entries import IntakeEntry, Kind, Origin
from service.pipeline.calendar import CalendarReads
from service.pipeline.committer import Committer
from service.pipeline.outcomes import Ending
from service.pipeline.people import People
from service.pipeline.process import Processor
from service.reconcile.decide import DecisionLimits
from service.reconcile.model import (
    Address,
    CalendarEvent,
    EventFact,
    EventId,
    InstanceKey,
    MailboxKey,
    MeetingResponse,
    OwnerKey,
    ResponseFact,
)
from service.roster import WatchedOwner, WatchList, build_watch_list
from service.tracing.spans import UNTRACED, Tracing
from tests.unit.pipeline.directory import MemoryDirectory
from tests.unit.pipeline.fakes import (
    MemoryIntake,
    MemoryReader,
    MemoryStates,
    NotedDesk,
    StillClock,
)
from tests.unit.reconcile.build import at

ADELE = "adele"
ALEX = WatchedOwner(
    key=OwnerKey("owner"),
    roster_address=Address("alex@x"),
    address="Alex@x",
    name="Alex",
    aliases=(Address("alex@x"),),
    inboxes=(MailboxKey(ADELE),),
    is_baselined=True,
)


def calendar(fact: EventFact, *, is_organizer: bool = True) -> CalendarEvent:
    return CalendarEvent(
        is_organizer=is_organizer,
        meeting=fact.meeting,
        instance=fact.instance,
        last_modified=fact.last_modified,
        change_key=fact.change_key,
        seen=fact.seen,
        sequence=fact.sequence,
        slot=fact.slot,
        is_cancelled=fact.is_cancelled,
        rows=fact.rows,
        details=fact.details,
    )


def message(fact: ResponseFact, *, represented: str | None = None) -> MeetingResponse:
    return MeetingResponse(
        meeting=fact.meeting,
        instance=fact.instance,
        represented=None if represented is None else Address(represented),
        attendee=fact.attendee,
        attendee_smtp=None,
        slot=fact.slot,
        sequence=fact.sequence,
        value=fact.value,
        at=fact.at,
        comment=fact.comment,
        proposal=fact.proposal,
        is_private=False,
        witness=fact.witness,
    )


class World:
    """A processor and everything around it."""

    def __init__(self, *owners: WatchedOwner, tracing: Tracing = UNTRACED) -> None:
        self.watch: WatchList = build_watch_list(owners or [ALEX])
        self.reader = MemoryReader(at=at(1000))
        self.states = MemoryStates()
        self.desk = NotedDesk()
        self.intake = MemoryIntake()
        self.clock = StillClock()
        self.directory = MemoryDirectory()
        self.replays: list[str] = []
        committer = Committer(self.states, self.clock, decision_limits=DecisionLimits(), tracing=tracing)
        self.processor = Processor(
            reader=self.reader,
            states=self.states,
            calendar=CalendarReads(self.reader, self.states),
            committer=committer,
            watch=lambda: self.watch,
            desk=self.desk,
            intake=self.intake,
            people=People(self.directory, clock=self.clock),
            on_replay=lambda: self.replays.append("replay"),
            tracing=tracing,
        )

    async def take(self, entry: IntakeEntry) -> Ending:
        fetched = asyncio.ensure_future(self.processor.fetch(entry))
        try:
            return (await self.processor.process(entry, fetched)).ending
        finally:
            await asyncio.gather(fetched, return_exceptions=True)

    async def message(
        self, item: str, *, mailbox: str = ADELE, origin: Origin = Origin.NOTIFICATION
    ) -> Ending:
        return await self.take(IntakeEntry(kind=Kind.MESSAGE, origin=origin, mailbox=mailbox, item=item))

    async def event(
        self, item: str, *, mailbox: str = "owner", origin: Origin = Origin.NOTIFICATION
    ) -> Ending:
        return await self.take(IntakeEntry(kind=Kind.EVENT, origin=origin, mailbox=mailbox, item=item))

    def put_event(
        self, item: str, fact: EventFact, *, is_organizer: bool = True, cancelled: Sequence[str] = ()
    ) -> None:
        named = replace(fact, details=replace(fact.details, id=EventId(item)))
        put = calendar(named, is_organizer=is_organizer)
        dates = tuple(InstanceKey(each) for each in cancelled)
        self.reader.events["owner", item] = replace(put, cancelled=dates)

    def put_message(self, item: str, fact: ResponseFact, *, represented: str | None = None) -> None:
        self.reader.messages[ADELE, item] = message(fact, represented=represented)
