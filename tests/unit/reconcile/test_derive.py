"""A series and its occurrences: what counts since the series moved, who is there, and where from."""

from __future__ import annotations

from dataclasses import replace

from service.reconcile.attendee import Own
from service.reconcile.derive import DerivedInstance, DerivedMeeting
from service.reconcile.model import WHOLE, Address, EventFact, Fact, InstanceKey
from tests.unit.reconcile.build import event, gone, response, row, slot
from tests.unit.reconcile.story import play

DAY2 = InstanceKey("2026-03-03")
DAY3 = InstanceKey("2026-03-04")


def derive_all(*steps: Fact) -> DerivedMeeting:
    return play(steps)[-1].derived


def at_day2(*steps: Fact) -> DerivedInstance:
    return derive_all(*steps).instances[DAY2]


def whose(instance: DerivedInstance) -> dict[str, str]:
    """Give for each attendee the value and by which rule it is the occurrence's own."""
    return {str(who): f"{each.value} {each.own_by}" for who, each in instance.attendees.items()}


def series(modified: float, *rows: object, **more: object) -> EventFact:
    return event(modified, *rows, is_series=True, **more)  # type: ignore[arg-type]


def day2(modified: float, *rows: object, place: int = 24, **more: object) -> EventFact:
    return event(modified, *rows, instance=DAY2, place=place, **more)  # type: ignore[arg-type]


def test_an_answer_to_an_occurrence_of_which_no_event_was_read_derives_nothing() -> None:
    assert derive_all(response("ann", "declined", 5, instance=DAY2, place=24)).instances == {}


def test_a_meeting_that_is_no_series_any_more_has_no_occurrences() -> None:
    derived = derive_all(day2(5, row("ann", "declined", 4)), event(20, row("ann")))
    assert list(derived.instances) == [WHOLE]


def test_an_occurrence_read_before_its_series_counts_as_long_as_the_series_never_moved() -> None:
    answer = response("ann", "declined", 0.5, instance=DAY2, place=24)
    assert whose(at_day2(day2(4, row("ann", "accepted", 3), seen=5), series(8, row("ann"), seen=10))) == {
        "ann": f"accepted {Own.BY_ROW}"
    }
    assert whose(at_day2(day2(4, row("ann"), seen=5), series(8, row("ann"), seen=10), answer)) == {
        "ann": f"declined {Own.BY_MESSAGE}"
    }


def test_an_occurrence_seen_before_its_series_moved_does_not_count() -> None:
    moved = [series(1, row("ann")), series(20, row("ann"), place=1, seen=25)]
    answered = row("ann", "declined", 19)
    assert whose(at_day2(*moved, day2(19, answered, place=25, seen=24))) == {"ann": f"none {Own.INHERITED}"}
    assert whose(at_day2(*moved, day2(19, answered, place=25, seen=25))) == {"ann": f"declined {Own.BY_ROW}"}


def test_a_look_from_before_the_move_does_not_end_an_occurrence() -> None:
    moved = [series(1, row("ann")), series(20, row("ann"), place=1, seen=25)]
    assert at_day2(*moved, gone(24, instance=DAY2)).ending == ""
    assert at_day2(*moved, gone(25, instance=DAY2)).ending == "deleted"


def test_an_answer_from_before_the_move_does_not_count_for_an_occurrence() -> None:
    moved = [
        series(1, row("ann")),
        series(20, row("ann"), place=1, seen=25),
        day2(20, row("ann"), place=25, seen=26),
    ]
    early = response("ann", "declined", 19.9, instance=DAY2, place=25)
    timely = response("ann", "declined", 20, instance=DAY2, place=25)
    assert whose(at_day2(*moved, early)) == {"ann": f"none {Own.INHERITED}"}
    assert whose(at_day2(*moved, timely)) == {"ann": f"declined {Own.BY_MESSAGE}"}


def test_the_move_counts_from_the_first_event_that_shows_the_present_slot_or_a_part_of_it() -> None:
    partly = series(20, row("ann"), place=1, seen=21)
    partly = replace(partly, slot=replace(partly.slot, end=None))
    moved = [series(1, row("ann")), partly, series(40, row("ann"), place=1, seen=41)]
    exception = day2(25, row("ann", "declined", 24), place=25, seen=30)
    assert whose(at_day2(*moved, exception)) == {"ann": f"declined {Own.BY_ROW}"}
    unanswered = day2(25, row("ann"), place=25, seen=30)
    answer = response("ann", "accepted", 28, instance=DAY2, place=25)
    assert whose(at_day2(*moved, unanswered, answer)) == {"ann": f"accepted {Own.BY_MESSAGE}"}


def test_an_ended_occurrence_is_told_by_its_own_event_or_by_the_series_where_it_has_none() -> None:
    cancelled = at_day2(series(1, row("ann")), day2(5, row("ann"), is_cancelled=True))
    missing = at_day2(series(1, row("ann")), gone(5, instance=DAY2))
    assert (cancelled.ending, cancelled.head.details.id) == ("cancelled", f"id-{DAY2}")
    assert (missing.ending, missing.head.details.id) == ("deleted", "id-")
    assert (cancelled.attendees, missing.attendees) == ({}, {})


