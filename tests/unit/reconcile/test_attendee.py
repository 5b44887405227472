"""One attendee: when a row is one from before the move, when a message is late, and which time is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.reconcile.attendee import DerivedAttendee
from service.reconcile.model import WHOLE, Address, Fact
from tests.unit.reconcile.build import at, due, event, proposal, response, row
from tests.unit.reconcile.story import play


def ann(*steps: Fact) -> DerivedAttendee:
    return play(steps)[-1].derived.instances[WHOLE].attendees[Address("ann")]


@pytest.mark.parametrize(
    ("row_second", "is_stale"),
    [(8, False), (7.9, True), (9, False), (20, False)],
)
def test_a_row_is_from_before_the_move_when_another_slot_was_answered_later(
    row_second: float, is_stale: bool
) -> None:
    attendee = ann(
        response("ann", "tentativelyAccepted", 1, place=5),
        response("ann", "declined", 10),
        event(30, row("ann", "accepted", row_second), place=1, sequence=1),
    )
    assert attendee.is_stale is is_stale
    assert attendee.value == ("none" if is_stale else "accepted")


@pytest.mark.parametrize(("counted", "is_stale"), [(10, False), (9.9, True), (14, False)])
def test_a_row_that_an_answer_to_the_present_slot_accounts_for_is_not(counted: float, is_stale: bool) -> None:
    attendee = ann(
        response("ann", "declined", 40),
        event(30, row("ann", "accepted", 12), place=1, sequence=1),
        response("ann", "accepted", counted, place=1, sequence=1),
    )
    assert attendee.is_stale is is_stale
    assert attendee.value == ("none" if is_stale else "accepted")


def test_a_row_without_an_answer_is_no_row_from_before() -> None:
    attendee = ann(response("ann", "declined", 10), event(30, row("ann"), place=1, sequence=1))
    assert not attendee.is_stale


@pytest.mark.parametrize(("second", "value"), [(11, "none"), (12, "none"), (12.1, "declined")])
def test_where_the_calendar_is_silent_a_message_must_be_later_than_all_it_ever_showed(
    second: float, value: str
) -> None:
    attendee = ann(
        event(10, row("ann", "accepted", 10)), event(20, row("ann")), response("ann", "declined", second)
    )
    assert attendee.value == value


@pytest.mark.parametrize(("second", "expected"), [(102, 100), (102.1, 102.1), (98, 100), (90, 100)])
def test_of_two_that_agree_the_later_time_is_taken_and_the_calendars_within_the_tolerance(
    second: float, expected: float
) -> None:
    attendee = ann(event(200, row("ann", "accepted", 100)), response("ann", "accepted", second))
    assert attendee.at == at(expected)


def test_of_two_that_agree_the_messages_time_is_taken_where_the_calendar_gives_none() -> None:
    attendee = ann(event(200, replace(row("ann", "accepted"), at=None)), response("ann", "accepted", 10))
    assert attendee.at == at(10)


def test_a_row_alone_without_a_time_has_none() -> None:
    assert ann(event(200, replace(row("ann", "accepted"), at=None))).at is None


def test_of_two_that_agree_the_calendars_proposal_is_taken_and_the_messages_where_it_has_none() -> None:
    both = ann(
        event(200, row("ann", "declined", 10, proposed=proposal(600))),
        response("ann", "declined", 10, proposed=proposal(500)),
    )
    one = ann(event(200, row("ann", "declined", 10)), response("ann", "declined", 10, proposed=proposal(500)))
    assert (both.proposal, one.proposal) == (proposal(600), proposal(500))


def test_a_timer_runs_for_a_pair_until_it_has_run_out() -> None:
    steps: list[Fact] = [event(200, row("ann")), response("ann", "accepted", 10)]
    pair = ann(*steps).open_pair
    assert pair is not None
    assert (pair.message, pair.message_ns, pair.calendar, pair.calendar_ns) == (
        "accepted",
        at(10).ns,
        "none",
        0,
    )
    assert ann(*steps, due("ann", ("accepted", 10))).open_pair is None
    assert ann(*steps, due("ann", ("accepted", 11))).open_pair == pair


def test_no_timer_runs_where_time_changes_nothing() -> None:
    agreed = ann(event(200, row("ann", "accepted", 10)), response("ann", "accepted", 10))
    alone = ann(event(200, row("ann", "accepted", 10)))
    later = ann(event(200, row("ann", "accepted", 30)), response("ann", "declined", 10))
    assert [each.open_pair for each in (agreed, alone, later)] == [None] * 3
