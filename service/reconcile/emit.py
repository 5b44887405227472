"""What is so against what was told: which updates are said, in which order. Must never ask why it is so.

The order within one commit: the whole first, then occurrences by date; in each the meeting-level update
first, then attendees in address order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from service.reconcile.attendee import DerivedAttendee
from service.reconcile.derive import CANCELLED, DerivedInstance, DerivedMeeting
from service.reconcile.facts import same_slot
from service.reconcile.model import WHOLE, Address, InstanceKey, ResponseValue
from service.reconcile.rules import Standing
from service.reconcile.told import ToldAttendee, ToldInstance, ToldMeeting


class UpdateType(StrEnum):
    """The `type` of an update, without the common prefix."""

    CHANGED = "response.changed"
    RESET = "response.reset"
    CONFIRMED = "response.confirmed"
    CONFLICTING = "response.conflicting"
    SNAPSHOT = "response.snapshot"
    PROPOSED = "newtime.proposed"
    ADDED = "attendee.added"
    REMOVED = "attendee.removed"
    RESCHEDULED = "event.rescheduled"
    CANCELLED = "event.cancelled"
    DELETED = "event.deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One update, as far as the heart knows it.

    Attributes:
        attendee: published address; None for meeting-level updates.
        name, attendee_type: of the attendee; empty for meeting-level updates.
        value, standing: what is told; none for added and removed.
        previous: what this source last said of the attendee; None where it said nothing.
        derived: what is so for the attendee; None for removed and meeting-level updates.
    """

    instance: InstanceKey
    type: UpdateType
    attendee: Address | None = None
    name: str = ""
    attendee_type: str = ""
    value: ResponseValue = ResponseValue.NONE
    previous: ResponseValue | None = None
    standing: Standing = Standing.NONE
    derived: DerivedAttendee | None = None


_ENDING_TYPES: Final = {CANCELLED: UpdateType.CANCELLED}
_STANDING_TYPES: Final = {
    Standing.CONFIRMED: UpdateType.CONFIRMED,
    Standing.CONFLICTING: UpdateType.CONFLICTING,
}


def emit(
    derived: DerivedMeeting, told: ToldMeeting, *, is_baseline: bool
) -> tuple[tuple[Said, ...], ToldMeeting]:
    """Say what consumers do not hold yet.

    Args:
        is_baseline: who was not told of before is told as a snapshot.

    Returns:
        The updates in order, may be none; and what is told after them.
    """
    said: list[Said] = []
    for key, instance in derived.instances.items():
        before = len(said)
        if instance.ending:
            said += _say_ending(key, instance, told)
            told = _after_ending(key, instance, told)
            continue
        update, told = _tell_slot(key, instance, told)
        said += update
        for person in _everyone(key, instance, told):
            updates, after = _tell_attendee(
                key, person, instance.attendees.get(person), told.held(key, person), is_baseline
            )
            said += updates
            if updates:
                told = _with_attendee(told, key, person, after)
        if len(said) > before:  # every update names the slot by the way
            told = told.with_instance(key, replace(told.instance(key), slot=instance.slot))
    return tuple(said), told


def snapshot(derived: DerivedMeeting, told: ToldMeeting) -> tuple[tuple[Said, ...], ToldMeeting]:
    """Say again all that consumers should hold: of the whole, and what each occurrence has of its own.

    Somebody who holds nothing must hold after it what somebody holds who read everything. So of occurrences
    it says too that they ended or moved, and who of the series is not in them.
    What has not been told yet must have been emitted first.
    """
    said: list[Said] = []
    for key, instance in derived.instances.items():
        if key != WHOLE:
            said += _say_place_again(key, told.instance(key))
        for person, attendee in instance.attendees.items():
            if person not in told.instance(key).attendees:
                continue
            held = told.held(key, person)
            assert held is not None, "what is new was emitted first"
            said.append(_about(key, person, attendee, UpdateType.SNAPSHOT, held.value))
            told = _with_attendee(told, key, person, _held_after_snapshot(attendee))
        if key != WHOLE and not instance.ending:
            for person in _list_absent(key, instance, told):
                update, removed = _say_absent(key, person, told)
                said.append(update)
                told = _with_attendee(told, key, person, removed)
    return tuple(said), told


def _say_place_again(key: InstanceKey, held: ToldInstance) -> Iterator[Said]:
    if held.ending:
        yield Said(instance=key, type=_ENDING_TYPES.get(held.ending, UpdateType.DELETED))
    elif held.is_moved:
        yield Said(instance=key, type=UpdateType.RESCHEDULED)


def _list_absent(key: InstanceKey, instance: DerivedInstance, told: ToldMeeting) -> list[Address]:
    """Give who is in the series and not in an occurrence of which that was told."""
    if key not in told.instances:
        return []
    of_series = told.instance(WHOLE).attendees
    return sorted(
        person for person, each in of_series.items() if each.is_present and person not in instance.attendees
    )


def _say_absent(key: InstanceKey, person: Address, told: ToldMeeting) -> tuple[Said, ToldAttendee]:
    held = told.instance(key).attendees.get(person)
    known = held or told.instance(WHOLE).attendees[person]
    update = _say_removed(key, person, known, previous=None if held is None else held.value)
    return update, _without_answer(known)


def _say_ending(key: InstanceKey, instance: DerivedInstance, told: ToldMeeting) -> Iterator[Said]:
    if not told.instance(key).ending:
        yield Said(instance=key, type=_ENDING_TYPES.get(instance.ending, UpdateType.DELETED))


