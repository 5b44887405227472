"""The join: what is the greatest, what is a set, and when two slots or two answers are the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from service.reconcile.facts import InstanceFacts, MeetingFacts, join, join_all, same_slot
from service.reconcile.model import WHOLE, Address, Fact, InstanceKey, Slot
from tests.unit.reconcile.build import (
    UNKNOWN_SLOT,
    YEAR_ONE,
    at,
    due,
    event,
    gone,
    proposal,
    response,
    row,
    slot,
)

ANN = Address("ann")
DAY2 = InstanceKey("2026-03-03")
KNOWN = Slot(start=1, end=2, is_all_day=False, recurrence="daily")


def whole(*facts: Fact) -> InstanceFacts:
    """Join in every order; all give the same."""
    joined = [join_all(MeetingFacts(), order) for order in permutations(facts)]
    assert all(each == joined[0] for each in joined)
    return joined[0].instance(WHOLE)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (KNOWN, True),
        (replace(KNOWN, start=3), False),
        (replace(KNOWN, end=3), False),
        (replace(KNOWN, is_all_day=True), False),
        (replace(KNOWN, recurrence=""), False),
        (Slot(start=1, end=None, is_all_day=None, recurrence=None), True),
        (UNKNOWN_SLOT, True),
    ],
)
def test_slots_are_the_same_when_they_agree_in_all_that_both_know(other: Slot, is_same: bool) -> None:
    assert same_slot(KNOWN, other) is is_same
    assert same_slot(other, KNOWN) is is_same


def test_the_greatest_event_is_the_last_modified_then_by_change_key_then_by_its_latest_status() -> None:
    older, newer = event(1, row("ann", "declined", 900), change_key="z"), event(2, row("ann"), change_key="a")
    assert whole(older, newer).attendees[ANN].row == row("ann")
    other_key = event(2, row("ann", "declined", 1), change_key="b")
    assert whole(newer, other_key).attendees[ANN].row == row("ann", "declined", 1)
    late = event(2, row("ann", "accepted", 5), row("bob", "accepted", 3), change_key="b")
    assert whole(other_key, late).attendees[ANN].row == row("ann", "accepted", 5)
    early = event(2, row("ann", "accepted", 4), row("bob"), change_key="b")
    assert whole(late, early).attendees[ANN].row == row("ann", "accepted", 5)


def test_an_event_without_rows_is_the_least_of_its_kind() -> None:
    empty, full = event(2, change_key="b"), event(2, row("ann", "accepted", 1), change_key="b")
    assert whole(empty, full).attendees[ANN].row is not None


def test_whoever_the_greatest_event_does_not_list_has_no_row_whenever_it_is_read() -> None:
    assert whole(event(1, row("ann", "accepted", 0.5)), event(2, row("bob"))).attendees[ANN].row is None
    assert whole(event(2, row("ann")), event(1, row("bob"))).attendees[ANN].row == row("ann")


def test_an_instance_is_gone_when_it_was_looked_for_after_it_was_last_seen() -> None:
    read = event(1, row("ann"), seen=10)
    assert whole(read, gone(10.1)).is_gone
    assert not whole(read, gone(10)).is_gone
    assert not whole(gone(20), gone(5), event(1, seen=25)).is_gone
    assert whole(gone(20), gone(5), read).is_gone
    assert whole(gone(5)).is_gone


def test_status_times_with_an_answer_are_remembered_whatever_the_greatest_event_shows() -> None:
    facts = whole(
        event(30, row("ann", "accepted", 25), row("bob", "accepted")),
        event(40, row("ann"), row("bob")),
        event(20, row("ann", "declined", 15), row("bob")),
    )
    ann, bob = facts.attendees[ANN], facts.attendees[Address("bob")]
    assert (ann.answered_ns, ann.row_times_ns) == (at(25).ns, (at(15).ns, at(25).ns))
    assert (bob.answered_ns, bob.row_times_ns) == (YEAR_ONE.ns, (YEAR_ONE.ns,))


def test_a_row_without_an_answer_leaves_no_status_time() -> None:
    ann = whole(event(30, row("ann", "notResponded", 25))).attendees[ANN]
    assert (ann.answered_ns, ann.row_times_ns) == (None, ())


def test_only_a_series_remembers_all_times_and_the_first_sight_of_an_attendee() -> None:
    facts = join_all(
        MeetingFacts(),
        [
            event(30, row("ann", "accepted", 25), seen=31),
            event(20, row("ann", "accepted", 15), seen=41),
            event(30, row("ann", "accepted", 25), instance=DAY2, seen=32),
        ],
    )
    whole_, day2 = facts.instance(WHOLE).attendees[ANN], facts.instance(DAY2).attendees[ANN]
    assert (whole_.row_times_ns, whole_.listed_ns) == ((at(15).ns, at(25).ns), at(31).ns)
    assert (day2.answered_ns, day2.row_times_ns, day2.listed_ns) == (at(25).ns, (), None)


def test_a_first_sight_that_is_older_than_all_else_counts_as_one() -> None:
    never = replace(event(1, row("ann"), is_series=True), seen=YEAR_ONE)
    assert whole(never, event(2, row("ann"), is_series=True)).attendees[ANN].listed_ns == 0


def test_of_the_answers_to_one_slot_the_latest_stands_then_the_stronger_word() -> None:
    def stands(*facts: Fact) -> str:
        (answer,) = whole(*facts).attendees[ANN].answers
        return f"{answer.value} {answer.comment} {answer.witness.internet_message_id}"

    early = response("ann", "declined", 10, comment="a")
    assert stands(early, response("ann", "accepted", 11)) == "accepted  <ann-11@example>"
    strong = [response("ann", value, 10) for value in ("accepted", "tentativelyAccepted", "declined")]
    assert stands(*strong) == "declined  <ann-10@example>"
    proposing = [
        response("ann", "declined", 10, proposed=proposal(at_), comment=f"{at_}") for at_ in (500, 600)
    ]
    assert stands(*proposing, response("ann", "declined", 10, comment="z")) == "declined 600 <ann-10@example>"
    assert stands(early, response("ann", "declined", 10, comment="b")) == "declined b <ann-10@example>"
    other = replace(early, witness=replace(early.witness, internet_message_id="<z>"))
    assert stands(early, other) == "declined a <z>"


def test_copies_of_one_answer_join_to_one_whichever_mailbox_is_read_first() -> None:
    answer = response("ann", "accepted", 10)
    copy = replace(answer, witness=replace(answer.witness, mailbox="other", id="copy"))  # type: ignore[arg-type]
    assert len(whole(answer, copy, answer).attendees[ANN].answers) == 1


def test_the_version_of_an_answer_is_the_greatest_that_any_answer_to_its_slot_tells() -> None:
    versions: list[Fact] = [
        response("ann", "accepted", 10, sequence=3),
        response("ann", "declined", 20, sequence=None),
        response("ann", "accepted", 5, sequence=1),
    ]
    (answer,) = whole(*versions).attendees[ANN].answers
    assert (answer.value, answer.sequence) == ("declined", 3)
    (unknown,) = whole(response("ann", "declined", 20, sequence=None)).attendees[ANN].answers
    assert unknown.sequence is None


def test_each_slot_has_its_own_answer_and_its_own_span() -> None:
    facts = whole(
        response("ann", "accepted", 10),
        response("ann", "declined", 20, place=1),
        event(30, seen=35),
        event(40, seen=33),
    )
    assert [(each.slot, each.value) for each in facts.attendees[ANN].answers] == [
        (slot(0), "accepted"),
        (slot(1), "declined"),
    ]
    (span,) = facts.slots
    assert (span.first_modified, span.last_modified, span.first_seen) == (at(30), at(40), at(33))
    assert facts.seen == at(35)


def test_timers_that_ran_out_are_a_set() -> None:
    one, other = due("ann", ("accepted", 10)), due("ann", ("declined", 10))
    assert whole(one, other, one).attendees[ANN].due == (one.pair, other.pair)


def test_joining_leaves_what_was_held_as_it_was() -> None:
    held = join(MeetingFacts(), event(1, row("ann")))
    join(held, response("ann", "accepted", 10))
    assert held.instance(WHOLE).attendees[ANN].answers == ()
