"""The decision table: a message's answer r opposite the calendar's row c. Holds no code that could disagree.

`rules_page.py` draws the page of rules from `TABLE`; `attendee.py` finds the situation and reads the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from service.reconcile.facts import MessageAnswer, status_ns
from service.reconcile.model import AttendeeRow


class Situation(StrEnum):
    """How the two witnesses stand to each other. c counts as silent when it is none or notResponded."""

    SILENCE = "silence"
    CALENDAR_ALONE = "calendar alone"
    MESSAGE_ALONE = "message alone"
    AGREED = "agreed"
    MESSAGE_LATER = "message later"
    SAME_MOMENT = "same moment"
    CALENDAR_LATER = "calendar later"


class Taken(StrEnum):
    """Whose value and time are taken."""

    NOBODY = "nobody"
    CALENDAR = "calendar"
    MESSAGE = "message"
    BOTH = "both"


class Standing(StrEnum):
    """How well an answer is witnessed, as published."""

    NONE = "none"
    REPORTED = "reported"
    RECORDED = "recorded"
    CONFIRMED = "confirmed"
    CONFLICTING = "conflicting"

    @property
    def is_told(self) -> bool:
        """Tell whether a change to this standing is published."""
        return self in (Standing.CONFIRMED, Standing.CONFLICTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the table.

    Attributes:
        standing: as long as the grace period has not passed.
        due_standing: once it has; None where time changes nothing and no timer is set.
        is_overdue_when_due: the calendar should have the answer by then.
    """

    taken: Taken
    standing: Standing
    due_standing: Standing | None = None
    is_overdue_when_due: bool = False


TABLE: Final[dict[Situation, Rule]] = {
    Situation.SILENCE: Rule(taken=Taken.NOBODY, standing=Standing.NONE),
    Situation.CALENDAR_ALONE: Rule(taken=Taken.CALENDAR, standing=Standing.RECORDED),
    Situation.MESSAGE_ALONE: Rule(
        taken=Taken.MESSAGE,
        standing=Standing.REPORTED,
        due_standing=Standing.REPORTED,
        is_overdue_when_due=True,
    ),
    Situation.AGREED: Rule(taken=Taken.BOTH, standing=Standing.CONFIRMED),
    Situation.MESSAGE_LATER: Rule(
        taken=Taken.MESSAGE, standing=Standing.REPORTED, due_standing=Standing.CONFLICTING
    ),
    Situation.SAME_MOMENT: Rule(
        taken=Taken.CALENDAR, standing=Standing.RECORDED, due_standing=Standing.CONFLICTING
    ),
    Situation.CALENDAR_LATER: Rule(taken=Taken.CALENDAR, standing=Standing.RECORDED),
}


def find_situation(answer: MessageAnswer | None, row: AttendeeRow | None, *, tolerance_ns: int) -> Situation:
    """Tell how an answer that counts and a row that counts stand to each other.

    Args:
        answer: None where no message counts.
        row: None where the calendar is silent.
    """
    if answer is None:
        return Situation.SILENCE if row is None else Situation.CALENDAR_ALONE
    if row is None:
        return Situation.MESSAGE_ALONE
    if answer.value == row.value:
        return Situation.AGREED
    ahead_ns = answer.at.ns - status_ns(row)
    if ahead_ns > tolerance_ns:
        return Situation.MESSAGE_LATER
    return Situation.CALENDAR_LATER if -ahead_ns > tolerance_ns else Situation.SAME_MOMENT
