"""Which answers count: each verdict with its boundaries, and what unknown slots are measured by."""

from __future__ import annotations

import pytest

from service.reconcile.counting import Verdict, Yardstick
from service.reconcile.model import WHOLE, Address, Fact, InstanceKey, Slot
from tests.unit.reconcile.build import UNKNOWN_SLOT, at, event, response, row, slot
from tests.unit.reconcile.story import play

DAY2 = "2026-03-03"
YARDSTICK = Yardstick(slot=slot(0), sequence=2, given_since_ns=100, unknown_since_ns=150)

JUDGED = [
    # slot, sequence, instant, verdict
    (slot(0), 0, 100, Verdict.PRESENT_SLOT),
    (slot(0), None, 1000, Verdict.PRESENT_SLOT),
    (slot(0, recurrence=None), 0, 100, Verdict.PRESENT_SLOT),
    (slot(0), 3, 99, Verdict.BEFORE_SERIES_MOVED),
    (slot(1), 3, 100, Verdict.VERSION_AHEAD),
    (slot(1), 2, 1000, Verdict.OTHER_SLOT),
    (slot(1), None, 1000, Verdict.OTHER_SLOT),
    (UNKNOWN_SLOT, 3, 100, Verdict.VERSION_AHEAD),
    (UNKNOWN_SLOT, 2, 150, Verdict.SLOT_UNKNOWN_TOO_OLD),
    (UNKNOWN_SLOT, None, 151, Verdict.SLOT_UNKNOWN),
    (UNKNOWN_SLOT, None, 99, Verdict.BEFORE_SERIES_MOVED),
]


@pytest.mark.parametrize(("answered", "sequence", "at_ns", "verdict"), JUDGED)
def test_an_answer_is_judged_by_slot_version_and_instant(
    answered: Slot, sequence: int | None, at_ns: int, verdict: Verdict
) -> None:
    assert YARDSTICK.judge(answered, sequence, at_ns) is verdict


def test_without_a_known_version_no_answer_is_to_a_later_one() -> None:
    unknown = Yardstick(slot=slot(0), sequence=None, given_since_ns=None, unknown_since_ns=-1)
    assert unknown.judge(slot(1), 9, 0) is Verdict.OTHER_SLOT
    assert unknown.judge(UNKNOWN_SLOT, 9, 0) is Verdict.SLOT_UNKNOWN


def test_three_verdicts_count() -> None:
    assert [verdict for verdict in Verdict if verdict.counts] == [
        Verdict.PRESENT_SLOT,
        Verdict.VERSION_AHEAD,
        Verdict.SLOT_UNKNOWN,
    ]


def since(*steps: Fact, instance: str = WHOLE) -> int | None:
    """Give the second after which an answer to an unknown slot counts; None where any does."""
    derived = play(steps)[-1].derived.instances[InstanceKey(instance)]
    yardstick = derived.attendees[Address("ann")].yardstick
    assert yardstick is not None
    return None if yardstick.unknown_since_ns < 0 else (yardstick.unknown_since_ns - at(0).ns) // 10**9


def test_an_answer_to_an_unknown_slot_must_be_later_than_the_last_event_with_another_slot() -> None:
    present = event(50, row("ann"), place=1, sequence=1)
    assert since(present) is None
    assert since(event(1, row("ann")), present) == 1
    assert since(event(1, row("ann")), event(30, row("ann")), present) == 30
    assert since(event(40, row("ann"), place=1), event(60, row("ann"), place=1)) is None


def test_an_answer_to_an_unknown_slot_must_be_later_than_all_that_do_not_count() -> None:
    steps: list[Fact] = [event(1, row("ann")), event(20, row("ann"), place=1, sequence=1)]
    assert since(*steps, response("ann", "accepted", 40)) == 40
    assert since(*steps, response("ann", "accepted", 40), response("ann", "declined", 30, place=2)) == 40
    assert since(*steps, response("ann", "accepted", 40, place=1)) == 1
    assert since(*steps, response("ann", "accepted", 40, place=2, sequence=2)) == 1
    assert since(*steps, response("ann", "accepted", 40, place=None)) == 1


def test_answers_to_an_occurrence_count_from_the_second_in_which_its_series_moved() -> None:
    steps: list[Fact] = [
        event(1, row("ann"), is_series=True),
        event(20, row("ann"), is_series=True, place=1, sequence=1),
        event(30, row("ann"), is_series=True, place=1, sequence=2),
        event(20, row("ann"), instance=DAY2, place=25, seen=31),
    ]
    yardstick = play(steps)[-1].derived.instances[InstanceKey(DAY2)].attendees[Address("ann")].yardstick
    assert yardstick is not None
    assert yardstick.given_since_ns == at(20).ns
