"""The reference against the words of the design, section 3: what is said, in which order."""

from __future__ import annotations

from service.reconcile.model import (
    Fact,
)
from tests.reference.builders import (
    ACCEPTED,
    DECLINED,
    SERIES_X,
    SERIES_Y,
    TENTATIVE,
    Y,
    answer,
    due,
    event,
    gone,
    proposal,
    row,
)
from tests.reference.emission import Emitter
from tests.reference.stories import (
    I1,
    I2,
    MOVED_2,
    MOVED_SERIES,
    NEW_PLACE_2,
    PLACE_1,
    PLACE_2,
    SERIES,
    derived,
    exception,
    said,
)

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
