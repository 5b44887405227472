"""What consumers are told, meeting by meeting: each row is a history and the exact updates it gives."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from service.reconcile.model import Address, AliasFact, Fact
from tests.unit.reconcile.build import (
    MEETING,
    OWNER,
    due,
    event,
    gone,
    proposal,
    response,
    row,
)
from tests.unit.reconcile.story import play, told

Step = Fact | Sequence[Fact]

SINGLE: dict[str, tuple[list[Step], list[str]]] = {
    "a new meeting names its attendees in address order": (
        [event(1, row("bob"), row("ann"))],
        ["added ann none", "added bob none"],
    ),
    "the message comes first, then the calendar confirms": (
        [event(1, row("ann")), response("ann", "accepted", 10), event(12, row("ann", "accepted", 10.3))],
        ["added ann none", "changed ann accepted (none)", "confirmed ann accepted (accepted)"],
    ),
    "the calendar comes first, then the message confirms": (
        [event(1, row("ann")), event(12, row("ann", "accepted", 10.3)), response("ann", "accepted", 10)],
        ["added ann none", "changed ann accepted (none)", "confirmed ann accepted (accepted)"],
    ),
    "both witnesses at once: changed, then confirmed": (
        [event(1, row("ann")), [event(12, row("ann", "accepted", 10.3)), response("ann", "accepted", 10)]],
        ["added ann none", "changed ann accepted (none)", "confirmed ann accepted (accepted)"],
    ),
    "an answer before the meeting is known waits and is told with it": (
        [response("ann", "declined", 10), event(5, row("ann"))],
        ["added ann none", "changed ann declined (none)"],
    ),
    "a repeated fact says nothing": (
        [event(1, row("ann")), response("ann", "accepted", 10), response("ann", "accepted", 10)],
        ["added ann none", "changed ann accepted (none)"],
    ),
    "an older message never replaces a newer one": (
        [event(1, row("ann")), response("ann", "declined", 20), response("ann", "accepted", 10)],
        ["added ann none", "changed ann declined (none)"],
    ),
    "an older event never replaces a newer one": (
        [event(30, row("ann", "declined", 29)), event(1, row("ann"))],
        ["added ann none", "changed ann declined (none)"],
    ),
    "a changed agenda raises the sequence and resets nothing": (
        [
            event(1, row("ann")),
            response("ann", "accepted", 10),
            event(20, row("ann", "accepted", 10), sequence=1),
        ],
        ["added ann none", "changed ann accepted (none)", "confirmed ann accepted (accepted)"],
    ),
    "a move resets who answered, where Exchange resets": (
        [
            event(1, row("ann")),
            [response("ann", "accepted", 10), event(12, row("ann", "accepted", 10))],
            event(20, row("ann"), place=1, sequence=1),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            "confirmed ann accepted (accepted)",
            "rescheduled",
            "reset ann none (accepted)",
        ],
    ),
    "a move is told also when nobody answered": (
        [event(1, row("ann")), event(20, row("ann"), place=1)],
        ["added ann none", "rescheduled"],
    ),
    "an answer to the old slot does not count after a move": (
        [event(1, row("ann")), event(20, row("ann"), place=1, sequence=1), response("ann", "accepted", 30)],
        ["added ann none", "rescheduled"],
    ),
    "an answer to a version that was not read yet counts": (
        [event(1, row("ann")), response("ann", "accepted", 30, place=1, sequence=1)],
        ["added ann none", "changed ann accepted (none)"],
    ),
    "a row kept from before the move counts as none once the old slot was declined later": (
        [
            event(1, row("ann", "accepted", 0.5)),
            response("ann", "declined", 10),
            event(20, row("ann", "accepted", 0.5), place=1, sequence=1),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            "changed ann declined (accepted)",
            "rescheduled",
            "reset ann none (declined)",
        ],
    ),
    "a late answer to the old slot does not undo the answer to the new one": (
        [
            event(1, row("ann")),
            event(20, row("ann"), place=1, sequence=1),
            response("ann", "accepted", 30, place=1, sequence=1),
            event(31, row("ann", "accepted", 30), place=1, sequence=1),
            response("ann", "declined", 40),
        ],
        [
            "added ann none",
            "rescheduled",
            "changed ann accepted (none)",
            "confirmed ann accepted (accepted)",
        ],
    ),
    "a meeting without attendees moves in silence": (
        [event(1), event(20, place=1), event(30, row("ann"), place=1)],
        ["added ann none"],
    ),
    "a snapshot or an answer brings its proposal, and only the answer tells it apart": (
        [event(1, row("ann", "tentativelyAccepted", 0.5, proposed=proposal(500)))],
        [
            "added ann none",
            "changed ann tentativelyAccepted (none)",
            "proposed ann tentativelyAccepted (tentativelyAccepted)",
        ],
    ),
    "three addresses of one person, told in two steps, are one attendee": (
        [
            event(1, row("ann")),
            AliasFact(owner=OWNER, meeting=MEETING, alias=Address("a"), person=Address("b")),
            AliasFact(owner=OWNER, meeting=MEETING, alias=Address("b"), person=Address("ann")),
            response("a", "accepted", 10),
        ],
        ["added ann none", "changed ann accepted (none)"],
    ),
    "disagreement is said once the grace period has passed": (
        [
            event(1, row("ann", "accepted", 0.5)),
            response("ann", "declined", 10),
            due("ann", ("declined", 10), ("accepted", 0.5)),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            "changed ann declined (accepted)",
            "conflicting ann declined (declined)",
        ],
    ),
    "a message that the calendar never shows is overdue in silence": (
        [event(1, row("ann")), response("ann", "accepted", 10), due("ann", ("accepted", 10))],
        ["added ann none", "changed ann accepted (none)"],
    ),
    "a timer of a pair that no longer stands changes nothing": (
        [
            event(1, row("ann", "accepted", 0.5)),
            response("ann", "declined", 10),
            event(12, row("ann", "declined", 10)),
            due("ann", ("declined", 10), ("accepted", 0.5)),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            "changed ann declined (accepted)",
            "confirmed ann declined (declined)",
        ],
    ),
    "whoever is not invited is kept unpublished until the calendar lists them": (
        [event(1, row("ann")), response("eve", "accepted", 10), event(20, row("ann"), row("eve"))],
        ["added ann none", "added eve none", "changed eve accepted (none)"],
    ),
    "removed and invited again: new once more": (
        [
            event(1, row("ann", "accepted", 0.5)),
            event(10, row("bob")),
            event(20, row("ann"), row("bob")),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            "removed ann (accepted)",
            "added bob none",
            "added ann none",
        ],
    ),
    "a proposal is told after the answer, and again only when it differs": (
        [
            event(1, row("ann")),
            response("ann", "tentativelyAccepted", 10, proposed=proposal(500)),
            event(12, row("ann", "tentativelyAccepted", 10, proposed=proposal(500))),
            event(13, row("ann", "tentativelyAccepted", 10, proposed=proposal(600))),
        ],
        [
            "added ann none",
            "changed ann tentativelyAccepted (none)",
            "proposed ann tentativelyAccepted (tentativelyAccepted)",
            "confirmed ann tentativelyAccepted (tentativelyAccepted)",
            "proposed ann tentativelyAccepted (tentativelyAccepted)",
        ],
    ),
    "a cancellation ends the meeting, and is told once": (
        [
            event(1, row("ann")),
            event(10, row("ann"), is_cancelled=True),
            event(11, row("ann"), is_cancelled=True),
            gone(20),
        ],
        ["added ann none", "cancelled"],
    ),
    "an ending is told also of a meeting not spoken of before": (
        [event(10, row("ann"), is_cancelled=True)],
        ["cancelled"],
    ),
    "an ending is not told without any event": ([response("ann", "accepted", 5), gone(10)], []),
    "a deleted meeting that comes back has everyone new": (
        [event(1, row("ann", "accepted", 0.5)), gone(10), event(1, row("ann", "accepted", 0.5), seen=20)],
        [
            "added ann none",
            "changed ann accepted (none)",
            "deleted",
            "added ann none",
            "changed ann accepted (none)",
        ],
    ),
    "a look from before the event was last seen proves nothing": (
        [event(1, row("ann"), seen=20), gone(10)],
        ["added ann none"],
    ),
    "two addresses of one person are one attendee": (
        [
            event(1, row("ann")),
            AliasFact(owner=OWNER, meeting=MEETING, alias=Address("a.nn"), person=Address("ann")),
            response("a.nn", "accepted", 10),
        ],
        ["added ann none", "changed ann accepted (none)"],
    ),
    "a duplicate row of one person: the one that answered speaks": (
        [
            AliasFact(owner=OWNER, meeting=MEETING, alias=Address("/o=ex/ann"), person=Address("ann")),
            event(20, row("ann"), row("/o=ex/ann", "declined", 10)),
        ],
        ["added ann none", "changed ann declined (none)"],
    ),
    "versions there and back: the slot that comes back brings the answer that was given to it": (
        [
            event(1, row("ann")),
            [response("ann", "accepted", 10), event(12, row("ann", "accepted", 10))],
            event(20, row("ann"), place=1, sequence=1),
            response("ann", "declined", 25, place=1, sequence=1),
            event(30, row("ann"), sequence=2),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            "confirmed ann accepted (accepted)",
            "rescheduled",
            "reset ann none (accepted)",
            "changed ann declined (none)",
            "rescheduled",
            "reset ann none (declined)",
        ],
    ),
    "versions there and back: an answer that the calendar never showed revives": (
        [
            event(1, row("ann")),
            response("ann", "accepted", 10),
            event(20, row("ann"), place=1, sequence=1),
            event(30, row("ann"), sequence=2),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            "rescheduled",
            "reset ann none (accepted)",
            "rescheduled",
            "changed ann accepted (none)",
        ],
    ),
    "versions there and back in one read: nothing moved that consumers would know": (
        [
            event(1, row("ann", "accepted", 0.5)),
            [
                event(20, row("ann", "accepted", 0.5), place=1, sequence=1),
                event(30, row("ann", "accepted", 0.5), sequence=2),
            ],
        ],
        ["added ann none", "changed ann accepted (none)"],
    ),
    "an answer to the slot in between is out of date once the meeting is back": (
        [
            event(1, row("ann")),
            event(20, row("ann"), place=1, sequence=1),
            event(30, row("ann"), sequence=2),
            response("ann", "declined", 40, place=1, sequence=1),
        ],
        ["added ann none", "rescheduled", "rescheduled"],
    ),
    "a move that keeps the statuses resets nothing, where Exchange keeps them": (
        [
            event(1, row("ann", "accepted", 0.5)),
            event(20, row("ann", "accepted", 0.5), place=1, sequence=1),
        ],
        ["added ann none", "changed ann accepted (none)", "rescheduled"],
    ),
    "an answer to the new time, read before the new time is": (
        [
            event(1, row("ann", "accepted", 0.5)),
            response("ann", "declined", 30, place=1, sequence=1),
            event(20, row("ann", "accepted", 0.5), place=1, sequence=1),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            "changed ann declined (accepted)",
            "rescheduled",
        ],
    ),
    "four changes of mind within seconds, each read by itself": (
        [
            event(1, row("ann")),
            response("ann", "accepted", 10),
            response("ann", "declined", 13),
            response("ann", "tentativelyAccepted", 16),
            response("ann", "accepted", 19),
            event(20, row("ann", "accepted", 19)),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            "changed ann declined (accepted)",
            "changed ann tentativelyAccepted (declined)",
            "changed ann accepted (tentativelyAccepted)",
            "confirmed ann accepted (accepted)",
        ],
    ),
    "four changes of mind, read backwards: the last one stands": (
        [
            event(1, row("ann")),
            response("ann", "accepted", 19),
            response("ann", "tentativelyAccepted", 16),
            response("ann", "declined", 13),
            response("ann", "accepted", 10),
        ],
        ["added ann none", "changed ann accepted (none)"],
    ),
    "the calendar skips what lay between": (
        [
            event(1, row("ann")),
            response("ann", "accepted", 10),
            event(20, row("ann", "tentativelyAccepted", 16)),
            response("ann", "declined", 13),
            response("ann", "tentativelyAccepted", 16),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            "changed ann tentativelyAccepted (accepted)",
            "confirmed ann tentativelyAccepted (tentativelyAccepted)",
        ],
    ),
    "two messages of the same second: the stronger word stands, whichever is read first": (
        [event(1, row("ann")), response("ann", "declined", 10), response("ann", "accepted", 10)],
        ["added ann none", "changed ann declined (none)"],
    ),
    "two messages of the same second, the other way round": (
        [event(1, row("ann")), response("ann", "accepted", 10), response("ann", "declined", 10)],
        ["added ann none", "changed ann accepted (none)", "changed ann declined (accepted)"],
    ),
    "message and calendar of the same second differ: the calendar is the record, and after a while says so": (
        [
            event(1, row("ann")),
            response("ann", "declined", 10),
            event(12, row("ann", "accepted", 11)),
            due("ann", ("declined", 10), ("accepted", 11)),
        ],
        [
            "added ann none",
            "changed ann declined (none)",
            "changed ann accepted (declined)",
            "conflicting ann accepted (accepted)",
        ],
    ),
    "a proposal that is withdrawn by an answer without one is cleared, and told anew when made again": (
        [
            event(1, row("ann")),
            response("ann", "tentativelyAccepted", 10, proposed=proposal(500)),
            response("ann", "accepted", 20),
            response("ann", "tentativelyAccepted", 30, proposed=proposal(500)),
        ],
        [
            "added ann none",
            "changed ann tentativelyAccepted (none)",
            "proposed ann tentativelyAccepted (tentativelyAccepted)",
            "changed ann accepted (tentativelyAccepted)",
            "changed ann tentativelyAccepted (accepted)",
            "proposed ann tentativelyAccepted (tentativelyAccepted)",
        ],
    ),
    "a proposal withdrawn with the same answer is silent": (
        [
            event(1, row("ann")),
            response("ann", "declined", 10, proposed=proposal(500)),
            response("ann", "declined", 20),
        ],
        [
            "added ann none",
            "changed ann declined (none)",
            "proposed ann declined (declined)",
        ],
    ),
    "another answer with the same proposal does not tell the proposal twice": (
        [
            event(1, row("ann")),
            response("ann", "tentativelyAccepted", 10, proposed=proposal(500)),
            response("ann", "declined", 20, proposed=proposal(500)),
        ],
        [
            "added ann none",
            "changed ann tentativelyAccepted (none)",
            "proposed ann tentativelyAccepted (tentativelyAccepted)",
            "changed ann declined (tentativelyAccepted)",
        ],
    ),
    "a proposal that is accepted moves the meeting: a new slot, and nobody has answered it": (
        [
            event(1, row("ann")),
            response("ann", "tentativelyAccepted", 10, proposed=proposal(3600)),
            event(12, row("ann", "tentativelyAccepted", 10, proposed=proposal(3600))),
            event(20, row("ann"), place=1, sequence=1),
            response("ann", "accepted", 30, place=1, sequence=1),
        ],
        [
            "added ann none",
            "changed ann tentativelyAccepted (none)",
            "proposed ann tentativelyAccepted (tentativelyAccepted)",
            "confirmed ann tentativelyAccepted (tentativelyAccepted)",
            "rescheduled",
            "reset ann none (tentativelyAccepted)",
            "changed ann accepted (none)",
        ],
    ),
    "a proposal made once more after a move is told once more": (
        [
            event(1, row("ann", "declined", 0.5, proposed=proposal(500))),
            event(20, row("ann", "declined", 0.5, proposed=proposal(500)), place=1, sequence=1),
        ],
        [
            "added ann none",
            "changed ann declined (none)",
            "proposed ann declined (declined)",
            "rescheduled",
            "proposed ann declined (declined)",
        ],
    ),
    "when both agree the calendar's proposal is the one told": (
        [
            event(1, row("ann")),
            [
                response("ann", "declined", 10, proposed=proposal(500)),
                event(12, row("ann", "declined", 10, proposed=proposal(600))),
            ],
            response("ann", "declined", 10, proposed=proposal(500)),
        ],
        [
            "added ann none",
            "changed ann declined (none)",
            "confirmed ann declined (declined)",
            "proposed ann declined (declined)",
        ],
    ),
}

DAY2, DAY3 = "2026-03-03", "2026-03-04"
MASTER = event(1, row("ann"), row("bob"), is_series=True)

SERIES: dict[str, tuple[list[Step], list[str]]] = {
    "an answer to the series is told on the series alone": (
        [
            MASTER,
            event(1, row("ann"), row("bob"), instance=DAY2, place=24),
            response("ann", "accepted", 10, is_series=True),
        ],
        ["added ann none", "added bob none", "changed ann accepted (none)"],
    ),
    "an answer to one occurrence is told on that occurrence": (
        [
            MASTER,
            event(1, row("ann"), row("bob"), instance=DAY2, place=24),
            response("ann", "declined", 10, place=24, instance=DAY2),
        ],
        ["added ann none", "added bob none", f"{DAY2} changed ann declined (none)"],
    ),
    "an occurrence's row copied from the series is not its own": (
        [
            MASTER,
            event(12, row("ann", "accepted", 10), row("bob"), is_series=True),
            event(12, row("ann", "accepted", 10), row("bob"), instance=DAY2, place=24),
        ],
        ["added ann none", "added bob none", "changed ann accepted (none)"],
    ),
    "an occurrence's own row is": (
        [
            event(12, row("ann", "accepted", 10), is_series=True),
            event(20, row("ann", "declined", 19), instance=DAY2, place=24),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            f"{DAY2} changed ann declined (accepted)",
        ],
    ),
    "a moved occurrence is told as moved, and its answers are its own": (
        [
            event(12, row("ann", "accepted", 10), is_series=True),
            event(20, row("ann"), instance=DAY2, place=25),
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            f"{DAY2} rescheduled",
            f"{DAY2} reset ann none (accepted)",
        ],
    ),
    "someone invited to one occurrence only": (
        [
            event(12, row("ann"), is_series=True),
            event(20, row("ann"), row("eve"), instance=DAY2, place=24),
        ],
        ["added ann none", f"{DAY2} added eve none"],
    ),
    "someone taken off one occurrence": (
        [
            event(12, row("ann"), row("bob"), is_series=True),
            event(20, row("ann"), instance=DAY2, place=24),
        ],
        ["added ann none", "added bob none", f"{DAY2} removed bob (none)"],
    ),
    "a cancelled occurrence ends alone": (
        [
            event(12, row("ann"), is_series=True),
            event(20, row("ann"), instance=DAY2, place=24, is_cancelled=True),
            response("ann", "accepted", 30, is_series=True),
        ],
        ["added ann none", f"{DAY2} cancelled", "changed ann accepted (none)"],
    ),
    "a deleted occurrence that comes back has everyone new": (
        [
            event(12, row("ann"), is_series=True),
            event(20, row("ann"), instance=DAY2, place=24),
            gone(30, instance=DAY2),
            event(20, row("ann"), instance=DAY2, place=24, seen=40),
        ],
        ["added ann none", f"{DAY2} deleted", f"{DAY2} added ann none"],
    ),
    "the end of the series ends its occurrences without a word": (
        [
            event(12, row("ann"), is_series=True),
            event(20, row("ann", "declined", 19), instance=DAY2, place=24),
            event(30, row("ann"), is_series=True, is_cancelled=True),
            event(40, row("ann", "declined", 39), instance=DAY3, place=48),
        ],
        ["added ann none", f"{DAY2} changed ann declined (none)", "cancelled"],
    ),
    "a moved series drops what its occurrences had": (
        [
            event(12, row("ann"), is_series=True),
            event(20, row("ann", "declined", 19), instance=DAY2, place=24),
            event(30, row("ann"), is_series=True, place=2, seen=31),
        ],
        ["added ann none", f"{DAY2} changed ann declined (none)", "rescheduled"],
    ),
    "series first, then occurrences by date": (
        [
            [
                event(20, row("ann", "declined", 19), instance=DAY3, place=48),
                event(20, row("ann", "declined", 18), instance=DAY2, place=24),
                event(12, row("ann", "accepted", 10), is_series=True),
            ]
        ],
        [
            "added ann none",
            "changed ann accepted (none)",
            f"{DAY2} changed ann declined (accepted)",
            f"{DAY3} changed ann declined (accepted)",
        ],
    ),
    "an occurrence whose series was never read stands alone": (
        [event(20, row("ann", "declined", 19), instance=DAY2, place=24)],
        [f"{DAY2} added ann none", f"{DAY2} changed ann declined (none)"],
    ),
    "someone taken off one occurrence stays off however often the series is seen": (
        [
            event(12, row("ann"), row("bob"), is_series=True),
            event(20, row("ann"), instance=DAY2, place=24),
            event(12, row("ann"), row("bob"), is_series=True, seen=50),
        ],
        ["added ann none", "added bob none", f"{DAY2} removed bob (none)"],
    ),
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_meeting(name: str) -> None:
    steps, expected = SINGLE[name]
    assert told(play(steps)) == expected


@pytest.mark.parametrize("name", SERIES)
def test_a_series(name: str) -> None:
    steps, expected = SERIES[name]
    assert told(play(steps)) == expected


def test_the_first_read_of_a_new_owner_tells_everyone_as_a_snapshot() -> None:
    facts: list[Fact] = [event(20, row("ann", "accepted", 10), row("bob")), response("ann", "accepted", 10)]
    assert told(play([facts], is_baseline=True)) == ["snapshot ann accepted", "snapshot bob none"]


def test_the_first_read_tells_a_proposal_with_the_snapshot() -> None:
    facts = [event(20, row("ann", "tentativelyAccepted", 10, proposed=proposal(500)))]
    assert told(play(facts, is_baseline=True)) == ["snapshot ann tentativelyAccepted"]


def test_a_snapshot_says_the_standing_too_so_that_it_is_not_said_again() -> None:
    facts: list[Fact] = [event(20, row("ann", "accepted", 10)), response("ann", "accepted", 10)]
    first = play([facts], is_baseline=True)
    again = play([event(30, row("ann", "accepted", 10))], state=first[-1].state)
    assert told(again) == []
