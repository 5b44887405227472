"""What a meeting holds at most of answers, however many are sent to it. Pure.

Whoever was invited can answer to slots and dates that never were, and whoever knows the meeting can answer
without being invited. What goes first is the oldest; of somebody on an event, never what counts there now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from service.reconcile.facts import (
    AttendeeFacts,
    InstanceFacts,
    MeetingFacts,
    MessageAnswer,
    answer_order,
    same_slot,
)
from service.reconcile.model import Address, InstanceKey

Place = tuple[InstanceKey, Address]


def bound_answers(facts: MeetingFacts, *, answers_max: int, loose_max: int) -> MeetingFacts:
    """Leave out the oldest answers beyond the bounds.

    Args:
        answers_max: of one address in one instance, each to another slot.
        loose_max: of those, together, who are on no event, and to instances of which no event was read.
    """
    if any(len(each.answers) > answers_max for _, each in _walk(facts)):
        facts = _map_attendees(
            facts, lambda place, each: _bound_attendee(each, facts.instance(place[0]), answers_max)
        )
    loose = _list_loose(facts)
    if sum(len(each.answers) for _, each in loose) <= loose_max:
        return facts
    return _bound_loose(facts, dict(loose), loose_max)


def list_places(facts: MeetingFacts) -> frozenset[Place]:
    """Give every address of every instance of which something is held."""
    return frozenset(place for place, _ in _walk(facts))


def _bound_attendee(attendee: AttendeeFacts, instance: InstanceFacts, answers_max: int) -> AttendeeFacts:
    if len(attendee.answers) <= answers_max:
        return attendee

    def worth(answer: MessageAnswer) -> tuple[bool, tuple[object, ...]]:
        is_present = instance.head is not None and same_slot(answer.slot, instance.head.slot)
        return is_present, answer_order(answer)

    kept = sorted(attendee.answers, key=worth)[-answers_max:]
    return replace(attendee, answers=tuple(each for each in attendee.answers if each in kept))


def _list_loose(facts: MeetingFacts) -> list[tuple[Place, AttendeeFacts]]:
    listed = {address for (_, address), each in _walk(facts) if each.row is not None}
    return [
        (place, each)
        for place, each in _walk(facts)
        if _is_of_answers_alone(each) and (place[1] not in listed or facts.instance(place[0]).head is None)
    ]


def _bound_loose(facts: MeetingFacts, loose: dict[Place, AttendeeFacts], loose_max: int) -> MeetingFacts:
    answers = [(answer_order(answer), place) for place, each in loose.items() for answer in each.answers]
    kept = frozenset(sorted(answers)[len(answers) - loose_max :])

    def bound(place: Place, attendee: AttendeeFacts) -> AttendeeFacts | None:
        if place not in loose:
            return attendee
        left = tuple(each for each in attendee.answers if (answer_order(each), place) in kept)
        return replace(attendee, answers=left) if left else None

    return _map_attendees(facts, bound)


def _is_of_answers_alone(attendee: AttendeeFacts) -> bool:
    return bool(attendee.answers) and attendee == AttendeeFacts(answers=attendee.answers, due=attendee.due)


def _walk(facts: MeetingFacts) -> Iterator[tuple[Place, AttendeeFacts]]:
    for key, instance in facts.instances.items():
        for address, attendee in instance.attendees.items():
            yield (key, address), attendee


def _map_attendees(
    facts: MeetingFacts, change: Callable[[Place, AttendeeFacts], AttendeeFacts | None]
) -> MeetingFacts:
    """Give the facts with each attendee changed, or left out where that gives None."""
    instances = {}
    for key, instance in facts.instances.items():
        changed = ((address, change((key, address), each)) for address, each in instance.attendees.items())
        attendees = {address: each for address, each in changed if each is not None}
        instances[key] = replace(instance, attendees=attendees)
    return replace(facts, instances=instances)
