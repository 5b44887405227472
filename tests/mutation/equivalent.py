"""Mutants that change nothing that could be observed, each with the reason. The key is `file: change`."""

from __future__ import annotations

_LATER = (
    "where two answers differ the table takes the later one's side, so the later time is always the right one"
)

EQUIVALENT: dict[str, str] = {
    "attendee.py: _take_time: dropped: answer is None or rule.taken is Taken.CALENDAR "
    "-> answer is None": _LATER,
    "attendee.py: _take_time: dropped: row is None or rule.taken is Taken.MESSAGE -> row is None": _LATER,
    "attendee.py: _take_time: dropped: row is None or rule.taken is Taken.MESSAGE "
    "-> rule.taken is Taken.MESSAGE": "without a row that counts the table takes the message",
    "attendee.py: _take_time: and/or: row is None or rule.taken is Taken.MESSAGE "
    "-> row is None and rule.taken is Taken.MESSAGE": _LATER,
    "derive.py: _since_the_series_moved: never: None if is_head_old else facts.row "
    "-> None if False else facts.row": "without a head nobody looks at the rows",
    "emit.py: snapshot: dropped: key != WHOLE and person not in told.instance(key).attendees "
    "-> person not in told.instance(key).attendees": "of the whole everyone was told of before a snapshot",
    "emit.py: _everyone: always: if key != WHOLE: people |= set(told.instance(WHOLE).attendees) "
    "-> if True: people |= set(told.instance(WHOLE).attendees)": "adds to the whole who is there already",
    "emit.py: _tell_removal: truth: False -> True (again)": "where nothing is said, nothing is held of it",
    "facts.py: _join_event: turned: _event_order(event) > _held_event_order(held, held.head) "
    "-> _event_order(event) >= _held_event_order(held, held.head)": "the order holds all that is kept of an "
    "event: of two that are equal in it, either one is the same",
    "journal.py: keep_journals: truth: True -> False": "both lists are as long: one is made from the other",
}
