"""One thing that is wrong, as the dashboard says it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from service.preflight.finding import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that is wrong.

    Attributes:
        words: what was found.
        remedy: one sentence that says what to do.
        runbook: name of the entry in the runbook, which is that of the alert.
    """

    state: State
    subject: str
    words: str
    remedy: str
    runbook: str


def fault(subject: str, words: str, remedy: str, runbook: str) -> Trouble:
    """Say what must be repaired."""
    return Trouble(state=State.FAULT, subject=subject, words=words, remedy=remedy, runbook=runbook)


def warning(subject: str, words: str, remedy: str, runbook: str) -> Trouble:
    """Say what lets the service work, for now."""
    return Trouble(state=State.WARNING, subject=subject, words=words, remedy=remedy, runbook=runbook)
