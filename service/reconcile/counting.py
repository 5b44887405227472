"""Which of an attendee's answers count towards the event that stands, and for each why. Decides no value.

Words as in the rules: an answer counts when it is to the slot of the event, or to a version of it that was
not read yet, or to a slot that is not known where nothing speaks against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from service.reconcile.facts import EventHead, InstanceFacts, MessageAnswer, same_slot
from service.reconcile.model import Slot


class Verdict(StrEnum):
    """Whether an answer counts, and by which rule."""

    PRESENT_SLOT = "present_slot"
    VERSION_AHEAD = "version_ahead"
    SLOT_UNKNOWN = "slot_unknown"
    OTHER_SLOT = "other_slot"
    BEFORE_SERIES_MOVED = "before_series_moved"
    SLOT_UNKNOWN_TOO_OLD = "slot_unknown_too_old"

    @property
    def counts(self) -> bool:
        return self in (Verdict.PRESENT_SLOT, Verdict.VERSION_AHEAD, Verdict.SLOT_UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What the answers of one attendee in one instance are measured by.

    Attributes:
        slot, sequence: of the event that stands.
        given_since_ns: answers from before do not count, for the series moved then; None where all may.
        unknown_since_ns: an answer to an unknown slot counts only when it is later.
    """

    slot: Slot
    sequence: int | None
    given_since_ns: int | None
    unknown_since_ns: int

    def judge(self, slot: Slot, sequence: int | None, at_ns: int) -> Verdict:
        """Tell whether an answer to that slot and version, given at that instant, counts."""
        if self.given_since_ns is not None and at_ns < self.given_since_ns:
            return Verdict.BEFORE_SERIES_MOVED
        if not slot.is_unknown and same_slot(slot, self.slot):
            return Verdict.PRESENT_SLOT
        if sequence is not None and self.sequence is not None and sequence > self.sequence:
            return Verdict.VERSION_AHEAD
        if not slot.is_unknown:
            return Verdict.OTHER_SLOT
        return Verdict.SLOT_UNKNOWN if at_ns > self.unknown_since_ns else Verdict.SLOT_UNKNOWN_TOO_OLD


def take_yardstick(
    answers: Iterable[MessageAnswer], instance: InstanceFacts, head: EventHead, given_since_ns: int | None
) -> Yardstick:
    """Give what an attendee's answers are measured by.

    Args:
        answers: all of the attendee in this instance.
    """
    known = Yardstick(
        slot=head.slot, sequence=head.sequence, given_since_ns=given_since_ns, unknown_since_ns=-1
    )
    elsewhere = [span.last_modified.ns for span in instance.slots if not same_slot(span.slot, head.slot)]
    uncounted = [
        answer.at.ns
        for answer in answers
        if not known.judge(answer.slot, answer.sequence, answer.at.ns).counts
    ]
    return replace(known, unknown_since_ns=max([*elsewhere, *uncounted], default=-1))
