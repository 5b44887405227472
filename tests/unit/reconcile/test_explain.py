"""The story of an attendee: each fact with what it means, the rule, what was told and what was skipped."""

from __future__ import annotations

from collections.abc import Sequence

from service.reconcile.attendee import Own
from service.reconcile.counting import Verdict
from service.reconcile.explain import Absence, AttendeeStory, InstanceStory, explain
from service.reconcile.model import Address, AliasFact, Fact
from service.reconcile.rules import Situation
from tests.unit.reconcile.build import MEETING, OWNER, at, due, event, gone, response, row
from tests.unit.reconcile.story import LIMITS, play

DAY2, DAY3 = "2026-03-03", "2026-03-04"


def tell(*steps: Fact | Sequence[Fact], person: str = "ann") -> AttendeeStory:
    stories = explain(play(steps)[-1].state, tolerance_ns=LIMITS.tolerance_ns)
    return next(story for story in stories if story.person == person)


def whole(*steps: Fact | Sequence[Fact], person: str = "ann") -> InstanceStory:
    return tell(*steps, person=person).instances[0]


def test_each_answer_is_told_with_its_verdict_and_the_one_that_stands_opposite_the_row() -> None:
    story = whole(
        event(1, row("ann")),
        response("ann", "accepted", 10),
        event(20, row("ann"), place=1, sequence=1),
        response("ann", "tentativelyAccepted", 30, place=1, sequence=1),
        response("ann", "declined", 40, place=2, sequence=2),
        response("ann", "declined", 45, place=None, sequence=None),
    )
    told = {(each.answer.at.ns - at(0).ns) // 10**9: (each.verdict, each.is_taken) for each in story.answers}
    assert told == {
        10: (Verdict.OTHER_SLOT, False),
        30: (Verdict.PRESENT_SLOT, False),
        40: (Verdict.VERSION_AHEAD, False),
        45: (Verdict.SLOT_UNKNOWN, True),
    }
    assert story.derived is not None
    assert story.derived.situation is Situation.MESSAGE_ALONE


def test_an_answer_to_an_unknown_slot_from_before_a_move_is_told_as_too_old() -> None:
    story = whole(
        event(1, row("ann")),
        event(20, row("ann"), place=1, sequence=1),
        response("ann", "accepted", 1, place=None, sequence=None),
    )
    assert [each.verdict for each in story.answers] == [Verdict.SLOT_UNKNOWN_TOO_OLD]


def test_an_answer_that_the_calendar_outlived_is_told_so() -> None:
    story = whole(
        event(12, row("ann", "accepted", 11)), event(20, row("ann")), response("ann", "accepted", 10)
    )
    (answer,) = story.answers
    assert (answer.verdict, answer.is_taken, answer.is_recorded_before) == (Verdict.PRESENT_SLOT, False, True)
    assert story.answered_ns == at(11).ns
    assert story.row_times_ns == (at(11).ns,)


def test_a_row_kept_from_before_the_move_is_told_as_such() -> None:
    story = whole(
        response("ann", "declined", 10), event(20, row("ann", "accepted", 0.5), place=1, sequence=1)
    )
    assert [(each.speaks, each.is_stale) for each in story.rows] == [(True, True)]
    assert [each.is_recorded_before for each in story.answers] == [False]


def test_an_answer_without_any_event_waits() -> None:
    story = whole(response("ann", "accepted", 10))
    assert story.absence is Absence.NO_EVENT
    assert [each.verdict for each in story.answers] == [None]
    assert story.told is None


def test_of_whom_the_calendar_does_not_list_it_is_told_what_would_count() -> None:
    story = whole(event(1, row("bob")), response("ann", "accepted", 10))
    assert story.absence is Absence.NOT_LISTED
    assert [(each.verdict, each.is_taken) for each in story.answers] == [(Verdict.PRESENT_SLOT, False)]


def test_an_ending_is_why_nothing_is_derived() -> None:
    cancelled = whole(event(1, row("ann")), event(10, row("ann"), is_cancelled=True))
    deleted = whole(event(1, row("ann")), gone(10))
    assert (cancelled.absence, deleted.absence) == (Absence.CANCELLED, Absence.DELETED)


def test_timers_are_told_while_they_run_and_once_they_ran_out() -> None:
    answer = response("ann", "accepted", 10)
    running = whole(event(1, row("ann")), answer)
    over = whole(event(1, row("ann")), answer, due("ann", ("accepted", 10)))
    assert running.timer is not None
    assert (running.due, over.timer) == ((), None)
    assert over.due == (running.timer,)


def test_a_duplicate_row_and_an_alias_are_told() -> None:
    alias = AliasFact(owner=OWNER, meeting=MEETING, alias=Address("a.nn"), person=Address("ann"))
    story = tell(event(20, row("ann"), row("a.nn", "declined", 10)), alias, response("a.nn", "declined", 10))
    assert ([each.alias for each in story.aliases], story.refuted) == (["a.nn"], ())
    (instance,) = story.instances
    assert [(each.row.address, each.speaks) for each in instance.rows] == [("a.nn", True), ("ann", False)]
    assert [(each.address, each.is_taken) for each in instance.answers] == [("a.nn", True)]
    assert story.name == "A.NN"


def test_an_alias_by_name_that_the_calendar_refutes_is_told_as_refuted() -> None:
    alias = AliasFact(
        owner=OWNER, meeting=MEETING, alias=Address("a.nn"), person=Address("ann"), is_by_name=True
    )
    believed = tell(event(1, row("ann")), alias)
    refuted = tell(event(1, row("ann"), row("a.nn")), alias)
    assert ([each.alias for each in believed.aliases], believed.refuted) == (["a.nn"], ())
    assert (refuted.aliases, [each.alias for each in refuted.refuted]) == ((), ["a.nn"])


def test_each_occurrence_says_by_which_rule_its_answer_is_its_own() -> None:
    series = event(12, row("ann", "accepted", 10), row("bob"), is_series=True)
    story = tell(
        series,
        event(12, row("ann", "accepted", 10), instance="2026-03-03", place=24),
        event(20, row("ann", "declined", 19), instance="2026-03-04", place=48),
        event(20, row("ann"), instance="2026-03-05", place=73),
        [
            event(20, row("ann"), instance="2026-03-06", place=96),
            response("ann", "declined", 30, instance="2026-03-06", place=96),
        ],
    )
    found = {each.instance: each.derived.own_by for each in story.instances if each.derived}
    assert found == {
        "": Own.BY_ITSELF,
        "2026-03-03": Own.INHERITED,
        "2026-03-04": Own.BY_ROW,
        "2026-03-05": Own.BY_MOVE,
        "2026-03-06": Own.BY_MESSAGE,
    }


def test_who_is_in_one_occurrence_only_is_there_by_the_fourth_rule() -> None:
    steps: list[Fact] = [
        event(12, row("ann"), is_series=True),
        event(20, row("ann"), row("eve"), instance=DAY2, place=24),
    ]
    at_whole, there = tell(*steps, person="eve").instances
    assert at_whole.absence is Absence.NOT_LISTED
    assert there.derived is not None
    assert there.derived.own_by is Own.BY_LIST


def test_occurrences_of_which_only_the_series_knows_are_left_out() -> None:
    story = tell(
        event(12, row("ann"), row("bob"), is_series=True),
        event(20, row("bob", "declined", 19), instance=DAY2, place=24),
        event(20, row("ann"), row("bob", "declined", 19), instance=DAY3, place=48),
    )
    assert [each.instance for each in story.instances] == ["", DAY2, DAY3]
    removed, copied = story.instances[1:]
    assert removed.absence is Absence.NOT_LISTED
    assert (removed.is_told_here, copied.is_told_here) == (True, False)
    assert copied.told == story.instances[0].told


def test_what_became_of_the_answers_is_in_the_story() -> None:
    story = whole(event(1, row("ann")), response("ann", "declined", 20), response("ann", "accepted", 10))
    assert [str(entry.fate) for entry in story.journal.entries] == ["superseded", "published"]
    assert story.journal.skipped == 1
