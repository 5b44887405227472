"""The reference against the words of the design, section 3: each sentence with the story that shows it."""

from __future__ import annotations

import itertools
import json

import pytest

from service.reconcile.model import (
    WHOLE,
    AttendeeType,
    Fact,
    InstanceKey,
    ResponseFact,
    ResponseValue,
    Slot,
)
from tests.reference.builders import (
    ACCEPTED,
    DATES,
    DECLINED,
    NONE,
    SERIES_X,
    SERIES_Y,
    TENTATIVE,
    UNKNOWN,
    YEAR_ONE,
    X,
    Y,
    Z,
    address,
    alias,
    answer,
    due,
    event,
    gone,
    proposal,
    row,
    second,
    slot,
)
from tests.reference.consumer import Fold, Said, Told, fold_stream, parse_entry
from tests.reference.derivation import Answer, Derived, Ending, Standing, derive, same_slot
from tests.reference.emission import Emitter

I1, I2, I3 = DATES
MEGAN = address("megan")
PLACE_1 = slot("2026-03-09T10:00:00Z")
PLACE_2 = slot("2026-03-16T10:00:00Z")
MOVED_2 = slot("2026-03-17T08:00:00Z")


def derived(*facts: Fact) -> Derived:
    return derive(facts, tolerance_s=2)


def megan(*facts: Fact, instance: InstanceKey = WHOLE) -> Answer:
    return derived(*facts).at[instance].people[MEGAN]


def verdict(answer: Answer) -> tuple[ResponseValue, float | None, Standing, bool]:
    at_s = None if answer.at_ns is None else (answer.at_ns - second(0).ns) / 1e9
    return (answer.value, at_s, answer.standing, answer.overdue)


def said(
    emitter: Emitter, *facts: Fact, baseline: bool = False
) -> list[tuple[str, str, str | None, str | None]]:
    """Commit the facts (all that were ever read) and tell what was said."""
    return [brief(one) for one in emitter.emit(derived(*facts), baseline=baseline)]


def brief(one: Said) -> tuple[str, str, str | None, str | None]:
    name = None if one.attendee is None else one.attendee.split("@")[0]
    return (one.instance, one.type.value, name, one.value)


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


# Instances.

SERIES = event(0, row("megan", ACCEPTED, -10), slot=SERIES_X)


def exception(at: float, *rows: object, slot: Slot = PLACE_2, **more: object) -> Fact:
    return event(at, *rows, slot=slot, instance=I2, **more)  # type: ignore[arg-type]


def test_an_instance_without_event_inherits() -> None:
    state = derived(SERIES, answer("megan", DECLINED, 5, slot=PLACE_2, instance=I2)).at[I2]
    assert (state.people[MEGAN].value, state.people[MEGAN].own) == (ACCEPTED, False)


def test_an_occurrence_whose_row_is_the_series_own_inherits() -> None:
    occurrence = exception(5, row("megan", ACCEPTED, -9.0))
    later = event(20, row("megan", DECLINED, 15), slot=SERIES_X)
    assert not megan(SERIES, occurrence, instance=I2).own
    assert megan(SERIES, occurrence, later, instance=I2).value == DECLINED


def test_rule_one_an_answer_to_the_occurrence_that_counts_makes_it_own() -> None:
    declined = answer("megan", DECLINED, 6, slot=PLACE_2, instance=I2)
    facts: list[Fact] = [SERIES, exception(5, row("megan", ACCEPTED, -10)), declined]
    assert verdict(megan(*facts, instance=I2)) == (DECLINED, 6, "reported", False)
    assert megan(*facts, instance=WHOLE).value == ACCEPTED
    elsewhere = answer("megan", DECLINED, 6, slot=MOVED_2, instance=I2)
    assert not megan(*facts[:2], elsewhere, instance=I2).own


def test_rule_two_a_row_with_a_time_that_the_series_never_had_is_own() -> None:
    assert megan(SERIES, exception(5, row("megan", DECLINED, 4)), instance=I2).own
    assert not megan(SERIES, exception(5, row("megan", NONE)), instance=I2).own
    assert not megan(SERIES, exception(5, row("megan", DECLINED, -8.0)), instance=I2).own
    assert megan(SERIES, exception(5, row("megan", DECLINED, -7.9)), instance=I2).own


def test_rule_two_remembers_every_time_that_the_series_ever_had() -> None:
    later = event(20, row("megan", DECLINED, 15), slot=SERIES_X)
    copied = exception(5, row("megan", ACCEPTED, -10))
    assert not megan(later, SERIES, copied, instance=I2).own
    assert megan(later, copied, instance=I2).own


