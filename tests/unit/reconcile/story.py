"""Plays facts one after another and tells what was said, in words short enough for a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from service.reconcile.decide import Decision, DecisionLimits, decide
from service.reconcile.emit import Said
from service.reconcile.model import Fact
from service.reconcile.state import MeetingState, decode_state, encode_state

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LIMITS = DecisionLimits()


def play(
    facts: Iterable[Fact | Sequence[Fact]], *, state: MeetingState | None = None, is_baseline: bool = False
) -> list[Decision]:
    """Commit each fact (or group of facts) as one step, through the stored form of the state."""
    state = state or MeetingState()
    decisions = []
    for step in facts:
        group = step if isinstance(step, Sequence) else [step]
        stored = decode_state(encode_state(state))
        decision = decide(stored, group, now=NOW, limits=LIMITS, is_baseline=is_baseline)
        decisions.append(decision)
        state = decision.state
    return decisions


def words(said: Said) -> str:
    """Say an update in a few words: `2026-03-03 changed ann accepted (none)`."""
    parts = [said.instance, str(said.type).partition(".")[2], said.attendee or ""]
    if said.attendee is not None and said.type != "attendee.removed":
        parts.append(str(said.value))
    if said.previous is not None:
        parts.append(f"({said.previous})")
    return " ".join(part for part in parts if part)


def told(decisions: Iterable[Decision]) -> list[str]:
    """Give everything that was said, in order."""
    return [words(said) for decision in decisions for said in decision.said]


def last(decisions: Sequence[Decision]) -> list[str]:
    """Give what the last step said."""
    return [words(said) for said in decisions[-1].said]
