"""Items that came with their notifications: nothing is fetched where they are enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from service.entries import IntakeEntry, Kind, Origin
from service.errors import ForgedError, SigningKeysError
from service.pipeline.calendar import CalendarReads
from service.pipeline.committer import Committer
from service.pipeline.outcomes import Ending, Processed
from service.pipeline.people import People
from service.pipeline.process import Processor
from service.ports import Told
from service.reconcile.decide import DecisionLimits
from service.reconcile.facts import MessageAnswer
from service.reconcile.instant import Instant
from service.reconcile.model import WHOLE, Address, EventFact, EventId, ResponseFact
from service.reconcile.state import decode_state
from tests.unit.pipeline.world import ADELE, World, calendar, message
from tests.unit.reconcile.build import MEETING, event, gone, response, row, slot

NEVER = Instant(ns=0, text="0001-01-01T00:00:00Z")
DAY = "2026-03-03"


@dataclass
class Notifications:
    """What notifications carried, by item; an error is raised, what is not there has to be fetched."""

    held: dict[str, Told | Exception] = field(default_factory=dict)

    async def read(self, entry: IntakeEntry) -> Told | None:
        found = self.held.get(entry.item)
        if isinstance(found, Exception):
            raise found
        return found


class ToldWorld(World):
    """A world whose notifications carry their items."""

    def __init__(self) -> None:
        super().__init__()
        self.notified = Notifications()
        self.unclear: list[str] = []
        self.processor = Processor(
            reader=self.reader,
            states=self.states,
            calendar=CalendarReads(self.reader, self.states),
            committer=Committer(self.states, self.clock, decision_limits=DecisionLimits()),
            watch=lambda: self.watch,
            desk=self.desk,
            intake=self.intake,
            people=People(self.directory, clock=self.clock),
            notified=self.notified,
            on_order_unclear=lambda entry: self.unclear.append(entry.item),
        )

    def tell_event(self, item: str, fact: EventFact) -> None:
        named = replace(fact, seen=NEVER, details=replace(fact.details, id=EventId(item)))
        self.notified.held[item] = Told(item=calendar(named))

    def tell_message(self, item: str, fact: ResponseFact) -> None:
        """Tell of an answer as extended properties do: without its recurrence."""
        told = message(fact)
        self.notified.held[item] = Told(item=replace(told, slot=replace(told.slot, recurrence=None)))

    @property
    def held(self) -> Mapping[str, str]:
        (stored,) = self.states.meetings.values()
        return stored.fields

    def answer_of(self, address: str) -> MessageAnswer:
        facts = decode_state(self.held).facts.instance(WHOLE)
        (answer,) = facts.attendees[Address(address)].answers
        return answer


async def test_a_meeting_is_read_once_and_its_answers_are_told_without_a_fetch() -> None:
    world = ToldWorld()
    world.put_event("e1", event(1, row("ann")))
    world.tell_event("e1", event(1, row("ann")))
    assert await world.event("e1") is Ending.PUBLISHED
    world.tell_message("m1", response("ann", "accepted", 10))
    assert await world.message("m1") is Ending.PUBLISHED
    world.tell_event("e1", event(11, row("ann", "accepted", 10)))
    assert await world.event("e1") is Ending.PUBLISHED
    assert world.states.said() == ["attendee.added ann", "response.changed ann", "response.confirmed ann"]
    assert world.reader.calls == ["event e1"]


async def test_ordinary_mail_that_came_along_ends_there() -> None:
    world = ToldWorld()
    world.notified.held["m1"] = Told(item=None)
    assert await world.message("m1") is Ending.NOT_A_RESPONSE
    assert world.reader.calls == []


async def test_an_answer_that_is_told_leaves_the_same_state_as_one_that_is_fetched() -> None:
    told, fetched = ToldWorld(), ToldWorld()
    for world in (told, fetched):
        world.put_event("e1", event(1, row("ann"), is_series=True))
        await world.event("e1")
    answer = response("ann", "accepted", 10, is_series=True)
    told.tell_message("m1", answer)
    fetched.put_message("m1", answer)
    assert [await world.message("m1") for world in (told, fetched)] == [Ending.PUBLISHED] * 2
    assert told.held == fetched.held
    assert "message m1" not in told.reader.calls


@pytest.mark.parametrize("sequence", [1, None])
async def test_an_answer_to_another_version_is_fetched_for_its_recurrence(sequence: int | None) -> None:
    world = ToldWorld()
    world.put_event("e1", event(1, row("ann"), is_series=True))
    await world.event("e1")
    answer = replace(response("ann", "accepted", 10), slot=slot(recurrence="weekly"), sequence=sequence)
    world.tell_message("m1", answer)
    world.put_message("m1", answer)
    await world.message("m1")
    assert world.reader.calls[-1] == "message m1"
    assert world.answer_of("ann").slot.recurrence == "weekly"


async def test_an_answer_whose_message_went_meanwhile_counts_without_its_recurrence() -> None:
    world = ToldWorld()
    world.put_event("e1", event(1, row("ann"), is_series=True))
    await world.event("e1")
    world.tell_message("m1", response("ann", "accepted", 10, sequence=None))
    assert await world.message("m1") is Ending.PUBLISHED
    assert world.answer_of("ann").slot.recurrence is None


async def test_an_answer_to_a_meeting_that_is_not_held_reads_the_meeting_alone() -> None:
    world = ToldWorld()
    world.put_event("e1", event(1, row("ann"), is_series=True))
    world.tell_message("m1", response("ann", "accepted", 10, is_series=True))
    assert await world.message("m1") is Ending.PUBLISHED
    assert world.reader.calls == [f"meeting {MEETING}"]
    assert world.answer_of("ann").slot.recurrence == "daily"


async def test_an_event_whose_place_in_time_is_unclear_is_read() -> None:
    world = ToldWorld()
    world.put_event("e1", event(1, row("ann"), is_series=True))
    await world.event("e1")
    moved = event(100, row("ann"), is_series=True, place=2)
    world.put_event("e1", moved)
    world.tell_event("e1", moved)
    assert await world.event("e1") is Ending.PUBLISHED
    exception = event(101, row("ann", "accepted", 101), place=26, instance=DAY)
    world.put_event("e2", replace(exception, seen=replace(exception.seen, ns=moved.seen.ns + 10**10)))
    world.tell_event("e2", exception)
    assert await world.event("e2") is Ending.PUBLISHED
    assert world.unclear == ["e1", "e2"]
    assert world.states.said()[-1] == "response.changed ann"


async def test_an_event_that_has_to_be_read_and_is_gone_is_looked_for() -> None:
    world = ToldWorld()
    world.put_event("e1", event(1, row("ann"), is_series=True))
    await world.event("e1")
    del world.reader.events["owner", "e1"]
    world.tell_event("e1", event(100, row("ann"), is_series=True, place=2))
    assert await world.event("e1") is Ending.PUBLISHED
    assert world.states.said()[-1] == "event.deleted"


async def test_an_event_that_only_an_attendee_sees_is_not_read() -> None:
    world = ToldWorld()
    told = calendar(event(1, row("ann"), is_series=True), is_organizer=False)
    world.notified.held["e1"] = Told(item=told)
    assert await world.event("e1") is Ending.NOT_ORGANIZER
    assert world.reader.calls == []


async def test_a_told_meeting_in_a_calendar_without_tally_leaves_nothing_behind_with_its_answers() -> None:
    world = ToldWorld()
    world.reader.untallied.add("e1")
    world.put_event("e1", event(1, row("ann")))
    world.tell_event("e1", event(1, row("ann")))
    world.tell_message("m1", response("ann", "accepted", 10))
    assert [await world.event("e1"), await world.message("m1")] == [Ending.NOT_TALLIED] * 2
    assert world.states.meetings == {}
    assert world.states.said() == []


async def test_what_does_not_come_along_is_fetched() -> None:
    world = ToldWorld()
    world.put_event("e1", event(1, row("ann")))
    assert await world.event("e1") is Ending.PUBLISHED
    assert world.reader.calls == ["event e1"]


@pytest.mark.parametrize("kind", [Kind.MESSAGE, Kind.EVENT])
async def test_nothing_forged_is_processed_or_fetched(kind: Kind) -> None:
    world = ToldWorld()
    world.put_event("x", event(1, row("ann")))
    world.put_message("x", response("ann", "accepted", 10))
    world.notified.held["x"] = ForgedError("wrong_signature")
    mailbox = ADELE if kind is Kind.MESSAGE else "owner"
    entry = IntakeEntry(kind=kind, origin=Origin.NOTIFICATION, mailbox=mailbox, item="x")
    processed = await world.processor.process(entry, world.processor.fetch(entry))
    assert processed == Processed(ending=Ending.FORGED, forgery="wrong_signature")
    assert (world.reader.calls, world.states.meetings) == ([], {})


async def test_what_cannot_be_judged_now_is_tried_again() -> None:
    world = ToldWorld()
    world.notified.held["m1"] = SigningKeysError("away")
    with pytest.raises(SigningKeysError):
        await world.message("m1")


async def test_what_is_gone_and_told_of_again_is_read() -> None:
    world = ToldWorld()
    world.put_event("e1", event(1, row("ann")))
    await world.event("e1")
    world.reader.at = gone(2000).at
    del world.reader.events["owner", "e1"]
    await world.event("e1")
    assert world.states.said()[-1] == "event.deleted"
    world.put_event("e1", event(3000, row("ann")))
    world.tell_event("e1", event(3000, row("ann")))
    assert await world.event("e1") is Ending.PUBLISHED
    assert world.unclear == ["e1"]


@pytest.mark.parametrize("change", ["created", "updated"])
async def test_a_meeting_that_ended_before_anybody_held_it_is_not_taken_for_a_new_one(change: str) -> None:
    """Its end is told by nobody: it came while the calendar's subscription was away, or was told before."""
    world = ToldWorld()
    world.tell_event("e1", event(1, row("ann")))
    assert await world.take(announce("e1", change)) is Ending.NEVER_KNOWN
    assert (world.states.published, world.unclear) == ([], ["e1"])