def test_rule_three_at_another_place_than_the_series_everything_is_own() -> None:
    moved = exception(5, row("megan", NONE), slot=MOVED_2)
    assert verdict(megan(SERIES, moved, instance=I2)) == (NONE, None, "none", False)


def test_the_place_of_a_date_keeps_the_wall_clock_of_the_series_zone() -> None:
    """The clocks go forward between the second and the third date: 10:00 UTC becomes 09:00."""
    state = derived(SERIES, answer("megan", DECLINED, 5, instance=I3)).at[I3]
    expected = slot("2026-03-30T09:00:00Z")
    assert state.place is not None
    assert (state.place.start, state.place.end) == (expected.start, expected.end)
    inherits = event(5, row("megan", NONE), slot=expected, instance=I3)
    assert not megan(SERIES, inherits, instance=I3).own


def test_rule_four_who_is_only_in_the_occurrence_is_its_own() -> None:
    guest = exception(5, row("megan", ACCEPTED, -10), row("guest"))
    people = derived(SERIES, guest).at[I2].people
    assert people[address("guest")].own
    assert not people[MEGAN].own


def test_rule_four_who_is_missing_in_an_occurrence_seen_later_is_not_there() -> None:
    assert MEGAN not in derived(SERIES, exception(0, row("christie"), seen=2)).at[I2].people
    assert MEGAN in derived(SERIES, exception(0, row("christie"), seen=1)).at[I2].people


MOVED_SERIES = event(100, row("megan"), slot=SERIES_Y, sequence=1)
NEW_PLACE_2 = slot("2026-03-16T14:00:00Z")


def test_after_a_move_of_the_series_an_occurrence_counts_only_if_seen_since() -> None:
    facts: list[Fact] = [SERIES, exception(5, row("megan", DECLINED, 4)), MOVED_SERIES]
    assert not megan(*facts, instance=I2).own
    assert not megan(*facts, exception(5, row("megan", DECLINED, 4), seen=100.5), instance=I2).own
    assert megan(*facts, exception(5, row("megan", DECLINED, 4), seen=101), instance=I2).own


def test_after_a_move_of_the_series_an_end_of_an_occurrence_counts_only_if_seen_since() -> None:
    facts: list[Fact] = [SERIES, exception(5, row("megan")), gone(50, I2)]
    assert derived(*facts).at[I2].ending is Ending.GONE
    assert derived(*facts, MOVED_SERIES).at[I2].ending is None
    assert derived(*facts, MOVED_SERIES, gone(101, I2)).at[I2].ending is Ending.GONE


def test_after_a_move_of_the_series_an_answer_to_an_occurrence_counts_only_if_given_since() -> None:
    kept = exception(101, row("megan"), slot=NEW_PLACE_2)
    before, since = (answer("megan", DECLINED, at, slot=NEW_PLACE_2, instance=I2) for at in (99, 100))
    assert not megan(SERIES, MOVED_SERIES, kept, before, instance=I2).own
    assert megan(SERIES, MOVED_SERIES, kept, since, instance=I2).value == DECLINED


def test_a_series_that_never_moved_asks_nothing_of_its_occurrences() -> None:
    read_first = exception(-20, row("megan", DECLINED, -21), seen=-15)
    assert megan(SERIES, read_first, instance=I2).value == DECLINED


# Emitting.


def test_a_new_attendee_is_added_then_their_answer_follows_then_its_standing() -> None:
    facts: list[Fact] = [
        event(60, row("megan", ACCEPTED, 50), row("christie")),
        answer("megan", ACCEPTED, 50),
    ]
    assert said(Emitter(), *facts) == [
        ("", "attendee.added", "christie", "none"),
        ("", "attendee.added", "megan", "none"),
        ("", "response.changed", "megan", "accepted"),
        ("", "response.confirmed", "megan", "accepted"),
    ]


def test_in_a_baseline_one_snapshot_says_value_and_standing() -> None:
    facts: list[Fact] = [event(60, row("megan", ACCEPTED, 50)), answer("megan", ACCEPTED, 50)]
    emitter = Emitter()
    assert said(emitter, *facts, baseline=True) == [("", "response.snapshot", "megan", "accepted")]
    assert said(emitter, *facts) == []


def test_values_are_told_when_they_differ_and_reset_when_they_go() -> None:
    emitter = Emitter()
    story: list[Fact] = [event(0, row("megan"))]
    said(emitter, *story)
    story.append(event(60, row("megan", DECLINED, 50)))
    assert said(emitter, *story) == [("", "response.changed", "megan", "declined")]
    story.append(event(70, row("megan", DECLINED, 65)))
    assert said(emitter, *story) == []
    story.append(event(80, row("megan")))
    assert said(emitter, *story) == [("", "response.reset", "megan", "none")]


