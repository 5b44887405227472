"""A full calendar round held against the state: what is pointed at, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from service.entries import Kind, Origin
from service.ports import DeltaItem, DeltaPage
from service.reconcile.facts import MeetingFacts, join, join_all
from service.reconcile.instant import Instant, instant_of
from service.reconcile.model import (
    WHOLE,
    DateTimeTimeZone,
    EventDetails,
    EventFact,
    EventId,
    EventType,
    GoneFact,
    InstanceKey,
    MeetingKey,
    OwnerKey,
    Slot,
)
from service.reconcile.state import MeetingState, encode_state
from service.subscriptions.comparison import StateComparison
from service.subscriptions.resync import Window
from tests.unit.subscriptions.fakes import START, MemoryStates, VirtualClock
from tests.unit.subscriptions.play import walkthrough

ALEX = OwnerKey("id-alex")
MEETING = MeetingKey("M")


def at(days: float) -> Instant:
    return instant_of(START + timedelta(days=days))


def event_fact(
    id_: str,
    *,
    day: float = 1,
    instance: str = WHOLE,
    kind: EventType = EventType.SINGLE,
    ends: float | None = 2,
) -> EventFact:
    moment = DateTimeTimeZone(date_time="2026-11-03T08:00:00", time_zone="UTC")
    return EventFact(
        owner=ALEX,
        meeting=MEETING,
        instance=InstanceKey(instance),
        last_modified=at(-1),
        change_key="ck",
        seen=at(-1),
        sequence=0,
        slot=Slot(start=at(day).ns, end=at(day + 0.1).ns, is_all_day=False, recurrence=""),
        is_cancelled=False,
        rows=(),
        details=EventDetails(
            id=EventId(id_),
            ical_uid="uid",
            series_master_id=None,
            type=kind,
            original_start=None,
            subject=None,
            start=moment,
            end=moment,
            is_all_day=False,
            web_link=None,
            zone="UTC",
            ends_at=None if ends is None else at(ends),
            is_private=False,
        ),
    )


def page(*items: DeltaItem, is_last: bool = True) -> DeltaPage:
    return DeltaPage(
        items=items,
        next_link=None if is_last else "next",
        delta_link="delta" if is_last else None,
        at=instant_of(START),
    )


def listed(id_: str, *, series: str = "", is_removed: bool = False) -> DeltaItem:
    return DeltaItem(
        id=id_,
        is_removed=is_removed,
        is_event_message=True,
        sent_at=None,
        series_master_id=series,
    )


async def compare(facts: MeetingFacts, *pages: DeltaPage, now: datetime = START) -> list[str]:
    """Give the ids that are pointed at."""
    clock, states = VirtualClock(), MemoryStates()
    clock.advance((now - START).total_seconds())
    states.meetings[ALEX] = {MEETING: encode_state(MeetingState(facts=facts))}
    comparison = StateComparison(states=states, owner=ALEX, clock=clock, window=Window())
    entries = [entry for one in pages for entry in await comparison.take_page(one)]
    assert all((one.kind, one.origin, one.change) == (Kind.EVENT, Origin.SWEEP, "deleted") for one in entries)
    return [one.item for one in entries]


def held(*facts: EventFact) -> MeetingFacts:
    return join_all(MeetingFacts(), facts)


async def test_an_event_that_is_no_longer_listed_is_pointed_at_once_the_round_is_over() -> None:
    facts = held(event_fact("e-1"))
    assert await compare(facts, page(is_last=False)) == []
    assert await compare(facts, page(is_last=False), page(listed("other"))) == ["e-1"]


async def test_a_listed_event_is_left_alone_on_whatever_page_it_stood() -> None:
    assert await compare(held(event_fact("e-1")), page(listed("e-1"), is_last=False), page()) == []


async def test_a_removed_event_does_not_count_as_listed() -> None:
    assert await compare(held(event_fact("e-1")), page(listed("e-1", is_removed=True))) == ["e-1"]


async def test_a_series_is_listed_by_its_occurrences() -> None:
    facts = held(event_fact("m-1", kind=EventType.SERIES, ends=None))
    assert await compare(facts, page(listed("o-1", series="m-1"))) == []


async def test_a_missing_exception_is_pointed_at_beside_its_series() -> None:
    facts = held(
        event_fact("m-1", kind=EventType.SERIES, ends=None),
        event_fact("x-1", instance="2026-11-05", kind=EventType.EXCEPTION),
    )
    assert await compare(facts, page(listed("o-1", series="m-1"))) == ["x-1"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda fact: event_fact("e-1", day=-8, ends=-8), id="long over"),
        pytest.param(lambda fact: event_fact("e-1", day=-6.5, ends=-6.4), id="at the edge of the window"),
        pytest.param(lambda fact: event_fact("e-1", day=179.5, ends=180), id="at the other edge"),
        pytest.param(lambda fact: replace(fact, is_cancelled=True), id="cancelled, and said so"),
    ],
)
async def test_what_need_not_be_listed_is_left_alone(change: Callable[[EventFact], EventFact]) -> None:
    assert await compare(held(change(event_fact("e-1"))), page()) == []


async def test_what_is_known_to_be_gone_is_left_alone() -> None:
    gone = GoneFact(owner=ALEX, meeting=MEETING, instance=WHOLE, at=at(0))
    assert await compare(join(held(event_fact("e-1")), gone), page()) == []


async def test_a_meeting_that_ended_before_its_calendar_was_ever_read_is_pointed_at() -> None:
    """An answer made it known, from an inbox that was read first; nobody will announce its end any more."""
    play = walkthrough()
    facts = held(event_fact("e-1"))
    play.states.meetings[ALEX] = {MEETING: encode_state(MeetingState(facts=facts))}
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper())
    assert ("e-1", "deleted") in [(one.item, one.change) for one in play.intake.entries]
