"""What is said against what was told: snapshots, endings, moves, removals, and what consumers then hold."""

from __future__ import annotations

from dataclasses import replace

from service.reconcile.decide import decide
from service.reconcile.emit import Said
from service.reconcile.model import WHOLE, Address, AttendeeType, Fact, InstanceKey
from service.reconcile.state import MeetingState
from service.reconcile.told import ToldAttendee
from tests.unit.reconcile.build import due, event, gone, proposal, response, row, slot
from tests.unit.reconcile.story import LIMITS, NOW, last, play, told, words

DAY2, DAY3 = "2026-03-03", "2026-03-04"
SERIES = event(12, row("ann"), row("bob"), is_series=True)
DECLINED_DAY2 = event(20, row("ann", "declined", 19), row("bob"), instance=DAY2, place=24)


def snapshot(state: MeetingState) -> tuple[tuple[Said, ...], MeetingState]:
    decision = decide(state, [], now=NOW, limits=LIMITS, with_snapshot=True)
    return decision.said, decision.state


def held(state: MeetingState, who: str, instance: str = WHOLE) -> ToldAttendee | None:
    return state.told.instance(InstanceKey(instance)).attendees.get(Address(who))


def test_a_snapshot_says_everyone_of_the_whole_and_the_own_entries_of_occurrences() -> None:
    state = play([SERIES, DECLINED_DAY2])[-1].state
    said, after = snapshot(state)
    assert [words(one) for one in said] == [
        "snapshot ann none (none)",
        "snapshot bob none (none)",
        f"{DAY2} snapshot ann declined (declined)",
    ]
    assert held(after, "bob", DAY2) is None


def test_a_snapshot_of_what_was_never_told_says_the_news_first() -> None:
    (first,) = play([SERIES])
    decision = decide(
        first.state,
        [response("ann", "accepted", 30, is_series=True)],
        now=NOW,
        limits=LIMITS,
        with_snapshot=True,
    )
    assert [words(one) for one in decision.said] == [
        "changed ann accepted (none)",
        "snapshot ann accepted (accepted)",
        "snapshot bob none (none)",
    ]


def test_a_snapshot_holds_standing_and_proposal_as_told() -> None:
    steps: list[Fact] = [
        event(1, row("ann", "declined", 0.5, proposed=proposal(500)), row("bob", "accepted", 0.5)),
        response("ann", "declined", 0.5),
    ]
    _, after = snapshot(play(steps)[-1].state)
    assert held(after, "ann") == ToldAttendee(
        is_present=True,
        value=steps[0].rows[0].value,  # type: ignore[union-attr]
        standing="confirmed",
        proposal=proposal(500).span,
        name="ANN",
    )
    bob = held(after, "bob")
    assert bob is not None
    assert (bob.standing, bob.proposal) == ("", None)


def test_a_baseline_holds_standing_and_proposal_as_told() -> None:
    facts: list[Fact] = [
        event(1, row("ann", "declined", 0.5, proposed=proposal(500)), row("bob", "accepted", 0.5)),
        response("ann", "declined", 0.5),
    ]
    (decision,) = play([facts], is_baseline=True)
    ann, bob = held(decision.state, "ann"), held(decision.state, "bob")
    assert ann is not None
    assert bob is not None
    assert ((ann.standing, ann.proposal), (bob.standing, bob.proposal)) == (
        ("confirmed", proposal(500).span),
        ("", None),
    )


def test_an_ended_meeting_is_held_as_ended_and_nobody_in_it() -> None:
    ended = play([SERIES, DECLINED_DAY2, event(30, row("ann"), is_series=True, is_cancelled=True)])[-1].state
    assert list(ended.told.instances) == [WHOLE]
    assert ended.told.instance(WHOLE).ending == "cancelled"
    assert ended.told.instance(WHOLE).attendees == {}


def test_what_was_told_as_deleted_stays_so_when_it_turns_out_to_be_cancelled() -> None:
    decisions = play([event(1, row("ann")), gone(10), event(20, row("ann"), is_cancelled=True, seen=30)])
    assert told(decisions) == ["added ann none", "deleted"]
    assert decisions[-1].state.told.instance(WHOLE).ending == "deleted"


def test_an_ended_occurrence_leaves_the_others_and_the_series_as_they_are() -> None:
    decisions = play([SERIES, DECLINED_DAY2, gone(30, instance=DAY3)])
    assert last(decisions) == [f"{DAY3} deleted"]
    assert held(decisions[-1].state, "ann", DAY2) is not None
    assert held(decisions[-1].state, "ann") is not None


def test_a_meeting_that_comes_back_where_it_moved_to_meanwhile_is_not_told_as_moved() -> None:
    decisions = play([event(1, row("ann")), gone(10), event(20, row("ann"), place=3, seen=20)])
    assert last(decisions) == ["added ann none"]
    assert decisions[-1].state.told.instance(WHOLE).slot == slot(3)


def test_an_occurrence_that_comes_back_does_not_inherit_what_was_told_of_the_series() -> None:
    back = event(20, row("ann"), row("bob"), instance=DAY2, place=24, seen=40)
    decisions = play([SERIES, gone(30, instance=DAY2), back])
    assert last(decisions) == [f"{DAY2} added ann none", f"{DAY2} added bob none"]
    assert decisions[-1].state.told.instance(InstanceKey(DAY2)).is_detached


def test_a_series_that_comes_back_is_not_detached_from_itself() -> None:
    decisions = play([SERIES, gone(30), replace(SERIES, seen=event(40).seen)])
    assert last(decisions) == ["added ann none", "added bob none"]
    assert not decisions[-1].state.told.instance(WHOLE).is_detached
    assert not decisions[-1].state.told.instance(WHOLE).is_moved