def test_previous_is_what_was_held() -> None:
    emitter = Emitter()
    emitter.emit(derived(event(0, row("megan", ACCEPTED, -5))))
    (changed,) = emitter.emit(derived(event(0, row("megan", DECLINED, 5))))
    assert (changed.previous, changed.value) == (ACCEPTED, DECLINED)


def test_a_standing_is_told_once_and_again_after_the_value_or_the_other_standing() -> None:
    emitter: Emitter = Emitter()
    story: list[Fact] = [event(60, row("megan", ACCEPTED, 50)), answer("megan", ACCEPTED, 50)]
    assert said(emitter, *story)[-1][1] == "response.confirmed"
    story.append(answer("megan", DECLINED, 60))
    assert said(emitter, *story) == [("", "response.changed", "megan", "declined")]
    story.append(due("megan", (DECLINED, 60), (ACCEPTED, 50)))
    assert said(emitter, *story) == [("", "response.conflicting", "megan", "declined")]
    assert said(emitter, *story) == []
    story.append(event(70, row("megan", DECLINED, 61)))
    assert said(emitter, *story) == [("", "response.confirmed", "megan", "declined")]


def test_each_value_is_confirmed_anew() -> None:
    emitter: Emitter = Emitter()
    story: list[Fact] = [event(60, row("megan", ACCEPTED, 50)), answer("megan", ACCEPTED, 50)]
    said(emitter, *story)
    story.append(answer("megan", DECLINED, 65))
    said(emitter, *story)
    story.append(event(70, row("megan", DECLINED, 65)))
    assert said(emitter, *story) == [("", "response.confirmed", "megan", "declined")]


def test_a_standing_that_falls_back_is_silent_and_is_not_told_again_when_it_returns() -> None:
    emitter = Emitter()
    recorded = event(60, row("megan", ACCEPTED, 50))
    said(emitter, recorded, answer("megan", ACCEPTED, 50))
    assert said(emitter, recorded) == []
    assert said(emitter, recorded, answer("megan", ACCEPTED, 50)) == []


def test_a_proposal_is_told_when_it_differs_and_is_not_empty() -> None:
    emitter, first, other = Emitter(), proposal("2026-03-09T12:00:00Z"), proposal("2026-03-09T13:00:00Z")
    story: list[Fact] = [event(0, row("megan")), answer("megan", TENTATIVE, 50, proposed=first)]
    assert [one[1] for one in said(emitter, *story)] == [
        "attendee.added",
        "response.changed",
        "newtime.proposed",
    ]
    story.append(answer("megan", TENTATIVE, 60, proposed=other))
    assert said(emitter, *story) == [("", "newtime.proposed", "megan", "tentativelyAccepted")]
    story.append(answer("megan", TENTATIVE, 70))
    assert said(emitter, *story) == []
    story.append(answer("megan", TENTATIVE, 80, proposed=other))
    assert said(emitter, *story) == []


def test_a_value_without_proposal_clears_the_one_told() -> None:
    emitter, first = Emitter(), proposal("2026-03-09T12:00:00Z")
    story: list[Fact] = [event(0, row("megan")), answer("megan", TENTATIVE, 50, proposed=first)]
    said(emitter, *story)
    story.append(answer("megan", ACCEPTED, 60))
    said(emitter, *story)
    story.append(answer("megan", TENTATIVE, 70, proposed=first))
    assert [one[1] for one in said(emitter, *story)] == ["response.changed", "newtime.proposed"]


def test_a_move_is_told_before_the_answers_and_clears_proposals_and_standings() -> None:
    emitter, wish = Emitter(), proposal("2026-03-09T12:00:00Z")
    kept = row("megan", TENTATIVE, 50, proposed=wish)
    said(emitter, event(60, kept), answer("megan", TENTATIVE, 50))
    told = said(
        emitter,
        event(70, kept, slot=Y, sequence=1),
        answer("megan", TENTATIVE, 50, slot=Y, sequence=1),
    )
    assert [one[1] for one in told] == ["event.rescheduled", "response.confirmed", "newtime.proposed"]


def test_a_move_is_told_also_when_nobody_answered() -> None:
    emitter = Emitter()
    said(emitter, event(0, row("megan")))
    assert said(emitter, event(10, row("megan"), slot=Y)) == [("", "event.rescheduled", None, None)]


