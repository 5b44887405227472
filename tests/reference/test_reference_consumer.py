"""The fold of the update stream, against the words of the design, sections 2.4 and 3."""

from __future__ import annotations

import json

from service.reconcile.model import (
    WHOLE,
    ResponseFact,
)
from tests.reference.builders import (
    ACCEPTED,
    DECLINED,
    NONE,
    address,
    answer,
    gone,
    row,
    slot,
)
from tests.reference.consumer import Fold, Told, fold_stream, parse_entry
from tests.reference.emission import Emitter
from tests.reference.stories import (
    I1,
    I2,
    MEGAN,
    SERIES,
    derived,
    exception,
)

# The consumer.


def entry(type_: str, subject: str | None, value: str | None, instance: str = "") -> dict[str, str]:
    source = "/owners/alex/meetings/vCal-Uid%3A1" + (f"/instances/{instance}" if instance else "")
    start = {"dateTime": "2026-03-09T10:00:00.0000000", "timeZone": "UTC"}
    end = {"dateTime": "2026-03-09T11:30:00.0000000", "timeZone": "Europe/Berlin"}
    response = {"value": value, "previous": None, "time": None, "comment": None, "proposedNewTime": None}
    data = {
        "event": {"start": start, "end": end, "isAllDay": False},
        "response": response if subject else None,
        "standing": "none" if subject else None,
        "overdue": False,
    }
    fields = {
        "source": source,
        "epoch": "7",
        "sequence": "1".zfill(20),
        "type": f"responsesync.{type_}",
        "data": json.dumps(data),
    }
    return fields | ({"subject": subject} if subject else {})


def test_an_entry_of_the_stream_is_read_into_what_was_said() -> None:
    read = parse_entry(entry("attendee.added", "megan@example.com", "notResponded", I1))
    assert (read.owner, read.meeting, read.epoch, read.sequence) == ("alex", "vCal-Uid:1", 7, 1)
    assert (read.said.instance, read.said.attendee, read.said.value) == (I1, MEGAN, NONE)
    assert read.said.slot == slot("2026-03-09T10:00:00Z", recurrence=None)


def test_a_higher_epoch_replaces_what_is_held_of_the_meeting() -> None:
    old = parse_entry(entry("attendee.added", "megan@example.com", "none", I1))
    new = parse_entry(entry("response.snapshot", "christie@example.com", "accepted") | {"epoch": "8"})
    fold = fold_stream([old, new])["alex", "vCal-Uid:1"]
    assert list(fold.people(I1)) == [address("christie")]


def test_an_occurrence_shows_its_own_entry_else_that_of_the_series() -> None:
    fold = Fold()
    for facts in ([SERIES], [SERIES, exception(5, row("megan", DECLINED, 4), row("guest"))]):
        emitter = Emitter()
        fold = emitter.fold
        emitter.emit(derived(*facts))
    assert [held.value for held in fold.people(WHOLE).values()] == [ACCEPTED]
    assert [held.value for held in fold.people(I1).values()] == [ACCEPTED]
    assert [held.value for held in fold.people(I2).values()] == [NONE, DECLINED]


def test_an_ending_drops_the_meeting_and_its_instances() -> None:
    emitter = Emitter()
    emitter.emit(derived(SERIES, exception(5, row("megan", DECLINED, 4))))
    emitter.emit(derived(SERIES, gone(90)))
    assert emitter.fold.told[-1].type is Told.DELETED
    assert emitter.fold.people(WHOLE) == emitter.fold.people(I2) == {}
    assert emitter.fold.is_over(I2)


def test_facts_of_a_response_keep_their_words() -> None:
    """Guards the builders: a story's answer is the fact that production gets."""
    fact = answer("megan", ACCEPTED, 1.5)
    assert isinstance(fact, ResponseFact)
    assert fact.at.text == "2026-03-02T09:00:01.5Z"