def test_where_the_place_of_an_occurrence_is_not_known_it_did_not_move() -> None:
    nowhere = series(1, row("ann"))
    nowhere = replace(nowhere, slot=replace(nowhere.slot, start=None, end=None))
    assert whose(at_day2(nowhere, day2(5, row("ann"), place=30))) == {"ann": f"none {Own.INHERITED}"}


def test_whom_neither_lists_is_nowhere() -> None:
    answer = response("eve", "accepted", 10, instance=DAY2, place=24)
    assert whose(at_day2(series(1, row("ann")), day2(5, row("ann")), answer)) == {
        "ann": f"none {Own.INHERITED}"
    }


def test_who_joined_the_series_after_an_occurrence_was_seen_is_there_by_the_series() -> None:
    occurrence = day2(4, row("bob"), seen=5)
    late = [series(1, row("bob")), occurrence, series(6, row("ann", "accepted", 6), row("bob"), seen=6)]
    assert whose(at_day2(*late)) == {"ann": f"accepted {Own.INHERITED}", "bob": f"none {Own.INHERITED}"}
    same = [series(1, row("bob")), occurrence, series(4, row("ann"), row("bob"), seen=5)]
    assert whose(at_day2(*same)) == {"bob": f"none {Own.INHERITED}"}


def test_a_row_is_the_series_when_its_time_is_one_of_the_series_within_the_tolerance() -> None:
    taken = series(10, row("ann", "accepted", 10))
    again = series(30, row("ann", "accepted", 30))
    for second, own in (
        (8, "accepted inherited"),
        (12, "accepted inherited"),
        (12.1, "declined ii"),
        (7.9, "declined ii"),
    ):
        assert whose(at_day2(taken, again, day2(40, row("ann", "declined", second)))) == {"ann": own}
    assert whose(at_day2(taken, again, day2(40, row("ann", "declined", 30)))) == {"ann": "accepted inherited"}


def test_a_moved_occurrence_has_its_own_answers_even_where_nobody_answered() -> None:
    moved = day2(20, row("ann"), place=25)
    assert whose(at_day2(series(12, row("ann", "accepted", 10)), moved)) == {"ann": f"none {Own.BY_MOVE}"}
    assert at_day2(series(12, row("ann")), moved).slot == slot(25)
    assert at_day2(series(12, row("ann")), moved).place == slot(24, recurrence=None)


def test_an_inherited_answer_runs_no_timer_at_the_occurrence() -> None:
    derived = derive_all(
        series(1, row("ann")), response("ann", "accepted", 10, is_series=True), day2(5, row("ann"))
    )
    assert derived.instances[WHOLE].attendees[Address("ann")].open_pair is not None
    assert derived.instances[DAY2].attendees[Address("ann")].open_pair is None


def test_an_occurrence_without_an_event_of_its_own_lies_where_the_series_puts_it() -> None:
    instance = at_day2(series(1, row("ann")), response("ann", "declined", 5, instance=DAY2, place=24))
    assert (instance.slot, instance.head.details.id) == (slot(24, recurrence=None), "id-")
    assert whose(instance) == {"ann": f"none {Own.INHERITED}"}


def test_a_whole_that_ended_has_nobody_and_no_occurrences() -> None:
    cancelled = derive_all(
        series(1, row("ann")), day2(5, row("ann", "declined", 4)), series(9, row("ann"), is_cancelled=True)
    )
    gone_too = derive_all(series(1, row("ann")), day2(5, row("ann", "declined", 4)), gone(9))
    for derived, ending in ((cancelled, "cancelled"), (gone_too, "deleted")):
        assert list(derived.instances) == [WHOLE]
        assert (derived.instances[WHOLE].ending, derived.instances[WHOLE].attendees) == (ending, {})


def test_a_series_that_is_gone_before_it_was_read_ends_with_the_occurrences_that_were() -> None:
    assert derive_all(gone(9)).instances == {}
    derived = derive_all(day2(5, row("ann", "declined", 4)), gone(9))
    assert list(derived.instances) == [WHOLE]
    assert (derived.instances[WHOLE].ending, derived.instances[WHOLE].head.details.id) == (
        "deleted",
        f"id-{DAY2}",
    )


def test_an_occurrence_of_which_nothing_was_ever_read_does_not_end() -> None:
    derived = derive_all(day2(5, row("ann", "declined", 4)), gone(9, instance=DAY3))
    assert list(derived.instances) == [DAY2]


def test_a_cancelled_meeting_that_is_then_deleted_stays_cancelled() -> None:
    assert derive_all(event(1, row("ann"), is_cancelled=True), gone(9)).instances[WHOLE].ending == "cancelled"
