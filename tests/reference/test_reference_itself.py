"""The reference against the words of the design, section 3: facts, join and derive of one meeting."""

from __future__ import annotations

import itertools

import pytest

from service.reconcile.model import (
    WHOLE,
    AttendeeType,
    Fact,
    ResponseValue,
    Slot,
)
from tests.reference.builders import (
    ACCEPTED,
    DECLINED,
    NONE,
    SERIES_X,
    TENTATIVE,
    UNKNOWN,
    YEAR_ONE,
    X,
    Y,
    Z,
    alias,
    answer,
    due,
    event,
    gone,
    proposal,
    row,
)
from tests.reference.derived import Ending
from tests.reference.places import same_slot
from tests.reference.stories import (
    I1,
    MEGAN,
    derived,
    megan,
    verdict,
)

# The table. r is Megan's message, c her row.

T = {
    "neither": (None, None),
    "only the calendar": (None, (ACCEPTED, 50.0)),
    "only a message": ((ACCEPTED, 50.0), None),
    "same value within the tolerance, message first": ((ACCEPTED, 50.0), (ACCEPTED, 51.5)),
    "same value within the tolerance, calendar first": ((ACCEPTED, 51.5), (ACCEPTED, 50.0)),
    "same value, calendar later": ((ACCEPTED, 50.0), (ACCEPTED, 60.0)),
    "same value, message later": ((ACCEPTED, 60.0), (ACCEPTED, 50.0)),
    "message later": ((DECLINED, 60.0), (ACCEPTED, 50.0)),
    "within the tolerance, message later": ((DECLINED, 52.0), (ACCEPTED, 50.0)),
    "within the tolerance, calendar later": ((DECLINED, 50.0), (ACCEPTED, 52.0)),
    "calendar later": ((DECLINED, 50.0), (ACCEPTED, 52.5)),
}


@pytest.mark.parametrize(
    ("case", "before", "after"),
    [
        ("neither", (NONE, None, "none", False), None),
        ("only the calendar", (ACCEPTED, 50, "recorded", False), None),
        ("only a message", (ACCEPTED, 50, "reported", False), (ACCEPTED, 50, "reported", True)),
        ("same value within the tolerance, message first", (ACCEPTED, 51.5, "confirmed", False), None),
        ("same value within the tolerance, calendar first", (ACCEPTED, 50, "confirmed", False), None),
        ("same value, calendar later", (ACCEPTED, 60, "confirmed", False), None),
        ("same value, message later", (ACCEPTED, 60, "confirmed", False), None),
        ("message later", (DECLINED, 60, "reported", False), (DECLINED, 60, "conflicting", False)),
        (
            "within the tolerance, message later",
            (ACCEPTED, 50, "recorded", False),
            (ACCEPTED, 50, "conflicting", False),
        ),
        (
            "within the tolerance, calendar later",
            (ACCEPTED, 52, "recorded", False),
            (ACCEPTED, 52, "conflicting", False),
        ),
        ("calendar later", (ACCEPTED, 52.5, "recorded", False), None),
    ],
)
def test_each_row_of_the_table_before_and_after_its_timer(
    case: str,
    before: tuple[ResponseValue, float | None, str, bool],
    after: tuple[ResponseValue, float | None, str, bool] | None,
) -> None:
    r, c = T[case]
    facts: list[Fact] = [event(70, row("megan", *c) if c else row("megan", NONE, YEAR_ONE))]
    if r:
        facts.append(answer("megan", *r))
    assert verdict(megan(*facts)) == before
    if r:
        timer = due("megan", r, c)
        assert verdict(megan(*facts, timer)) == (after or before)


def test_a_timer_of_another_pair_changes_nothing() -> None:
    facts: list[Fact] = [event(0, row("megan")), answer("megan", ACCEPTED, 50)]
    assert not megan(*facts, due("megan", (ACCEPTED, 49))).overdue
    assert not megan(*facts, due("megan", (DECLINED, 50))).overdue
    assert not megan(*facts, due("megan", (ACCEPTED, 50), (ACCEPTED, 50))).overdue
    assert not megan(*facts, due("megan", (ACCEPTED, 50), instance=I1)).overdue


