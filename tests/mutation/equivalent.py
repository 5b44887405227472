"""Mutants that change nothing that could be observed, each with the reason. The key is `file: change`."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {
    "emit.py: _tell_removal: truth: False -> True (again)": "where nothing is said, nothing is held of it",
    "facts.py: _join_event: turned: _event_order(event) > _held_event_order(held, held.head) "
    "-> _event_order(event) >= _held_event_order(held, held.head)": "the order holds all that is kept of an "
    "event: of two that are equal in it, either one is the same",
    "journal.py: keep_journals: truth: True -> False": "both lists are as long: one is made from the other",
}
