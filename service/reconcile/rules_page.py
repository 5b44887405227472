"""The page of rules, drawn from the table itself: `make rules` writes it to `RULES.md`. Must hold no rule.

The diagram is not written down anywhere: all pairs of answers are put through the table, and what can follow
on what is drawn.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product
from typing import Final

from service.reconcile.facts import MessageAnswer
from service.reconcile.instant import Instant
from service.reconcile.model import (
    Address,
    AttendeeRow,
    AttendeeType,
    MailboxKey,
    MessageId,
    MessageWitness,
    ResponseValue,
    Slot,
)
from service.reconcile.rules import TABLE, Situation, Standing, find_situation
from service.reconcile.wording import FATES, OWNS, SITUATIONS, STANDINGS, TAKEN, VERDICTS

_HEAD: Final = """\
# The rules of reconciling

Drawn from the code by `make rules`; a test compares. Change `rules.py`, `wording.py` and their like, not
this page.

Two witnesses tell who is coming: the response **message**, read in the inbox of a delegate or of the owner,
and the attendee's row on the event in the owner's **calendar**. Either may come first, late, or never. What
is read becomes facts, and facts are joined so that their order does not matter; the rules below are then
applied to what is held, anew after every fact. Two instants that differ by no more than `TOLERANCE_S` are
the same moment.
"""
_COUNTING: Final = """\
## Which messages count

What a message answers is a *slot*: start, end, all-day, recurrence. Of one attendee's messages the latest
that counts stands opposite the calendar's row.
"""
_ROW: Final = """\
The calendar's row counts as no answer when it shows none, or when the attendee answered another slot later
than the row's time and no message to the present slot accounts for it: Exchange kept the row from before
the meeting moved. Where the row shows no answer, a message counts only when it is later than every answer
that the calendar ever showed: else the calendar has forgotten it on purpose.
"""
_TABLE: Final = "## What the two witnesses give\n"
_STANDINGS: Final = "## Standing\n"
_DIAGRAM: Final = """\
What can follow on what: when a message is read, when the calendar shows something else, when the meeting
moves (no message counts any more), and when the grace period passes without either.
"""
_OWN: Final = """\
## Series and their occurrences

An answer to a series holds for its occurrences, unless an occurrence has an answer of its own. The first
rule that applies is the one named.
"""
_FATES: Final = """\
## What becomes of an answer

Each answer that is read, up to `JOURNAL_MAX` per attendee and occurrence, is kept with what became of it;
`explain` shows it. Those *skipped* are counted by `response_sync_answers_skipped_total`.
"""


_MATCHING: Final = """\
## Which meeting, which occurrence, whose answer

A message names neither its event nor its owner. The meeting is found by the global object id without its
date, opposite the iCalUId of the owner's events; where an event shows none, by the event's own global
object id, and the meeting then goes by `id:` and the event's id. A series is one meeting, whichever of
its events show an iCalUId. The occurrence is named by the date in the identifier, which is a date in the
series' own time zone, the zone of its recurrence. What is no meeting that the owner organizes is dropped
and counted.

The attendee is `from`, never `sender`: a delegate who answers for somebody is only the sender. An
address that the event does not list speaks for the row that the first of these finds: a second address
in the message itself, the directory, the address without its `+tag`, a display name that one person
alone bears. The last two are guesses, and are withdrawn once the directory or the calendar knows the two
as different people. Rows that the directory gives to one person are one attendee.
"""
_LIMITS: Final = """\
## Limits

* An answer to the very slot that a meeting leaves and comes back to is valid again: overdue until the
  calendar agrees.
* Two answers within the tolerance of each other may be told in either order; where message and calendar
  then differ, the calendar is the record.
* After a loss of the state, what the calendar once showed and has reset since is not known any more: an old
  message may count again.
* An occurrence's row that Exchange copied from a version of the series that was never read looks like the
  occurrence's own answer, until the series moves.
* Answers given without sending a response, or to a meeting that asks for none, leave a trace only where
  Exchange writes them onto the event.
* Meetings in secondary calendars are ignored: Exchange writes no answers onto them, so that everybody would
  seem to stay away. Which calendar a meeting lies in is asked when it is first seen; one that is moved to
  another calendar later goes on being told as long as its event is there.
* Attendees who are hidden from one another are not hidden from the organizer's calendar, and are published
  like others. Private and confidential meetings are published without subject and comment.
* People who answer but are not on the event (a forwarded invitation, a member of a distribution list) are
  kept, their newest `LOOSE_ANSWERS_HELD_MAX` answers together, and published once the calendar lists them.
  Of one address the newest `ANSWERS_HELD_MAX` answers to different slots are kept, first of all the present
  one.