def test_a_move_of_an_occurrence_voids_there_what_the_series_said_of_standing_and_proposal() -> None:
    agreed: list[Fact] = [
        event(12, row("ann", "declined", 10, proposed=proposal(500)), is_series=True),
        response("ann", "declined", 10, is_series=True, proposed=proposal(500)),
    ]
    moved = event(20, row("ann", "declined", 15, proposed=proposal(500)), instance=DAY2, place=25)
    decisions = play([*agreed, moved, response("ann", "declined", 15, place=25, instance=DAY2)])
    assert told(decisions[2:]) == [
        f"{DAY2} rescheduled",
        f"{DAY2} proposed ann declined (declined)",
        f"{DAY2} confirmed ann declined (declined)",
    ]
    assert decisions[-1].state.told.instance(InstanceKey(DAY2)).is_moved
    assert not decisions[-1].state.told.instance(WHOLE).is_moved


def test_a_move_of_the_series_voids_standings_and_proposals_and_what_its_occurrences_had() -> None:
    steps: list[Fact] = [
        event(12, row("ann", "declined", 10), is_series=True),
        response("ann", "declined", 10, is_series=True),
        event(20, row("ann", "accepted", 19), instance=DAY2, place=24),
        event(30, row("ann", "declined", 10), is_series=True, place=2, seen=31),
    ]
    decisions = play(steps)
    assert last(decisions) == ["rescheduled"]
    assert list(decisions[-1].state.told.instances) == [WHOLE]
    ann = held(decisions[-1].state, "ann")
    assert ann is not None
    assert ann.standing == ""


def test_where_the_slot_is_unknown_no_move_is_told() -> None:
    nowhere = event(20, row("ann", "accepted", 19))
    nowhere = replace(nowhere, slot=replace(nowhere.slot, start=None, end=None, is_all_day=None))
    assert told(play([event(1, row("ann")), nowhere])) == ["added ann none", "changed ann accepted (none)"]


def test_an_occurrence_of_a_series_that_is_nowhere_any_more_is_not_told_as_moved() -> None:
    def series_at(second: float, **known: object) -> Fact:
        read = event(second, row("ann"), is_series=True)
        return replace(read, slot=replace(read.slot, **known))  # type: ignore[arg-type]

    decisions = play(
        [
            event(0.5, row("ann", "declined", 0.4), instance=DAY2, place=24),
            series_at(1, end=None, recurrence=None),
            series_at(10),
            series_at(20, start=None, end=None, recurrence="weekly"),
        ]
    )
    assert last(decisions) == [f"{DAY2} reset ann none (declined)"]


def test_every_update_tells_where_the_meeting_is_and_without_one_nobody_knows() -> None:
    empty, first = play([event(1), event(5, row("ann"), place=1)])
    assert empty.state.told.instance(WHOLE).slot is None
    assert first.state.told.instance(WHOLE).slot == slot(1)


def test_whom_the_series_never_told_of_is_not_told_as_removed_from_an_occurrence() -> None:
    decisions = play([SERIES, event(20, row("ann"), instance=DAY2, place=24, seen=20)])
    assert last(decisions) == [f"{DAY2} removed bob (none)"]
    again = play([event(21, row("ann"), instance=DAY2, place=24)], state=decisions[-1].state)
    assert told(again) == []
    bob = held(again[-1].state, "bob", DAY2)
    assert bob is not None
    assert (bob.is_present, bob.standing, bob.proposal) == (False, "", None)


def test_who_is_not_there_any_more_when_an_occurrence_comes_back_was_dropped_with_it() -> None:
    back = event(20, row("ann"), instance=DAY2, place=24, seen=40)
    assert last(play([SERIES, gone(30, instance=DAY2), back])) == [f"{DAY2} added ann none"]


def test_a_removal_names_who_left_as_they_were_last_published() -> None:
    optional = replace(row("ann", "accepted", 0.5), type=AttendeeType.OPTIONAL, name="Ann")
    renamed_in_silence = replace(optional, value=row("ann").value)
    decisions = play([event(1, row("ann")), event(5, renamed_in_silence), event(9, row("bob"))])
    removed = decisions[-1].said[0]
    assert (removed.attendee, removed.name, removed.attendee_type) == ("ann", "ANN", "required")
    renamed = play([event(1, optional), event(9, row("bob"))])[-1].said[0]
    assert (renamed.name, renamed.attendee_type, renamed.previous) == ("Ann", "optional", "accepted")


def test_a_removed_attendee_who_is_invited_again_holds_nothing_of_before() -> None:
    steps: list[Fact] = [
        event(1, row("ann", "declined", 0.5, proposed=proposal(500))),
        event(5),
        event(9, row("ann", "declined", 0.5, proposed=proposal(500))),
    ]
    decisions = play(steps)
    assert last(decisions) == [
        "added ann none",
        "changed ann declined (none)",
        "proposed ann declined (declined)",
    ]
    assert decisions[-1].said[0].previous is None


def test_conflicting_is_said_again_only_after_the_value_was() -> None:
    row_a, pair = row("ann", "accepted", 0.5), ("accepted", 0.5)
    decisions = play(
        [
            event(1, row_a),
            response("ann", "declined", 10),
            due("ann", ("declined", 10), pair),
            event(20, row_a),
            response("ann", "declined", 30),
            due("ann", ("declined", 30), pair),
            event(40, row("ann", "declined", 30)),
            response("ann", "accepted", 50),
            due("ann", ("accepted", 50), ("declined", 30)),
        ]
    )
    assert told(decisions)[2:] == [
        "changed ann declined (accepted)",
        "conflicting ann declined (declined)",
        "confirmed ann declined (declined)",
        "changed ann accepted (declined)",
        "conflicting ann accepted (accepted)",
    ]