def test_a_timer_that_ran_out_before_its_pair_acts_when_the_pair_stands() -> None:
    timer, answered = due("megan", (DECLINED, 60), (ACCEPTED, 50)), answer("megan", DECLINED, 60)
    empty, recorded = event(0, row("megan")), event(70, row("megan", ACCEPTED, 50))
    assert verdict(megan(timer, empty, answered)) == (DECLINED, 60, "reported", False)
    assert verdict(megan(timer, empty, answered, recorded)) == (DECLINED, 60, "conflicting", False)


def test_a_value_of_year_1_is_older_than_everything() -> None:
    recorded = event(70, row("megan", ACCEPTED, YEAR_ONE))
    assert megan(recorded).at_ns == 0
    assert verdict(megan(recorded, answer("megan", ACCEPTED, 10))) == (ACCEPTED, 10, "confirmed", False)
    assert verdict(megan(recorded, answer("megan", DECLINED, 10))) == (DECLINED, 10, "reported", False)


def test_nothing_is_derived_without_an_event() -> None:
    assert derived(answer("megan", ACCEPTED, 10), gone(20)).at == {}


def test_who_is_not_in_the_rows_is_not_there_until_the_calendar_lists_them() -> None:
    facts: list[Fact] = [event(0, row("christie")), answer("megan", ACCEPTED, 10)]
    assert MEGAN not in derived(*facts).at[WHOLE].people
    assert megan(*facts, event(20, row("megan"), row("christie"))).value == ACCEPTED


# The join.


def test_the_newest_event_is_the_last_modified_one_not_the_one_with_the_latest_answer() -> None:
    full, reset = event(50, row("megan", ACCEPTED, 40)), event(60, row("megan", NONE, YEAR_ONE))
    assert megan(full, reset).value == megan(reset, full).value == NONE


def test_of_events_modified_at_once_the_change_key_decides_then_the_latest_answer() -> None:
    one = event(50, row("megan", ACCEPTED, 40), change_key="A")
    other = event(50, row("megan", DECLINED, 41), change_key="A")
    third = event(50, row("megan", TENTATIVE, 30), change_key="B")
    assert megan(one, other).value == DECLINED
    assert megan(one, other, third).value == TENTATIVE


def test_gone_stands_until_the_event_is_seen_later() -> None:
    read = event(0, row("megan"), seen=10)
    assert derived(read, gone(10)).at[WHOLE].ending is None
    assert derived(read, gone(11)).at[WHOLE].ending is Ending.GONE
    assert derived(read, gone(11), event(0, row("megan"), seen=11)).at[WHOLE].ending is None


def test_nobody_is_there_when_cancelled_or_gone() -> None:
    assert derived(event(0, row("megan"), is_cancelled=True)).at[WHOLE].people == {}
    both = derived(event(0, row("megan"), is_cancelled=True), gone(10)).at[WHOLE]
    assert both.ending is Ending.CANCELLED


@pytest.mark.parametrize(
    ("weaker", "stronger"), [(ACCEPTED, TENTATIVE), (TENTATIVE, DECLINED), (ACCEPTED, DECLINED)]
)
def test_of_two_messages_of_one_instant_the_less_willing_counts(
    weaker: ResponseValue, stronger: ResponseValue
) -> None:
    pair = [answer("megan", weaker, 50, message="<1>"), answer("megan", stronger, 50, message="<0>")]
    assert megan(event(0, row("megan")), *pair).value == stronger


def test_of_two_equal_messages_of_one_instant_proposal_comment_and_message_id_decide() -> None:
    plain = answer("megan", ACCEPTED, 50, comment="z", message="<z>")
    proposing = answer("megan", ACCEPTED, 50, proposed=proposal("2026-03-09T12:00:00Z"), message="<a>")
    assert megan(event(0, row("megan")), plain, proposing).message == proposing
    assert megan(event(0, row("megan")), plain, answer("megan", ACCEPTED, 50)).message == plain


# Slots and counting.


