"""Whether an event that came with its notification may be taken as it is, or has to be read. Pure.

A notification says what an event was like when it was last changed, by Exchange's clock; it does not say when
anybody saw it, by the clock of Graph's answers. Where facts are told apart by when they were *seen* (what
ended, what a moved series left behind, whom an occurrence does not list), one instant of each clock would be
compared. So such an event is read instead; any other is stamped with what was seen before, and tells nothing
of sight. Nor does it say what became of the event since: of a meeting that is held its end is noticed, told
before or after; the end of one that nobody held was noticed by nobody, so the first of a meeting is read.
The law: taken, it leads to what reading it in that moment would lead to.
"""

from __future__ import annotations

from collections.abc import Sequence

from service.reconcile.facts import InstanceFacts, MeetingFacts
from service.reconcile.instant import Instant
from service.reconcile.model import WHOLE, EventFact, EventType, InstanceKey


def is_sight_needed(meeting: MeetingFacts, fact: EventFact, cancelled: Sequence[InstanceKey] = ()) -> bool:
    """Tell whether it matters when the event was seen, so that it must be read.

    Args:
        meeting: what is held.
        fact: of the event as the notification carried it.
        cancelled: of a series, the occurrences that it says are cancelled.
    """
    held = meeting.instance(fact.instance)
    if meeting.instance(WHOLE).head is None or held.gone_at is not None or _is_another_type(held, fact):
        return True
    match fact.details.type:
        case EventType.SINGLE:
            return any(key != WHOLE for key in meeting.instances)
        case EventType.SERIES:
            return _changes_series(held, fact) or not all(
                _has_ended(meeting.instance(key)) for key in cancelled
            )
        case EventType.OCCURRENCE | EventType.EXCEPTION:
            return _is_measured(meeting.instance(WHOLE), fact)


def stamp_with(held: InstanceFacts, told: Instant) -> Instant:
    """Give the instant for `seen` of an event that was not seen: the last sight of it, else what it has.

    Args:
        told: as it was parsed, year 1.
    """
    return told if held.seen is None else held.seen


def _is_another_type(held: InstanceFacts, fact: EventFact) -> bool:
    """Tell whether a single meeting became a series, or a series a single meeting."""
    return (
        fact.instance == WHOLE and held.head is not None and held.head.details.type is not fact.details.type
    )


def _changes_series(held: InstanceFacts, fact: EventFact) -> bool:
    """Tell whether the series has another slot or other attendees: its occurrences are measured by both."""
    if held.head is None or held.head.slot != fact.slot:
        return True
    return _listed(held) != {row.address for row in fact.rows}


def _is_measured(series: InstanceFacts, fact: EventFact) -> bool:
    """Tell whether an occurrence is measured by when it was seen: after a move, or where it lists fewer."""
    if series.gone_at is not None or len(series.slots) > 1:
        return True
    return not _listed(series) <= {row.address for row in fact.rows}


def _listed(held: InstanceFacts) -> set[str]:
    return {address for address, facts in held.attendees.items() if facts.row is not None}


def _has_ended(held: InstanceFacts) -> bool:
    return held.is_gone or (held.head is not None and held.head.is_cancelled)
