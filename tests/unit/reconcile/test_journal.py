"""What became of the answers that were read: each history with the fate of every answer in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from service.reconcile.decide import Decision, DecisionLimits, decide
from service.reconcile.instant import NS_PER_S
from service.reconcile.model import WHOLE, Address, AliasFact, Fact, InstanceKey
from service.reconcile.state import MeetingState
from tests.unit.reconcile.build import MEETING, OWNER, at, due, event, gone, response, row
from tests.unit.reconcile.story import LIMITS, NOW, play

Step = Fact | list[Fact]
DAY2 = "2026-03-03"
SERIES = event(1, row("ann"), is_series=True)


def fates(decisions: Sequence[Decision], instance: str = WHOLE, person: str = "ann") -> list[str]:
    """Give the journal in words: `accepted 10 mc published`; m and c tell which witnesses spoke."""
    journal = decisions[-1].state.journals.get((InstanceKey(instance), Address(person)))
    words = []
    for entry in journal.entries if journal else ():
        second = (entry.at_ns - at(0).ns) / NS_PER_S
        witnesses = "m" * entry.by_message + "c" * entry.by_calendar
        words.append(f"{entry.value} {second:g} {witnesses} {entry.fate}")
    return words


def skipped(decisions: Sequence[Decision]) -> list[str]:
    return [str(fate) for decision in decisions for fate in decision.skipped]


STORIES: dict[str, tuple[list[Step], list[str], list[str]]] = {
    "an answer that two witnesses tell of is one answer": (
        [event(1, row("ann")), response("ann", "accepted", 10), event(12, row("ann", "accepted", 11))],
        ["accepted 10 mc published"],
        [],
    ),
    "what two witnesses tell of is what the message says, whichever was read first": (
        [event(12, row("ann", "accepted", 11)), response("ann", "accepted", 10)],
        ["accepted 10 mc published"],
        [],
    ),
    "each change of mind that is told is published": (
        [event(1, row("ann")), response("ann", "accepted", 10), response("ann", "declined", 20)],
        ["accepted 10 m published", "declined 20 m published"],
        [],
    ),
    "an answer is skipped when a later one was read before it": (
        [event(1, row("ann")), response("ann", "declined", 20), response("ann", "accepted", 10)],
        ["accepted 10 m superseded", "declined 20 m published"],
        ["superseded"],
    ),
    "an answer is skipped when a later one was read in the same step": (
        [
            event(1, row("ann")),
            [
                response("ann", "accepted", 10),
                response("ann", "declined", 20),
                response("ann", "accepted", 30),
            ],
        ],
        ["accepted 10 m superseded", "declined 20 m superseded", "accepted 30 m published"],
        ["superseded", "superseded"],
    ),
    "the calendar's later answer makes the message's a skipped one": (
        [event(30, row("ann", "declined", 20)), response("ann", "accepted", 10)],
        ["accepted 10 m superseded", "declined 20 c published"],
        ["superseded"],
    ),
    "the calendar reset it before the message was read": (
        [
            event(12, row("ann", "accepted", 11)),
            event(20, row("ann")),
            response("ann", "tentativelyAccepted", 5),
        ],
        ["tentativelyAccepted 5 m superseded", "accepted 11 c published"],
        ["superseded"],
    ),
    "of two answers in the same moment the one that is not told is skipped": (
        [event(30, row("ann", "accepted", 10)), response("ann", "declined", 12)],
        ["accepted 10 c published", "declined 12 m same_moment"],
        ["same_moment"],
    ),
    "just beyond the tolerance is another moment": (
        [event(30, row("ann", "accepted", 12.1)), response("ann", "declined", 10)],
        ["declined 10 m superseded", "accepted 12.1 c published"],
        ["superseded"],
    ),
    "one of the same moment that is told after all is published": (
        [
            event(30, row("ann", "accepted", 10)),
            response("ann", "declined", 12),
            event(40, row("ann", "declined", 12)),
        ],
        ["accepted 10 c published", "declined 12 mc published"],
        ["same_moment"],
    ),
    "the same answer once more is a repetition": (
        [event(1, row("ann")), response("ann", "accepted", 10), response("ann", "accepted", 20)],
        ["accepted 10 m published", "accepted 20 m repeated"],
        [],
    ),
    "the same answer twice, read in one step": (
        [event(1, row("ann")), [response("ann", "accepted", 10), response("ann", "accepted", 20)]],
        ["accepted 10 m repeated", "accepted 20 m published"],
        [],
    ),
    "the same answer twice in one step, with one to another time between them": (
        [
            event(1, row("ann")),
            [
                response("ann", "accepted", 10),
                response("ann", "declined", 15, place=3),
                response("ann", "accepted", 20),
            ],
        ],
        ["accepted 10 m repeated", "declined 15 m other_slot", "accepted 20 m published"],
        [],
    ),
    "what is confirmed is not published once more": (
        [event(1, row("ann")), response("ann", "accepted", 10), event(30, row("ann", "accepted", 30))],
        ["accepted 10 m published", "accepted 30 c repeated"],
        [],
    ),
    "exactly the tolerance apart is one answer": (
        [event(1, row("ann")), response("ann", "accepted", 10), event(12, row("ann", "accepted", 12))],
        ["accepted 10 mc published"],
        [],
    ),
    "of two messages that tell of one answer the first read says when": (
        [event(1, row("ann")), response("ann", "accepted", 10), response("ann", "accepted", 11)],
        ["accepted 10 m published"],
        [],
    ),
    "of two rows that tell of one answer the first read says when": (
        [event(12, row("ann", "accepted", 10)), event(13, row("ann", "accepted", 11))],
        ["accepted 10 c published"],
        [],
    ),
    "an answer that revives is published, whatever was answered to the time in between": (
        [
            event(1, row("ann")),
            event(20, row("ann"), place=1, sequence=1),
            response("ann", "accepted", 10),
            response("ann", "accepted", 30, place=1, sequence=1),
            event(35, row("ann"), place=2, sequence=3),
            event(40, row("ann"), sequence=4),
        ],
        ["accepted 10 m published", "accepted 30 m published"],
        [],
    ),
    "exactly the tolerance apart, read in one step": (
        [[event(12, row("ann", "accepted", 12)), response("ann", "accepted", 10)]],
        ["accepted 10 mc published"],
        [],
    ),
    "the calendar's answer is skipped when a later message is read with it": (
        [[event(10, row("ann", "accepted", 8)), response("ann", "declined", 20)]],
        ["accepted 8 c superseded", "declined 20 m published"],
        ["superseded"],
    ),
    "beside a row kept from before the move, another one is to another time": (
        [
            response("ann", "declined", 10),
            event(20, row("ann", "accepted", 4), place=1, sequence=1),
            event(1, row("ann", "tentativelyAccepted", 0.5)),
        ],
        [
            "tentativelyAccepted 0.5 c other_slot",
            "accepted 4 c kept_from_before",
            "declined 10 m other_slot",
        ],
        [],
    ),
    "neither another value of the same moment nor the same value of another is the row kept from before": (
        [
            response("ann", "declined", 10),
            event(20, row("ann", "accepted", 4), place=1, sequence=1),
            event(2, row("ann", "tentativelyAccepted", 4)),
            event(1, row("ann", "accepted", 0.5)),
        ],
        [
            "accepted 0.5 c other_slot",
            "accepted 4 c kept_from_before",
            "tentativelyAccepted 4 c other_slot",
            "declined 10 m other_slot",
        ],
        [],
    ),
    "a row kept from before is known within the tolerance": (
        [
            response("ann", "declined", 10),
            event(19, row("ann", "accepted", 2), place=1, sequence=1),
            event(20, row("ann", "accepted", 4), place=1, sequence=1),
        ],
        ["accepted 2 c kept_from_before", "declined 10 m other_slot"],
        [],
    ),
    "an answer waits for its event": (
        [response("ann", "accepted", 10)],
        ["accepted 10 m waiting"],
        [],
    ),
    "what waited for its event is judged with it": (
        [response("ann", "accepted", 10), response("ann", "declined", 20), event(1, row("ann"))],
        ["accepted 10 m superseded", "declined 20 m published"],
        ["superseded"],
    ),
    "an answer of nobody invited": (
        [event(1, row("bob")), response("ann", "accepted", 10)],
        ["accepted 10 m not_invited"],
        [],
    ),
    "who is invited later is told then": (
        [event(1, row("bob")), response("ann", "accepted", 10), event(20, row("ann"), row("bob"))],
        ["accepted 10 m published"],
        [],
    ),
    "an answer to another slot does not count": (
        [event(1, row("ann")), event(20, row("ann"), place=1, sequence=1), response("ann", "accepted", 30)],
        ["accepted 30 m other_slot"],
        [],
    ),
    "an answer to a slot that is not known, older than another slot": (
        [
            event(1, row("ann")),
            event(20, row("ann"), place=1, sequence=1),
            response("ann", "accepted", 1, place=None, sequence=None),
        ],
        ["accepted 1 m other_slot"],
        [],
    ),
    "an answer to a slot that comes back is told then": (
        [
            event(1, row("ann")),
            event(20, row("ann"), place=1, sequence=1),
            response("ann", "accepted", 15),
            event(30, row("ann"), sequence=2),
        ],
        ["accepted 15 m published"],
        [],
    ),
    "a row that Exchange kept from before the move": (
        [
            response("ann", "declined", 10),
            event(20, row("ann", "accepted", 0.5), place=1, sequence=1),
        ],
        ["accepted 0.5 c kept_from_before", "declined 10 m other_slot"],
        [],
    ),
    "an answer to a meeting that has ended": (
        [event(10, row("ann"), is_cancelled=True), response("ann", "accepted", 20)],
        ["accepted 20 m ended"],
        [],
    ),
    "an answer whose meeting comes back is told then": (
        [
            event(1, row("ann")),
            gone(10),
            response("ann", "accepted", 20),
            event(1, row("ann"), seen=30),
        ],
        ["accepted 20 m published"],
        [],
    ),
    "a timer changes the fate of nothing": (
        [event(1, row("ann")), response("ann", "accepted", 10), due("ann", ("accepted", 10))],
        ["accepted 10 m published"],
        [],
    ),
    "a row without a time is an answer too": (
        [event(20, replace(row("ann", "accepted"), at=None))],
        [f"accepted {-at(0).ns / NS_PER_S:g} c published"],
        [],
    ),
    "an answer of another address of the same person is in the person's journal": (
        [
            event(1, row("ann")),
            response("a.nn", "accepted", 10),
            AliasFact(owner=OWNER, meeting=MEETING, alias=Address("a.nn"), person=Address("ann")),
        ],
        ["accepted 10 m published"],
        [],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_what_became_of_each_answer(name: str) -> None:
    steps, expected, skips = STORIES[name]
    decisions = play(steps)
    assert fates(decisions) == expected
    assert skipped(decisions) == skips
    journal = decisions[-1].state.journals[WHOLE, Address("ann")]
    assert journal.skipped == sum(word.endswith(("superseded", "same_moment")) for word in expected)


def test_an_occurrence_keeps_its_own_answers_and_not_those_of_its_series() -> None:
    decisions = play(
        [
            event(12, row("ann", "accepted", 10), is_series=True),
            event(12, row("ann", "accepted", 10), instance=DAY2, place=24),
            response("ann", "declined", 20, instance=DAY2, place=24),
        ]
    )
    assert fates(decisions) == ["accepted 10 c published"]
    assert fates(decisions, DAY2) == ["declined 20 m published"]


def test_an_answer_to_an_occurrence_that_says_what_the_series_says_is_a_repetition() -> None:
    decisions = play(
        [
            event(12, row("ann", "accepted", 10), is_series=True),
            response("ann", "accepted", 11, instance=DAY2, place=24),
        ]
    )
    assert fates(decisions, DAY2) == ["accepted 11 m repeated"]


def test_an_answer_to_an_occurrence_waits_until_the_occurrence_is_read() -> None:
    steps: list[Fact] = [SERIES, response("ann", "declined", 20, instance=DAY2, place=24)]
    assert fates(play(steps), DAY2) == ["declined 20 m waiting"]
    steps.append(event(1, row("ann"), instance=DAY2, place=24))
    assert fates(play(steps), DAY2) == ["declined 20 m published"]


def test_an_answer_to_an_occurrence_from_before_its_series_moved_does_not_count() -> None:
    decisions = play(
        [
            SERIES,
            event(20, row("ann"), is_series=True, place=1, sequence=1),
            event(20, row("ann"), instance=DAY2, place=25),
            response("ann", "declined", 10, instance=DAY2, place=25),
        ]
    )
    assert fates(decisions, DAY2) == ["declined 10 m before_series_moved"]


def test_reading_again_changes_no_journal() -> None:
    steps: list[Fact] = [
        event(1, row("ann")),
        response("ann", "declined", 20),
        response("ann", "accepted", 10),
        event(30, row("ann", "declined", 20)),
    ]
    once = play(steps)
    again = play(steps, state=once[-1].state)
    assert again[-1].state.journals == once[-1].state.journals
    assert skipped(again) == []


def decide_all(facts: Sequence[Fact], limits: DecisionLimits) -> MeetingState:
    state = MeetingState()
    for fact in facts:
        state = decide(state, [fact], now=NOW, limits=limits).state
    return state


def test_a_journal_is_bounded_and_remembers_how_many_it_skipped() -> None:
    limits = replace(LIMITS, journal_max=2)
    facts: list[Fact] = [
        event(1, row("ann")),
        response("ann", "declined", 50),
        response("ann", "accepted", 10),
        response("ann", "accepted", 20),
        response("ann", "tentativelyAccepted", 30),
    ]
    journal = decide_all(facts, limits).journals[WHOLE, Address("ann")]
    assert [entry.value for entry in journal.entries] == ["tentativelyAccepted", "declined"]
    assert journal.skipped == 3
    assert journal.forgotten_ns == at(20).ns


def test_what_was_left_out_of_a_journal_is_not_counted_again() -> None:
    limits = replace(LIMITS, journal_max=1)
    facts: list[Fact] = [
        event(1, row("ann")),
        response("ann", "declined", 50),
        response("ann", "accepted", 10),
    ]
    once = decide_all(facts, limits)
    again = decide(once, facts, now=NOW, limits=limits)
    assert again.skipped == ()
    assert again.state.journals == once.journals


def test_a_journal_of_two_addresses_has_the_answers_of_both() -> None:
    steps: list[Fact] = [
        event(1, row("ann"), row("a.nn")),
        response("ann", "accepted", 20),
        response("a.nn", "declined", 30),
        AliasFact(owner=OWNER, meeting=MEETING, alias=Address("a.nn"), person=Address("ann")),
    ]
    assert fates(play(steps)) == ["accepted 20 m published", "declined 30 m published"]


def test_journals_of_two_addresses_become_one_when_they_are_found_to_be_one_person() -> None:
    limits = replace(LIMITS, journal_max=1)
    facts: list[Fact] = [
        event(1, row("ann"), row("a.nn")),
        response("ann", "accepted", 20),
        response("ann", "declined", 30),
        response("a.nn", "declined", 50),
        response("a.nn", "accepted", 40),
        AliasFact(owner=OWNER, meeting=MEETING, alias=Address("a.nn"), person=Address("ann")),
    ]
    journals = decide_all(facts, limits).journals
    assert list(journals) == [(WHOLE, Address("ann"))]
    journal = journals[WHOLE, Address("ann")]
    assert [entry.at_ns for entry in journal.entries] == [at(50).ns]
    assert (journal.skipped, journal.forgotten_ns) == (1, at(40).ns)