def test_an_ending_is_told_once_with_nobody_removed_and_also_when_never_spoken_of() -> None:
    emitter, cancelled = Emitter(), event(10, row("megan"), is_cancelled=True)
    said(emitter, event(0, row("megan", ACCEPTED, -1)))
    assert said(emitter, cancelled) == [("", "event.cancelled", None, None)]
    assert said(emitter, cancelled, gone(50)) == []
    assert said(Emitter(), cancelled) == [("", "event.cancelled", None, None)]
    assert said(Emitter(), event(0, row("megan")), gone(50)) == [("", "event.deleted", None, None)]
    assert said(Emitter(), gone(50)) == []


def test_after_coming_back_everyone_is_new_and_the_slot_is_not_told_as_a_move() -> None:
    emitter: Emitter = Emitter()
    story: list[Fact] = [event(0, row("megan", ACCEPTED, -1)), gone(50)]
    said(emitter, *story)
    story.append(event(60, row("megan", ACCEPTED, -1), slot=Y))
    assert [one[1] for one in said(emitter, *story)] == ["attendee.added", "response.changed"]


def test_who_leaves_the_rows_is_removed_and_comes_back_as_new() -> None:
    emitter = Emitter()
    both, one = event(0, row("megan"), row("christie")), event(10, row("christie"))
    said(emitter, both)
    assert said(emitter, one) == [("", "attendee.removed", "megan", None)]
    assert said(emitter, one) == []
    assert said(emitter, both) == [("", "attendee.added", "megan", "none")]


def test_a_later_answer_to_the_series_is_told_once_on_the_series() -> None:
    emitter = Emitter()
    occurrence = exception(5, row("megan", ACCEPTED, -10))
    said(emitter, SERIES, occurrence)
    later = event(20, row("megan", DECLINED, 15), slot=SERIES_X)
    assert said(emitter, SERIES, occurrence, later) == [("", "response.changed", "megan", "declined")]


def test_the_series_comes_first_then_instances_by_date() -> None:
    facts: list[Fact] = [
        SERIES,
        event(5, row("megan", DECLINED, 4), slot=PLACE_2, instance=I2),
        event(5, row("megan", TENTATIVE, 4), slot=PLACE_1, instance=I1),
    ]
    assert said(Emitter(), *facts) == [
        ("", "attendee.added", "megan", "none"),
        ("", "response.changed", "megan", "accepted"),
        (I1, "response.changed", "megan", "tentativelyAccepted"),
        (I2, "response.changed", "megan", "declined"),
    ]


def test_a_moved_occurrence_is_told_against_the_place_of_the_series() -> None:
    emitter = Emitter()
    moved = exception(5, row("megan"), slot=MOVED_2)
    assert said(emitter, SERIES, moved)[2:] == [
        (I2, "event.rescheduled", None, None),
        (I2, "response.reset", "megan", "none"),
    ]
    assert said(emitter, SERIES, moved) == []


def test_a_moved_occurrence_is_confirmed_anew_though_the_series_was_confirmed() -> None:
    emitter: Emitter = Emitter()
    story: list[Fact] = [
        event(6, row("megan", ACCEPTED, 5), slot=SERIES_X),
        answer("megan", ACCEPTED, 5, slot=SERIES_X),
    ]
    said(emitter, *story)
    story.append(exception(20, row("megan", ACCEPTED, 15), slot=MOVED_2))
    story.append(answer("megan", ACCEPTED, 15, slot=MOVED_2, instance=I2))
    assert said(emitter, *story) == [
        (I2, "event.rescheduled", None, None),
        (I2, "response.confirmed", "megan", "accepted"),
    ]


def test_a_cancelled_occurrence_ends_alone_and_again_after_the_series_moved() -> None:
    emitter: Emitter = Emitter()
    story: list[Fact] = [SERIES, exception(5, row("megan"), is_cancelled=True)]
    assert said(emitter, *story)[-1] == (I2, "event.cancelled", None, None)
    story.append(MOVED_SERIES)
    assert [one[:2] for one in said(emitter, *story)] == [("", "event.rescheduled"), ("", "response.reset")]
    story.append(exception(5, row("megan"), is_cancelled=True, seen=101))
    assert said(emitter, *story) == [(I2, "event.cancelled", None, None)]


def test_after_a_move_of_the_series_the_own_entries_are_dropped_and_told_anew() -> None:
    emitter = Emitter()
    facts: list[Fact] = [SERIES, exception(5, row("megan", DECLINED, 4))]
    said(emitter, *facts)
    facts.append(event(100, row("megan", ACCEPTED, -10), slot=SERIES_Y, sequence=1))
    assert said(emitter, *facts) == [("", "event.rescheduled", None, None)]
    facts.append(exception(5, row("megan", DECLINED, 4), slot=NEW_PLACE_2, seen=101))
    assert said(emitter, *facts) == [(I2, "response.changed", "megan", "declined")]