async def test_a_meeting_that_is_first_told_of_late_is_what_it_has_become() -> None:
    world = ToldWorld()
    world.tell_event("e1", event(1, row("ann")))
    world.put_event("e1", event(2, row("bob")))
    assert await world.take(announce("e1", "created")) is Ending.PUBLISHED
    assert world.states.said() == ["attendee.added bob"]


async def test_an_occurrence_whose_deletion_overtook_what_tells_of_it_is_not_taken_for_a_new_one() -> None:
    world = ToldWorld()
    world.put_event("e1", event(1, row("ann"), is_series=True))
    await world.event("e1")
    assert await world.take(announce("e2", "deleted")) is Ending.NEVER_KNOWN
    for item, ending in (("e2", Ending.NEVER_KNOWN), ("e3", Ending.PUBLISHED)):
        world.tell_event(item, event(9, row("ann", "accepted", 9), place=26, instance=DAY))
        assert await world.take(announce(item, "updated")) is ending
    assert world.states.said() == ["attendee.added ann", "event.rescheduled", "response.changed ann"]
    assert world.unclear == ["e2"]


def announce(item: str, change: str) -> IntakeEntry:
    return IntakeEntry(kind=Kind.EVENT, origin=Origin.NOTIFICATION, mailbox="owner", item=item, change=change)
