"""What a preflight check found. Holds no secret: details are shown and stored by others."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it stands. A warning lets the service work, with less than it could promise."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the preflight.

    Attributes:
        subject: what was looked at.
        detail: what was found.
        remedy: one sentence that says what to do; empty where all is well.
    """

    subject: str
    state: State
    detail: str
    remedy: str = ""


def ok(subject: str, detail: str) -> Finding:
    """Give a finding that all is well."""
    return Finding(subject=subject, state=State.OK, detail=detail)


def warning(subject: str, detail: str, remedy: str) -> Finding:
    """Give a finding that lets the service work."""
    return Finding(subject=subject, state=State.WARNING, detail=detail, remedy=remedy)


def fault(subject: str, detail: str, remedy: str) -> Finding:
    """Give a finding that must be repaired."""
    return Finding(subject=subject, state=State.FAULT, detail=detail, remedy=remedy)
