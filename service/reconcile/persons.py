"""Brings the addresses of one person together: what each was told or shows is the person's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from service.reconcile.facts import (
    Alias,
    AttendeeFacts,
    InstanceFacts,
    MeetingFacts,
    MessageAnswer,
    answer_order,
    status_ns,
)
from service.reconcile.matching import is_legacy_address
from service.reconcile.model import Address, AttendeeRow, Pair, Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFacts:
    """What is known of one person in one instance, over all their addresses.

    Attributes:
        row: in the event; None where it does not list them.
        answered_ns: F over all addresses; None where no event ever showed an answer.
        row_times_ns: T over all addresses.
        listed_ns: when the series was first seen to list them; None where it never was.
        answers: the greatest per slot.
    """

    row: AttendeeRow | None
    answered_ns: int | None
    row_times_ns: frozenset[int]
    listed_ns: int | None
    answers: tuple[MessageAnswer, ...]
    due: frozenset[Pair]


NOBODY = PersonFacts(
    row=None, answered_ns=None, row_times_ns=frozenset(), listed_ns=None, answers=(), due=frozenset()
)


def gather_persons(meeting: MeetingFacts, instance: InstanceFacts) -> dict[Address, PersonFacts]:
    """Give everyone of whom anything is known in this instance, by published address, in order."""
    persons = find_published(meeting)
    grouped: dict[Address, list[AttendeeFacts]] = {}
    for address, facts in sorted(instance.attendees.items()):
        grouped.setdefault(persons.get(address, address), []).append(facts)
    return {person: _merge(parts) for person, parts in sorted(grouped.items())}


def find_published(meeting: MeetingFacts) -> dict[Address, Address]:
    """Give the address under which each aliased address of a meeting is published; refuted ones are none."""
    return find_persons(each for each in list_standing(meeting) if not _is_refuted(each, meeting))


def list_standing(meeting: MeetingFacts) -> list[Alias]:
    """Give the aliases of a meeting that the directory does not deny, in order."""
    denied = {(each.alias, each.person) for each in meeting.aliases if each.is_denied}
    return [each for each in meeting.aliases if (each.alias, each.person) not in denied]


def find_persons(aliases: Iterable[Alias]) -> dict[Address, Address]:
    """Give the address under which each aliased address is published: one that is nobody's alias."""
    aliases = tuple(aliases)
    together: dict[Address, set[Address]] = {}
    for each in aliases:
        merged = together.get(each.alias, {each.alias}) | together.get(each.person, {each.person})
        for address in merged:
            together[address] = merged
    known_aliases = {each.alias for each in aliases}
    return {
        address: min(group, key=lambda one: (one in known_aliases, one))
        for address, group in together.items()
    }


def _is_refuted(alias: Alias, meeting: MeetingFacts) -> bool:
    """Tell whether an alias by name alone is refuted: the calendar lists both as people of their own.

    A row in Exchange's legacy form is no refutation: it is the second row that such an address causes.
    """
    if not alias.is_by_name or is_legacy_address(alias.alias):
        return False
    return any(
        (one := instance.attendees.get(alias.alias)) is not None
        and one.row is not None
        and (other := instance.attendees.get(alias.person)) is not None
        and other.row is not None
        for instance in meeting.instances.values()
    )


def _merge(parts: list[AttendeeFacts]) -> PersonFacts:
    answered = [part.answered_ns for part in parts if part.answered_ns is not None]
    listed = [part.listed_ns for part in parts if part.listed_ns is not None]
    return PersonFacts(
        row=max((part.row for part in parts if part.row is not None), key=_row_order, default=None),
        answered_ns=max(answered, default=None),
        row_times_ns=frozenset(at for part in parts for at in part.row_times_ns),
        listed_ns=min(listed, default=None),
        answers=tuple(_greatest_per_slot(answer for part in parts for answer in part.answers)),
        due=frozenset(pair for part in parts for pair in part.due),
    )


def _row_order(row: AttendeeRow) -> tuple[bool, int, str, str]:
    return (row.value.is_answer, status_ns(row), row.value, row.address)


def _greatest_per_slot(answers: Iterable[MessageAnswer]) -> Iterable[MessageAnswer]:
    by_slot: dict[Slot, MessageAnswer] = {}
    for answer in answers:
        held = by_slot.get(answer.slot)
        if held is None:
            by_slot[answer.slot] = answer
            continue
        sequence = max((s for s in (held.sequence, answer.sequence) if s is not None), default=None)
        by_slot[answer.slot] = replace(max(held, answer, key=answer_order), sequence=sequence)
    return by_slot.values()
