"""What is held of a meeting, and how a fact joins it: maxima and small sets, whatever the order.

Joining is commutative, associative and idempotent. Must never decide what a fact means: that is `derive.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar, assert_never

import msgspec

from service.reconcile.instant import Instant
from service.reconcile.model import (
    WHOLE,
    Address,
    AliasFact,
    AttendeeRow,
    DueFact,
    EventDetails,
    EventFact,
    Fact,
    GoneFact,
    InstanceKey,
    MessageWitness,
    Pair,
    Proposal,
    ResponseFact,
    ResponseValue,
    Slot,
)

_RANK: Final = {ResponseValue.ACCEPTED: 1, ResponseValue.TENTATIVE: 2, ResponseValue.DECLINED: 3}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHead:
    """E*, the greatest event read of an instance, without its rows."""

    last_modified: Instant
    change_key: str
    sequence: int | None
    slot: Slot
    is_cancelled: bool
    details: EventDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotSpan:
    """One member of S: when an event with this slot was first and last changed, and first seen."""

    slot: Slot
    first_modified: Instant
    last_modified: Instant
    first_seen: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAnswer:
    """R*[A][slot]: the greatest answer of one address to one slot.

    Attributes:
        sequence: the greatest of all answers to that slot; None where none was known.
    """

    slot: Slot
    sequence: int | None
    value: ResponseValue
    at: Instant
    comment: str
    proposal: Proposal | None
    witness: MessageWitness


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendeeFacts:
    """What is known of one address in one instance.

    Attributes:
        row: its row in E*; None where E* does not list it.
        answered_ns: F, the latest status time with an answer in any event of this instance.
        row_times_ns: T, every status time with an answer; kept for the series only.
        listed_ns: the first time at which an event that lists it was seen; kept for the series only.
        answers: R*, one per slot, in a fixed order.
        due: pairs whose grace period has passed.
    """

    row: AttendeeRow | None = None
    answered_ns: int | None = None
    row_times_ns: tuple[int, ...] = ()
    listed_ns: int | None = None
    answers: tuple[MessageAnswer, ...] = ()
    due: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFacts:
    """What is known of a single meeting, a series, or one occurrence.

    Attributes:
        seen: the latest time at which any event of this instance was read.
        gone_at: the latest time at which it was looked for and not found.
        slots: S, in a fixed order.
    """

    head: EventHead | None = None
    seen: Instant | None = None
    gone_at: Instant | None = None
    slots: tuple[SlotSpan, ...] = ()
    attendees: dict[Address, AttendeeFacts] = field(default_factory=dict)

    @property
    def is_gone(self) -> bool:
        return self.gone_at is not None and (self.seen is None or self.gone_at.ns > self.seen.ns)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Alias:
    """Two addresses of one person.

    Attributes:
        is_by_name: found through a unique display name only.
        is_denied: the directory knows the two as different people.
    """

    alias: Address
    person: Address
    is_by_name: bool
    is_denied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingFacts:
    """All that is held of one meeting.

    Attributes:
        aliases: in a fixed order.
    """

    instances: dict[InstanceKey, InstanceFacts] = field(default_factory=dict)
    aliases: tuple[Alias, ...] = ()

    def instance(self, key: InstanceKey) -> InstanceFacts:
        return self.instances.get(key, _NO_INSTANCE)


_NO_INSTANCE: Final = InstanceFacts()
_NO_ATTENDEE: Final = AttendeeFacts()


def join(meeting: MeetingFacts, fact: Fact) -> MeetingFacts:
    """Join one fact; the meeting passed in stays as it is."""
    match fact:
        case AliasFact():
            return _join_alias(meeting, fact)
        case EventFact():
            return _with_instance(meeting, fact.instance, lambda held: _join_event(held, fact))
        case ResponseFact():
            return _with_attendee(
                meeting, fact.instance, fact.attendee, lambda held: _join_response(held, fact)
            )
        case GoneFact():
            return _with_instance(
                meeting, fact.instance, lambda held: replace(held, gone_at=_latest(held.gone_at, fact.at))
            )
        case DueFact():
            return _with_attendee(
                meeting,
                fact.instance,
                fact.attendee,
                lambda held: replace(held, due=tuple(sorted({*held.due, fact.pair}))),
            )
        case _:
            assert_never(fact)


def join_all(meeting: MeetingFacts, facts: Iterable[Fact]) -> MeetingFacts:
    """Join any number of facts, in any order."""
    for fact in facts:
        meeting = join(meeting, fact)
    return meeting


def same_slot(one: Slot, other: Slot) -> bool:
    """Tell whether two slots agree in every member that both know."""
    return (
        _agree(one.start, other.start)
        and _agree(one.end, other.end)
        and _agree(one.is_all_day, other.is_all_day)
        and _agree(one.recurrence, other.recurrence)
    )


def answer_order(answer: MessageAnswer) -> tuple[object, ...]:
    """Give the key by which the greatest answer is found: instant, rank, then what makes it definite."""
    return (
        answer.at.ns,
        _RANK.get(answer.value, 0),
        (-1, -1) if answer.proposal is None else answer.proposal.span,
        answer.comment,
        answer.witness.internet_message_id,
        msgspec.json.encode(replace(answer, sequence=None), order="sorted"),
    )


def _join_event(held: InstanceFacts, event: EventFact) -> InstanceFacts:
    is_greater = held.head is None or _event_order(event) > _held_event_order(held, held.head)
    rows = {row.address: row for row in event.rows}
    attendees = {
        address: _join_row(
            held.attendees.get(address, _NO_ATTENDEE),
            rows.get(address),
            event,
            is_greater=is_greater,
        )
        for address in {**held.attendees, **rows}
    }
    head = _head_of(event) if is_greater else held.head
    slots = _join_slot(held.slots, event)
    return replace(held, head=head, seen=_latest(held.seen, event.seen), slots=slots, attendees=attendees)


def _join_row(
    held: AttendeeFacts, row: AttendeeRow | None, event: EventFact, *, is_greater: bool
) -> AttendeeFacts:
    if row is None:
        return replace(held, row=None) if is_greater else held
    if event.instance == WHOLE:
        before_ns = event.seen.ns if held.listed_ns is None else held.listed_ns
        held = replace(held, listed_ns=min(before_ns, event.seen.ns))
    if row.value.is_answer:
        at = status_ns(row)
        times = (*held.row_times_ns, at) if event.instance == WHOLE else ()
        held = replace(
            held, answered_ns=max(held.answered_ns or 0, at), row_times_ns=tuple(sorted(set(times)))
        )
    return replace(held, row=row) if is_greater else held


def _join_response(held: AttendeeFacts, fact: ResponseFact) -> AttendeeFacts:
    answer = MessageAnswer(
        slot=fact.slot,
        sequence=fact.sequence,
        value=fact.value,
        at=fact.at,
        comment=fact.comment,
        proposal=fact.proposal,
        witness=fact.witness,
    )
    by_slot = {each.slot: each for each in held.answers}
    before = by_slot.get(fact.slot)
    if before is not None:
        sequence = max((s for s in (before.sequence, answer.sequence) if s is not None), default=None)
        answer = replace(max(before, answer, key=answer_order), sequence=sequence)
    by_slot[fact.slot] = answer
    return replace(held, answers=tuple(sorted(by_slot.values(), key=lambda each: _slot_order(each.slot))))


def _join_slot(slots: tuple[SlotSpan, ...], event: EventFact) -> tuple[SlotSpan, ...]:
    by_slot = {span.slot: span for span in slots}
    held = by_slot.get(event.slot)
    by_slot[event.slot] = SlotSpan(
        slot=event.slot,
        first_modified=event.last_modified if held is None else min(held.first_modified, event.last_modified),
        last_modified=event.last_modified if held is None else max(held.last_modified, event.last_modified),
        first_seen=event.seen if held is None else min(held.first_seen, event.seen),
    )
    return tuple(sorted(by_slot.values(), key=lambda span: _slot_order(span.slot)))


def _join_alias(meeting: MeetingFacts, fact: AliasFact) -> MeetingFacts:
    alias = Alias(alias=fact.alias, person=fact.person, is_by_name=fact.is_by_name, is_denied=fact.is_denied)
    return replace(meeting, aliases=tuple(sorted({*meeting.aliases, alias})))


def status_ns(row: AttendeeRow) -> int:
    """Give the status time of a row; one that Graph left out counts as year 1."""
    return 0 if row.at is None else row.at.ns


def _event_order(event: EventFact) -> tuple[object, ...]:
    return (
        event.last_modified,
        event.change_key,
        max((status_ns(row) for row in event.rows), default=0),
        msgspec.json.encode((_head_of(event), event.rows), order="sorted"),
    )


def _held_event_order(held: InstanceFacts, head: EventHead) -> tuple[object, ...]:
    rows = tuple(facts.row for _, facts in sorted(held.attendees.items()) if facts.row is not None)
    return (
        head.last_modified,
        head.change_key,
        max((status_ns(row) for row in rows), default=0),
        msgspec.json.encode((head, rows), order="sorted"),
    )


def _head_of(event: EventFact) -> EventHead:
    return EventHead(
        last_modified=event.last_modified,
        change_key=event.change_key,
        sequence=event.sequence,
        slot=event.slot,
        is_cancelled=event.is_cancelled,
        details=event.details,
    )


def _with_instance(
    meeting: MeetingFacts, key: InstanceKey, change: Callable[[InstanceFacts], InstanceFacts]
) -> MeetingFacts:
    return replace(meeting, instances={**meeting.instances, key: change(meeting.instance(key))})


def _with_attendee(
    meeting: MeetingFacts,
    key: InstanceKey,
    address: Address,
    change: Callable[[AttendeeFacts], AttendeeFacts],
) -> MeetingFacts:
    def change_instance(held: InstanceFacts) -> InstanceFacts:
        changed = change(held.attendees.get(address, _NO_ATTENDEE))
        return replace(held, attendees={**held.attendees, address: changed})

    return _with_instance(meeting, key, change_instance)


def _agree(one: _T | None, other: _T | None) -> bool:
    return one is None or other is None or one == other


def _slot_order(slot: Slot) -> bytes:
    return msgspec.json.encode(slot, order="sorted")


def _latest(one: Instant | None, other: Instant) -> Instant:
    return other if one is None else max(one, other)