def test_an_occurrence_ends_alone_and_is_new_when_it_comes_back() -> None:
    emitter: Emitter = Emitter()
    facts: list[Fact] = [SERIES, exception(5, row("megan", ACCEPTED, -10)), gone(50, I2)]
    assert said(emitter, *facts)[-1] == (I2, "event.deleted", None, None)
    facts.append(exception(60, row("megan", ACCEPTED, -10)))
    assert said(emitter, *facts) == [
        (I2, "attendee.added", "megan", "none"),
        (I2, "response.changed", "megan", "accepted"),
    ]


def test_the_end_of_a_series_is_told_alone() -> None:
    emitter: Emitter = Emitter()
    facts: list[Fact] = [SERIES, exception(5, row("megan", DECLINED, 4))]
    said(emitter, *facts)
    assert said(emitter, *facts, gone(90)) == [("", "event.deleted", None, None)]


def test_who_is_removed_from_an_occurrence_only_is_removed_there() -> None:
    emitter = Emitter()
    told = said(emitter, SERIES, exception(5, row("christie"), seen=9))
    assert told[2:] == [
        (I2, "attendee.added", "christie", "none"),
        (I2, "attendee.removed", "megan", None),
    ]


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


# The consumer.


def entry(type_: str, subject: str | None, value: str | None, instance: str = "") -> dict[str, str]:
    source = "/owners/alex/meetings/vCal-Uid%3A1" + (f"/instances/{instance}" if instance else "")
    start = {"dateTime": "2026-03-09T10:00:00.0000000", "timeZone": "UTC"}
    end = {"dateTime": "2026-03-09T11:30:00.0000000", "timeZone": "Europe/Berlin"}
    response = {"value": value, "previous": None, "time": None, "comment": None, "proposedNewTime": None}
    data = {
        "event": {"start": start, "end": end, "isAllDay": False},
        "response": response if subject else None,
        "standing": "none" if subject else None,
        "overdue": False,
    }
    fields = {
        "source": source,
        "epoch": "7",
        "sequence": "1".zfill(20),
        "type": f"responsesync.{type_}",
        "data": json.dumps(data),
    }
    return fields | ({"subject": subject} if subject else {})


def test_an_entry_of_the_stream_is_read_into_what_was_said() -> None:
    read = parse_entry(entry("attendee.added", "megan@example.com", "notResponded", I1))
    assert (read.owner, read.meeting, read.epoch, read.sequence) == ("alex", "vCal-Uid:1", 7, 1)
    assert (read.said.instance, read.said.attendee, read.said.value) == (I1, MEGAN, NONE)
    assert read.said.slot == slot("2026-03-09T10:00:00Z", recurrence=None)


def test_a_higher_epoch_replaces_what_is_held_of_the_meeting() -> None:
    old = parse_entry(entry("attendee.added", "megan@example.com", "none", I1))
    new = parse_entry(entry("response.snapshot", "christie@example.com", "accepted") | {"epoch": "8"})
    fold = fold_stream([old, new])["alex", "vCal-Uid:1"]
    assert list(fold.people(I1)) == [address("christie")]


def test_an_occurrence_shows_its_own_entry_else_that_of_the_series() -> None:
    fold = Fold()
    for facts in ([SERIES], [SERIES, exception(5, row("megan", DECLINED, 4), row("guest"))]):
        emitter = Emitter()
        fold = emitter.fold
        emitter.emit(derived(*facts))
    assert [held.value for held in fold.people(WHOLE).values()] == [ACCEPTED]
    assert [held.value for held in fold.people(I1).values()] == [ACCEPTED]
    assert [held.value for held in fold.people(I2).values()] == [NONE, DECLINED]


def test_an_ending_drops_the_meeting_and_its_instances() -> None:
    emitter = Emitter()
    emitter.emit(derived(SERIES, exception(5, row("megan", DECLINED, 4))))
    emitter.emit(derived(SERIES, gone(90)))
    assert emitter.fold.told[-1].type is Told.DELETED
    assert emitter.fold.people(WHOLE) == emitter.fold.people(I2) == {}
    assert emitter.fold.is_over(I2)


def test_facts_of_a_response_keep_their_words() -> None:
    """Guards the builders: a story's answer is the fact that production gets."""
    fact = answer("megan", ACCEPTED, 1.5)
    assert isinstance(fact, ResponseFact)
    assert fact.at.text == "2026-03-02T09:00:01.5Z"
