"""Each row of the decision table, before and after the grace period."""

from __future__ import annotations

import pytest

from service.reconcile.model import WHOLE, Address, Fact
from service.reconcile.rules import TABLE, Situation
from tests.unit.reconcile.build import at, due, event, response, row
from tests.unit.reconcile.story import play

CASES = [
    # message, calendar, is due, value, second, standing, overdue
    (None, None, False, "none", None, "none", False),
    (None, ("accepted", 100), False, "accepted", 100, "recorded", False),
    (("accepted", 100), None, False, "accepted", 100, "reported", False),
    (("accepted", 100), None, True, "accepted", 100, "reported", True),
    (("accepted", 100), ("accepted", 100.8), False, "accepted", 100.8, "confirmed", False),
    (("accepted", 100), ("accepted", 90), False, "accepted", 100, "confirmed", False),
    (("accepted", 100), ("accepted", 110), False, "accepted", 110, "confirmed", False),
    (("declined", 100), ("accepted", 90), False, "declined", 100, "reported", False),
    (("declined", 100), ("accepted", 90), True, "declined", 100, "conflicting", False),
    (("declined", 100), ("accepted", 98), False, "accepted", 98, "recorded", False),
    (("declined", 100), ("accepted", 98), True, "accepted", 98, "conflicting", False),
    (("declined", 100), ("accepted", 102), True, "accepted", 102, "conflicting", False),
    (("declined", 100), ("accepted", 102.1), False, "accepted", 102.1, "recorded", False),
    (("declined", 100), ("accepted", 103), True, "accepted", 103, "recorded", False),
]


@pytest.mark.parametrize(("message", "calendar", "is_due", "value", "second", "standing", "overdue"), CASES)
def test_two_witnesses_give_what_the_table_says(  # noqa: PLR0917 - a row of the table
    message: tuple[str, float] | None,
    calendar: tuple[str, float] | None,
    is_due: bool,
    value: str,
    second: float | None,
    standing: str,
    overdue: bool,
) -> None:
    listed = row("ann") if calendar is None else row("ann", *calendar)
    steps: list[Fact] = [event(200, listed)]
    if message:
        steps.append(response("ann", *message))
    if is_due and message:
        steps.append(due("ann", message, calendar))
    attendee = play(steps)[-1].derived.instances[WHOLE].attendees[Address("ann")]
    assert (attendee.value, attendee.at and attendee.at.ns, attendee.standing, attendee.is_overdue) == (
        value,
        None if second is None else at(second).ns,
        standing,
        overdue,
    )


def test_every_situation_has_exactly_one_rule() -> None:
    assert set(TABLE) == set(Situation)


def test_a_timer_is_wanted_exactly_where_time_changes_something() -> None:
    waiting = play([event(1, row("ann")), response("ann", "accepted", 10)])[-1]
    settled = play([event(20, row("ann", "accepted", 10)), response("ann", "accepted", 10)])[-1]
    assert [timer.pair is not None for timer in waiting.timers] == [True]
    assert settled.state.timers == {}
