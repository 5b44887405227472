"""What a judge must not hold against the service, because nobody could know better. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from service.reconcile.model import Address, EventFact, Fact, InstanceKey, ResponseFact
from service.sandbox.items import Event
from service.sandbox.mailbox import Mailbox
from service.sandbox.occurrences import occurrence_of
from tests.reference.places import same_slot


def is_in_a_view(box: Mailbox, event: Event) -> bool:
    """Tell whether a look into the calendar shows an event: not a series of which no occurrence is left."""
    if event.recurrence is None or event.is_cancelled:
        return True
    return any(occurrence_of(box, event, day) is not None for day in event.recurrence.dates())


def list_revived(facts: Sequence[Fact]) -> set[tuple[InstanceKey, Address]]:
    """List who answered one time and then another, of a meeting that is at the first: such an answer revives.

    It is one of the limits that are said in `service/reconcile/RULES.md`.
    """
    answers = [fact for fact in facts if isinstance(fact, ResponseFact)]
    places = [(fact.instance, fact.slot) for fact in facts if isinstance(fact, EventFact)]
    return {
        (one.instance, one.attendee)
        for one, later in permutations(answers, 2)
        if (one.instance, one.attendee) == (later.instance, later.attendee)
        and one.at < later.at
        and not same_slot(one.slot, later.slot)
        and any(at == one.instance and same_slot(slot, one.slot) for at, slot in places)
    }