"""


class Cause(StrEnum):
    """What changes a standing."""

    MESSAGE = "message"
    CALENDAR = "calendar"
    MOVE = "move"
    GRACE = "grace period"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """A message's answer opposite the calendar's: value and second of each; None where there is none.

    Attributes:
        is_due: the grace period has passed.
    """

    message: tuple[ResponseValue, int] | None
    calendar: tuple[ResponseValue, int] | None
    is_due: bool = False

    @property
    def situation(self) -> Situation:
        answer = None if self.message is None else _answer(*self.message)
        row = None if self.calendar is None else _row(*self.calendar)
        return find_situation(answer, row, tolerance_ns=_TOLERANCE)

    @property
    def standing(self) -> Standing:
        rule = TABLE[self.situation]
        return rule.due_standing if self.is_due and rule.due_standing is not None else rule.standing


_TOLERANCE: Final = 2
_ANSWERS: Final = (
    None,
    *product((ResponseValue.ACCEPTED, ResponseValue.DECLINED), (10, 11, 20, 30)),
)
Edges = Mapping[tuple[Standing, Standing], frozenset[Cause]]


def draw_page() -> str:
    """Give the whole page."""
    return "\n".join(
        (
            _HEAD,
            _COUNTING,
            _draw_table(("a message", ""), ((f"`{key}`", text) for key, text in VERDICTS.items())),
            _ROW,
            _TABLE,
            _draw_table(("situation", "taken", "standing", "after the grace period"), _list_rules()),
            _STANDINGS,
            _draw_table(("standing", ""), ((f"`{key}`", text) for key, text in STANDINGS.items())),
            _DIAGRAM,
            _draw_diagram(find_edges()),
            _OWN,
            _draw_table(("an occurrence's answer", ""), ((f"`{key}`", text) for key, text in OWNS.items())),
            _FATES,
            _draw_table(("fate", ""), ((f"`{key}`", text) for key, text in FATES.items())),
            _MATCHING,
            _LIMITS,
        )
    )


def find_edges() -> Edges:
    """Give which standing can follow on which, and on what."""
    edges: dict[tuple[Standing, Standing], frozenset[Cause]] = {}
    for point in (
        _Point(message=message, calendar=calendar, is_due=is_due)
        for message, calendar, is_due in product(_ANSWERS, _ANSWERS, (False, True))
    ):
        for cause, following in _list_following(point):
            if following.standing is not point.standing:
                edge = (point.standing, following.standing)
                edges[edge] = edges.get(edge, frozenset()) | {cause}
    return edges


def _list_following(point: _Point) -> Iterator[tuple[Cause, _Point]]:
    for answer in _ANSWERS:
        if answer is not None and (point.message is None or answer[1] > point.message[1]):
            yield Cause.MESSAGE, replace(point, message=answer, is_due=False)
        if answer != point.calendar:
            yield Cause.CALENDAR, replace(point, calendar=answer, is_due=False)
    if point.message is not None:
        yield Cause.MOVE, replace(point, message=None, is_due=False)
    if not point.is_due:
        yield Cause.GRACE, replace(point, is_due=True)


def _list_rules() -> Iterator[tuple[str, ...]]:
    for situation, rule in TABLE.items():
        later = "" if rule.due_standing is None else f"`{rule.due_standing}`"
        if rule.is_overdue_when_due:
            later += ", overdue"
        yield SITUATIONS[situation], TAKEN[rule.taken], f"`{rule.standing}`", later


def _draw_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _draw_diagram(edges: Edges) -> str:
    order = list(Standing)
    lines = ["stateDiagram-v2", "    [*] --> none"]
    for (before, after), causes in sorted(
        edges.items(), key=lambda edge: (order.index(edge[0][0]), order.index(edge[0][1]))
    ):
        words = ", ".join(cause for cause in Cause if cause in causes)
        lines.append(f"    {before} --> {after}: {words}")
    return "".join(f"{line}\n" for line in ("```mermaid", *lines, "```"))


def _answer(value: ResponseValue, second: int) -> MessageAnswer:
    witness = MessageWitness(
        mailbox=MailboxKey(""), id=MessageId(""), internet_message_id="", sender=None, from_=None, sent=""
    )
    return MessageAnswer(
        slot=Slot(start=None, end=None, is_all_day=None, recurrence=None),
        sequence=None,
        value=value,
        at=Instant(ns=second, text=""),
        comment="",
        proposal=None,
        witness=witness,
    )


def _row(value: ResponseValue, second: int) -> AttendeeRow:
    return AttendeeRow(
        address=Address(""),
        given_address="",
        name="",
        type=AttendeeType.REQUIRED,
        value=value,
        at=Instant(ns=second, text=""),
        proposal=None,
    )


if __name__ == "__main__":
    sys.stdout.write(draw_page())
