"""What the rules are in words: said by `explain` and drawn by the page of rules. Must hold no rule itself."""

from __future__ import annotations

from typing import Final

from service.reconcile.attendee import Own
from service.reconcile.counting import Verdict
from service.reconcile.journal import Fate
from service.reconcile.rules import Rule, Situation, Standing, Taken

SITUATIONS: Final[dict[Situation, str]] = {
    Situation.SILENCE: "no message counts, and the calendar shows no answer",
    Situation.CALENDAR_ALONE: "only the calendar shows an answer",
    Situation.MESSAGE_ALONE: "only a message tells of an answer",
    Situation.AGREED: "message and calendar agree",
    Situation.MESSAGE_LATER: "they differ, and the message's answer was given later",
    Situation.SAME_MOMENT: "they differ, and both were given in the same moment",
    Situation.CALENDAR_LATER: "they differ, and the calendar's answer was given later",
}
TAKEN: Final[dict[Taken, str]] = {
    Taken.NOBODY: "nobody answered",
    Taken.CALENDAR: "the calendar's answer stands",
    Taken.MESSAGE: "the message's answer stands",
    Taken.BOTH: "both give the same answer; its time is the later one, the calendar's within the tolerance",
}
STANDINGS: Final[dict[Standing, str]] = {
    Standing.NONE: "there is no answer",
    Standing.REPORTED: "a message says so, the calendar does not (yet)",
    Standing.RECORDED: "the calendar says so, the last message that counts does not",
    Standing.CONFIRMED: "message and calendar say so",
    Standing.CONFLICTING: "message and calendar have disagreed for longer than the grace period",
}
VERDICTS: Final[dict[Verdict, str]] = {
    Verdict.PRESENT_SLOT: "counts: it is to the time at which the meeting is now",
    Verdict.VERSION_AHEAD: "counts: it is to a version of the meeting that was not read yet",
    Verdict.SLOT_UNKNOWN: "counts: to which time is not known, but nothing later speaks against it",
    Verdict.OTHER_SLOT: "does not count: it is to another time than the meeting has now",
    Verdict.BEFORE_SERIES_MOVED: "does not count: it was given before the series moved",
    Verdict.SLOT_UNKNOWN_TOO_OLD: "does not count: to which time is not known, and the meeting moved, "
    "or another time was answered, later",
}
OWNS: Final[dict[Own, str]] = {
    Own.BY_ITSELF: "its own",
    Own.BY_MESSAGE: "its own by (i): a message to this occurrence counts",
    Own.BY_ROW: "its own by (ii): its row has an answer that the series never showed",
    Own.BY_MOVE: "its own by (iii): this occurrence is not where the series puts it",
    Own.BY_LIST: "its own by (iv): this occurrence lists the attendee, the series does not",
    Own.INHERITED: "inherited from the series",
}
FATES: Final[dict[Fate, str]] = {
    Fate.PUBLISHED: "published",
    Fate.REPEATED: "says what was told already",
    Fate.SUPERSEDED: "skipped: a later one was known when it was read",
    Fate.SAME_MOMENT: "skipped: another one of the same moment was told",
    Fate.OTHER_SLOT: "does not count: it is to another time than the meeting has",
    Fate.BEFORE_SERIES_MOVED: "does not count: it was given before the series moved",
    Fate.KEPT_FROM_BEFORE: "does not count: the calendar kept it from before the meeting moved",
    Fate.NOT_INVITED: "kept until the calendar lists who gave it",
    Fate.ENDED: "the meeting was over when it was read",
    Fate.WAITING: "waits for the event that it answers",
}


def describe_rule(rule: Rule) -> str:
    """Say what a row of the table gives, now and once the grace period has passed."""
    if rule.due_standing is None:
        return f"{TAKEN[rule.taken]}: {rule.standing}"
    later = "overdue" if rule.is_overdue_when_due else str(rule.due_standing)
    return f"{TAKEN[rule.taken]}: {rule.standing}, {later} once the grace period has passed"
