"""The story of an attendee as data and as lines: of any history, and of people with hostile names."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given

from service.commands.explain_text import draw_story
from service.reconcile.derive import derive
from service.reconcile.explain import explain
from service.reconcile.model import Address, Fact
from service.views.published import Published, select_story
from service.views.story import Shown, describe_story
from tests.reference.histories import History, histories
from tests.unit.reconcile.build import at, event, proposal, response, row
from tests.unit.reconcile.published import LIMITS, Stream
from tests.unit.reconcile.story import play
from tests.unit.reconcile.test_laws import LAW


def draw(shown: Shown) -> str:
    return "\n".join(line.plain for line in draw_story({"meeting": "M"}, shown))


@LAW
@given(history=histories())
def test_of_any_history_everyone_of_whom_something_is_so_has_a_story(history: History) -> None:
    stream = Stream()
    stream.commit_all([history.facts])
    derived = derive(stream.state.facts, tolerance_ns=LIMITS.tolerance_ns)
    stories = {story.person: story for story in explain(stream.state, tolerance_ns=LIMITS.tolerance_ns)}
    for key, instance in derived.instances.items():
        for person, attendee in instance.attendees.items():
            told = {each.instance: each.derived for each in stories[person].instances}
            assert told.get(key, attendee) == attendee
            assert key in told or not attendee.is_own
    published = [Published.read(f"{n}-0", fields) for n, fields in enumerate(stream.entries)]
    for story in stories.values():
        shown = describe_story(story, [one for one in published if one.subject == story.person])
        assert json.loads(json.dumps(shown)) == shown
        assert draw(shown).startswith(str(story.name or "<"))


def test_a_story_is_told_in_lines_that_say_why() -> None:
    steps: list[Fact] = [
        event(1, row("ann")),
        response("ann", "declined", 20, proposed=proposal(500)),
        response("ann", "accepted", 10),
        response("ann", "accepted", 30, place=3),
    ]
    (story,) = explain(play(steps)[-1].state, tolerance_ns=2 * 10**9)
    fields = {
        "id": "7-2",
        "source": "/owners/o/meetings/m",
        "subject": "ann",
        "type": "responsesync.response.changed",
        "data": json.dumps({"response": {"value": "declined", "previous": "none"}, "standing": "reported"}),
    }
    text = draw(describe_story(story, [Published.read("1772409600000-0", fields)]))
    assert text.splitlines() == [
        "ANN <ann>, M",
        " meeting “Dinner”",
        "  now         declined reported, answered 2026-03-02T00:00:20Z",
        "  because     only a message tells of an answer; the message's answer stands: reported, "
        "overdue once the grace period has passed",
        "  whose       its own",
        "  calendar    2026-03-02T00:00:00Z to 2026-03-02T01:00:00Z, changed 2026-03-02T00:00:01Z, "
        "seen 2026-03-02T00:00:01Z, version 0",
        "  row         none at ann: shows no answer",
        "  message     declined 2026-03-02T00:00:20Z, proposing 2026-03-02T00:08:20Z by ann, "
        "to 2026-03-02T00:00:00Z to 2026-03-02T01:00:00Z: "
        "counts: it is to the time at which the meeting is now; it stands opposite the calendar's row",
        "  message     accepted 2026-03-02T00:00:30Z by ann, "
        "to 2026-03-02T03:00:00Z to 2026-03-02T04:00:00Z: "
        "does not count: it is to another time than the meeting has now",
        "  timer       the grace period runs for the message's declined 2026-03-02T00:00:20Z "
        "opposite no answer",
        "  told        consumers hold: declined, no standing",
        "              2026-03-02T00:00:00.000Z response.changed none → declined (reported), id 7-2",
        "  read        accepted 2026-03-02T00:00:10Z from message: "
        "skipped: a later one was known when it was read",
        "  read        declined 2026-03-02T00:00:20Z from message: published",
        "  read        accepted 2026-03-02T00:00:30Z from message: does not count: "
        "it is to another time than the meeting has",
        "  skipped     1",
    ]


def test_a_move_and_an_ending_are_part_of_the_story() -> None:
    """Without them nobody could tell why an answer was reset, or why nothing is held any more."""
    steps: list[Fact] = [
        event(1, row("ann"), row("bob")),
        event(10, row("ann", "accepted", 9), row("bob")),
        event(20, row("ann"), row("bob"), place=1, sequence=1),
        event(30, row("ann"), row("bob"), place=1, sequence=2, is_cancelled=True),
    ]
    story = explain(play(steps)[-1].state, tolerance_ns=LIMITS.tolerance_ns)[0]
    said = [said for step in play(steps) for said in step.said]
    found = [
        Published.read(
            f"{n}-0",
            {"source": "/owners/o/meetings/m", "type": f"responsesync.{one.type}"}
            | ({"subject": one.attendee} if one.attendee else {}),
        )
        for n, one in enumerate(said)
    ]
    shown = describe_story(story, select_story(found, "ann"))
    (whole,) = shown["instances"]
    assert [one["type"] for one in whole["published"]] == [
        "attendee.added",
        "response.changed",
        "event.rescheduled",
        "response.reset",
        "event.cancelled",
    ]
    text = draw(shown)
    assert "now         nothing is derived: cancelled" in text
    assert "row         none at ann: does not matter any more: it is over" in text
    assert "told        that it is cancelled" in text


def test_what_people_wrote_stays_one_line_of_text() -> None:
    read = event(1, replace(row("ann"), name="Ann\x1b[2J\n[red]"))
    read = replace(read, details=replace(read.details, subject="\x07Lunch\r\nnow"))
    steps: list[Fact] = [read, replace(response("ann", "accepted", 10), attendee=Address("ann"))]
    (story,) = explain(play(steps)[-1].state, tolerance_ns=2 * 10**9)
    lines = draw(describe_story(story, [])).splitlines()
    assert lines[0].startswith("Ann\\x1b[2J\\n[red] <ann>")
    assert all(line.isprintable() for line in lines)


def test_a_row_without_a_time_and_an_occurrence_never_read_are_told() -> None:
    late = response("ann", "declined", 20, instance="2026-03-03", place=24)
    steps: list[Fact] = [event(1, replace(row("ann", "accepted"), at=None), is_series=True), late]
    (story,) = explain(play(steps)[-1].state, tolerance_ns=2 * 10**9)
    text = draw(describe_story(story, []))
    assert "accepted without a time at ann: counts" in text
    assert " occurrence of 2026-03-03\n" in text
    assert "its event was not read" in text
    assert "waits for the event that it answers" in text
    assert at(20).text in text
