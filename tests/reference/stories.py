"""The stories that the tests of the reference share, and short ways to ask of them. No rule here."""

from __future__ import annotations

from service.reconcile.model import (
    WHOLE,
    Fact,
    InstanceKey,
    ResponseValue,
    Slot,
)
from tests.reference.builders import (
    ACCEPTED,
    DATES,
    SERIES_X,
    SERIES_Y,
    address,
    event,
    row,
    second,
    slot,
)
from tests.reference.consumer import Said
from tests.reference.derivation import derive
from tests.reference.derived import Answer, Derived, Standing
from tests.reference.emission import Emitter

I1, I2, I3 = DATES
MEGAN = address("megan")
PLACE_1 = slot("2026-03-09T10:00:00Z")
PLACE_2 = slot("2026-03-16T10:00:00Z")
MOVED_2 = slot("2026-03-17T08:00:00Z")


def derived(*facts: Fact) -> Derived:
    return derive(facts, tolerance_s=2)


def megan(*facts: Fact, instance: InstanceKey = WHOLE) -> Answer:
    return derived(*facts).at[instance].people[MEGAN]


def verdict(answer: Answer) -> tuple[ResponseValue, float | None, Standing, bool]:
    at_s = None if answer.at_ns is None else (answer.at_ns - second(0).ns) / 1e9
    return (answer.value, at_s, answer.standing, answer.overdue)


def said(
    emitter: Emitter, *facts: Fact, baseline: bool = False
) -> list[tuple[str, str, str | None, str | None]]:
    """Commit the facts (all that were ever read) and tell what was said."""
    return [brief(one) for one in emitter.emit(derived(*facts), baseline=baseline)]


def brief(one: Said) -> tuple[str, str, str | None, str | None]:
    name = None if one.attendee is None else one.attendee.split("@")[0]
    return (one.instance, one.type.value, name, one.value)


SERIES = event(0, row("megan", ACCEPTED, -10), slot=SERIES_X)


def exception(at: float, *rows: object, slot: Slot = PLACE_2, **more: object) -> Fact:
    return event(at, *rows, slot=slot, instance=I2, **more)  # type: ignore[arg-type]


MOVED_SERIES = event(100, row("megan"), slot=SERIES_Y, sequence=1)
NEW_PLACE_2 = slot("2026-03-16T14:00:00Z")
