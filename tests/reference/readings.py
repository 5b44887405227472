"""The places where the rules can be read in two ways, each with the way taken. Must hold no rule itself.

A law that holds under one reading only shows that the text must be made sharper there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """How the ambiguous sentences are read.

    Attributes:
        other_slot_ends_with_its_last_event: "the last E with another slot" is the last event read with it;
            otherwise the first event of the slot that came last, which is all that `S` remembers.
        tell_proposal_beside_its_answer: an update of the value that brings a proposal does not yet tell it:
            `newtime.proposed` follows; otherwise the proposal counts as told with the value.
        move_of_instance_clears_inherited: `event.rescheduled` of an occurrence also clears there what the
            series said of proposals and standings before it; otherwise only the occurrence's own entries.
        own_by_discounted_answer: (i) holds also for an R that the rule of F discounts.
        absent_by_any_rule: someone whom E(I) does not list is absent there when *any* of (i) to (iv) holds;
            otherwise by (iv) alone.
    """

    other_slot_ends_with_its_last_event: bool = True
    tell_proposal_beside_its_answer: bool = True
    move_of_instance_clears_inherited: bool = True
    own_by_discounted_answer: bool = False
    absent_by_any_rule: bool = False


DEFAULT: Final = Readings()