def _after_ending(key: InstanceKey, instance: DerivedInstance, told: ToldMeeting) -> ToldMeeting:
    ended = ToldInstance(ending=told.instance(key).ending or instance.ending)
    return ToldMeeting(instances={WHOLE: ended}) if key == WHOLE else told.with_instance(key, ended)


def _tell_slot(
    key: InstanceKey, instance: DerivedInstance, told: ToldMeeting
) -> tuple[tuple[Said, ...], ToldMeeting]:
    held = told.instance(key)
    if held.ending:  # it came back: nothing is held of it any more
        held = ToldInstance(is_detached=key != WHOLE)
        told = told.with_instance(key, held)
    known = held.slot or instance.place
    if known is None or instance.slot is None or same_slot(known, instance.slot):
        return (), told
    update = Said(instance=key, type=UpdateType.RESCHEDULED)
    attendees = {person: replace(each, standing="", proposal=None) for person, each in held.attendees.items()}
    moved = replace(held, slot=instance.slot, attendees=attendees, is_moved=key != WHOLE)
    if key == WHOLE:  # consumers drop what they hold of its occurrences
        return (update,), ToldMeeting(instances={WHOLE: moved})
    return (update,), told.with_instance(key, moved)


def _everyone(key: InstanceKey, instance: DerivedInstance, told: ToldMeeting) -> list[Address]:
    return sorted({*instance.attendees, *told.instance(key).attendees, *told.instance(WHOLE).attendees})


def _tell_attendee(
    key: InstanceKey,
    person: Address,
    attendee: DerivedAttendee | None,
    held: ToldAttendee | None,
    is_baseline: bool,
) -> tuple[list[Said], ToldAttendee]:
    """Say what is new of one attendee, by rules 1 to 4."""
    if attendee is None:
        return _tell_removal(key, person, held)
    said: list[Said] = []
    if held is None or not held.is_present:
        added = _say_first(key, person, attendee, is_baseline)
        said.append(added)
        held = ToldAttendee(
            is_present=True,
            value=added.value,
            standing=str(added.standing) if added.standing.is_told else "",
            proposal=_span(attendee) if is_baseline else None,
            name=added.name,
            type=attendee.row.type,
        )
    if attendee.value is not held.value:
        kind = UpdateType.CHANGED if attendee.value.is_answer else UpdateType.RESET
        said.append(_about(key, person, attendee, kind, held.value))
        proposal = held.proposal if attendee.proposal is not None else None
        held = replace(held, value=attendee.value, standing="", proposal=proposal)
    if attendee.standing.is_told and held.standing != attendee.standing:
        said.append(_about(key, person, attendee, _STANDING_TYPES[attendee.standing], held.value))
        held = replace(held, standing=str(attendee.standing))
    if attendee.proposal is not None and attendee.proposal.span != held.proposal:
        said.append(_about(key, person, attendee, UpdateType.PROPOSED, held.value))
        held = replace(held, proposal=attendee.proposal.span)
    return said, replace(held, name=attendee.row.name, type=attendee.row.type)


def _tell_removal(
    key: InstanceKey, person: Address, held: ToldAttendee | None
) -> tuple[list[Said], ToldAttendee]:
    if held is None:
        return [], ToldAttendee(is_present=False, value=ResponseValue.NONE)
    said = [_say_removed(key, person, held, previous=held.value)] if held.is_present else []
    return said, _without_answer(held)


def _say_removed(
    key: InstanceKey, person: Address, known: ToldAttendee, *, previous: ResponseValue | None
) -> Said:
    return Said(
        instance=key,
        type=UpdateType.REMOVED,
        attendee=person,
        name=known.name,
        attendee_type=str(known.type),
        previous=previous,
    )


def _without_answer(known: ToldAttendee) -> ToldAttendee:
    return replace(known, is_present=False, value=ResponseValue.NONE, standing="", proposal=None)


def _say_first(key: InstanceKey, person: Address, attendee: DerivedAttendee, is_baseline: bool) -> Said:
    if is_baseline:
        return _about(key, person, attendee, UpdateType.SNAPSHOT, None)
    added = _about(key, person, attendee, UpdateType.ADDED, None)
    return replace(added, value=ResponseValue.NONE, standing=Standing.NONE)


def _about(
    key: InstanceKey,
    person: Address,
    attendee: DerivedAttendee,
    kind: UpdateType,
    previous: ResponseValue | None,
) -> Said:
    return Said(
        instance=key,
        type=kind,
        attendee=person,
        name=attendee.row.name,
        attendee_type=str(attendee.row.type),
        value=attendee.value,
        previous=previous,
        standing=attendee.standing,
        derived=attendee,
    )


def _span(attendee: DerivedAttendee) -> tuple[int, int] | None:
    return None if attendee.proposal is None else attendee.proposal.span


def _held_after_snapshot(attendee: DerivedAttendee) -> ToldAttendee:
    return ToldAttendee(
        is_present=True,
        value=attendee.value,
        standing=str(attendee.standing) if attendee.standing.is_told else "",
        proposal=_span(attendee),
        name=attendee.row.name,
        type=attendee.row.type,
    )


def _with_attendee(
    told: ToldMeeting, key: InstanceKey, person: Address, attendee: ToldAttendee
) -> ToldMeeting:
    held = told.instance(key)
    return told.with_instance(key, replace(held, attendees={**held.attendees, person: attendee}))