def test_slots_are_equal_when_they_agree_in_what_both_know() -> None:
    partly = Slot(start=X.start, end=None, is_all_day=None, recurrence=None)
    assert same_slot(X, partly)
    assert same_slot(partly, X)
    assert not same_slot(Y, partly)
    assert not same_slot(X, Slot(start=X.start, end=X.end, is_all_day=True, recurrence=None))
    assert not same_slot(X, SERIES_X)
    assert not same_slot(UNKNOWN, X)


def test_an_answer_to_another_slot_does_not_count_even_when_given_later() -> None:
    moved = event(20, row("megan"), slot=Y, sequence=1)
    assert megan(event(0, row("megan")), moved, answer("megan", ACCEPTED, 30)).value == NONE
    assert megan(event(0, row("megan")), moved, answer("megan", ACCEPTED, 30, slot=Y)).value == ACCEPTED


def test_an_answer_to_the_present_slot_counts_whenever_given() -> None:
    """Only answers to occurrences ask when the series moved."""
    moved = [event(0, row("megan")), event(20, row("megan"), slot=Y, sequence=1)]
    assert megan(*moved, answer("megan", ACCEPTED, 15, slot=Y)).value == ACCEPTED


def test_an_answer_to_a_version_not_read_yet_counts() -> None:
    read = event(0, row("megan"), sequence=1)
    assert megan(read, answer("megan", ACCEPTED, 30, slot=Y, sequence=2)).value == ACCEPTED
    assert megan(read, answer("megan", ACCEPTED, 30, slot=Y, sequence=1)).value == NONE
    assert megan(read, answer("megan", ACCEPTED, 30, slot=Y, sequence=None)).value == NONE


def test_a_higher_sequence_of_the_same_slot_resets_nothing() -> None:
    facts: list[Fact] = [
        event(0, row("megan")),
        event(40, row("megan"), sequence=5),
        answer("megan", ACCEPTED, 30),
    ]
    assert megan(*facts).value == ACCEPTED


def test_the_sequence_of_a_slot_is_the_greatest_of_its_messages() -> None:
    read = event(0, row("megan"), sequence=1)
    early = answer("megan", ACCEPTED, 30, slot=Y, sequence=2)
    late = answer("megan", DECLINED, 40, slot=Y, sequence=None)
    assert megan(read, late).value == NONE
    assert megan(read, early, late).value == DECLINED


def test_an_answer_without_slot_counts_when_later_than_the_other_slot_and_the_answers_to_it() -> None:
    facts: list[Fact] = [event(0, row("megan")), event(20, row("megan"), slot=Y)]
    nowhere = answer("megan", ACCEPTED, 30, slot=UNKNOWN)
    assert megan(*facts, nowhere).value == ACCEPTED
    assert megan(*facts, answer("megan", ACCEPTED, 0, slot=UNKNOWN)).value == NONE
    assert megan(*facts, nowhere, answer("megan", DECLINED, 30, slot=X)).value == NONE
    assert megan(*facts, nowhere, answer("megan", DECLINED, 29, slot=X)).value == ACCEPTED
    assert megan(event(0, row("megan")), answer("megan", ACCEPTED, 0, slot=UNKNOWN)).value == ACCEPTED


def test_first_a_row_kept_from_before_the_move_is_no_answer() -> None:
    """The rule that begins with "First"."""
    moved = event(20, row("megan", TENTATIVE, 5), slot=Y, sequence=1)
    assert verdict(megan(moved)) == (TENTATIVE, 5, "recorded", False)
    assert megan(moved, answer("megan", ACCEPTED, 7.0)).value == TENTATIVE
    assert megan(moved, answer("megan", ACCEPTED, 7.1)).value == NONE
    again = answer("megan", DECLINED, 25, slot=Y, sequence=1)
    assert verdict(megan(moved, answer("megan", ACCEPTED, 7.1), again)) == (DECLINED, 25, "reported", False)
    assert verdict(megan(event(30, row("megan", TENTATIVE, 5), slot=Y), answer("megan", ACCEPTED, 40))) == (
        NONE,
        None,
        "none",
        False,
    )


