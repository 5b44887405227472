"""What is derived of one meeting, as values. Must derive nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from service.reconcile.model import (
    Address,
    AttendeeRow,
    AttendeeType,
    InstanceKey,
    Pair,
    ResponseFact,
    ResponseValue,
    Slot,
)

NEVER: Final = -1
RANK: Final = {ResponseValue.ACCEPTED: 0, ResponseValue.TENTATIVE: 1, ResponseValue.DECLINED: 2}


class Ending(StrEnum):
    CANCELLED = "cancelled"
    GONE = "gone"


class Standing(StrEnum):
    NONE = "none"
    REPORTED = "reported"
    RECORDED = "recorded"
    CONFIRMED = "confirmed"
    CONFLICTING = "conflicting"


class Witness(StrEnum):
    MESSAGE = "message"
    CALENDAR = "calendar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is held of one person in one instance.

    Attributes:
        at_ns: when the person answered; None without an answer, 0 for Graph's year 1.
        proposal: the proposed span as instants in ns.
        own: False where it is the series' answer.
        message, row: the r and the c that met in the table; None where there was none, or it did not count.
        decided_by: the witness that decided.
        waits: the pair whose grace period runs, or ran out.
    """

    value: ResponseValue
    at_ns: int | None
    standing: Standing
    overdue: bool
    proposal: tuple[int, int] | None
    own: bool
    type: AttendeeType
    message: ResponseFact | None
    row: AttendeeRow | None
    decided_by: Witness | None
    waits: Pair | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One instance, or the single meeting or series itself; `place` is None except for instances."""

    ending: Ending | None
    slot: Slot | None
    place: Slot | None
    people: Mapping[Address, Answer]

    def tally(self) -> dict[ResponseValue, int]:
        """Count as the update's `tally` does: no rooms; nobody after an ending."""
        counted = dict.fromkeys((ResponseValue.NONE, *RANK), 0)
        for answer in self.people.values():
            if answer.type is not AttendeeType.RESOURCE:
                counted[answer.value] += 1
        return counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """Everything that follows from the facts; `at` has no `WHOLE` before an event of it is read."""

    at: Mapping[InstanceKey, State]

    def waiting(self) -> list[tuple[InstanceKey, Address, Pair]]:
        """List the pairs for which a timer runs, or ran out."""
        return [
            (instance, person, answer.waits)
            for instance, state in self.at.items()
            for person, answer in state.people.items()
            if answer.own and answer.waits is not None
        ]