def test_then_a_message_not_later_than_what_the_calendar_had_recorded_does_not_revive() -> None:
    """The rule that begins with "Then": the row was reset, the message is the one that it had recorded."""
    facts: list[Fact] = [event(10, row("megan", ACCEPTED, 5)), event(20, row("megan", NONE, YEAR_ONE))]
    assert megan(*facts, answer("megan", ACCEPTED, 5)).value == NONE
    assert megan(*facts, answer("megan", DECLINED, 7.0)).value == NONE
    assert megan(*facts, answer("megan", DECLINED, 7.1)).value == DECLINED


def test_rescheduled_there_and_back_answers_to_the_first_slot_count_again() -> None:
    facts: list[Fact] = [event(0, row("megan")), answer("megan", ACCEPTED, 10)]
    there = event(20, row("megan"), slot=Y, sequence=1)
    back = event(30, row("megan"), slot=X, sequence=2)
    assert megan(*facts, there).value == NONE
    assert megan(*facts, there, back).value == ACCEPTED


# Proposals.


def test_the_proposal_is_that_of_the_witness_that_decided() -> None:
    early, late = proposal("2026-03-09T12:00:00Z"), proposal("2026-03-09T13:00:00Z")

    def decided(message_at: float, value: ResponseValue, *, in_row: bool = True) -> tuple[int, int] | None:
        recorded = event(90, row("megan", DECLINED, 50, proposed=late if in_row else None))
        return megan(recorded, answer("megan", value, message_at, proposed=early)).proposal

    assert decided(60, TENTATIVE) == early.span
    assert decided(51, TENTATIVE) == late.span
    assert decided(40, TENTATIVE) == late.span
    assert decided(51, DECLINED) == late.span
    assert decided(51, DECLINED, in_row=False) == early.span
    assert decided(40, TENTATIVE, in_row=False) is None


# Who is who.


def test_aliases_join_answers_rows_and_timers_of_one_person() -> None:
    facts: list[Fact] = [event(0, row("megan")), answer("meg", ACCEPTED, 50), alias("meg", "megan")]
    assert megan(*facts).value == ACCEPTED
    assert megan(*facts, due("meg", (ACCEPTED, 50))).overdue
    assert list(derived(event(0, row("meg")), alias("meg", "megan")).at[WHOLE].people) == [MEGAN]
    chained: list[Fact] = [answer("m", DECLINED, 60), alias("m", "meg")]
    assert megan(*facts, *chained).value == DECLINED


def test_of_two_rows_of_one_person_the_answered_one_counts_then_the_later() -> None:
    twice = [row("megan", NONE), row("megan-legacy", ACCEPTED, 50)]
    assert verdict(megan(event(60, *twice), alias("megan-legacy", "megan")))[:2] == (ACCEPTED, 50)
    emptied = [row("megan", NONE, 90), row("megan-legacy", ACCEPTED, 50)]
    assert megan(event(95, *emptied), alias("megan-legacy", "megan")).value == ACCEPTED
    both = [row("megan", DECLINED, 40), row("megan-legacy", ACCEPTED, 50)]
    assert megan(event(60, *both), alias("megan-legacy", "megan")).value == ACCEPTED


def test_rooms_are_not_counted_and_not_responded_counts_as_none() -> None:
    rows = [
        row("room", ACCEPTED, 5, type_=AttendeeType.RESOURCE),
        row("megan", ResponseValue.NOT_RESPONDED, YEAR_ONE),
        row("christie", ACCEPTED, 5),
    ]
    tally = derived(event(10, *rows)).at[WHOLE].tally()
    assert tally == {NONE: 1, ACCEPTED: 1, TENTATIVE: 0, DECLINED: 0}


# The state is the same in any order.


def test_every_order_of_one_rich_story_derives_the_same() -> None:
    story: list[Fact] = [
        event(0, row("megan"), row("meg")),
        answer("megan", ACCEPTED, 10),
        event(20, row("megan", ACCEPTED, 10), slot=Y, sequence=1),
        answer("meg", DECLINED, 30, slot=Y, sequence=1),
        alias("meg", "megan"),
        answer("megan", TENTATIVE, 31, slot=Z, sequence=2),
    ]
    expected = derived(*story)
    assert all(derived(*order) == expected for order in itertools.permutations(story))
