"""Emit by comparing the derived state with the fold of all that was ever said. Must decide no answer."""

from __future__ import annotations

from service.reconcile.model import WHOLE, Address, InstanceKey, ResponseValue, Slot
from tests.reference.consumer import Fold, Held, Said, Told
from tests.reference.derived import Answer, Derived, Ending, Standing, State
from tests.reference.places import same_slot
from tests.reference.readings import DEFAULT, Readings


class Emitter:
    """Says what a consumer must hear; holds nothing but what it said (`fold`, the P of the design)."""

    def __init__(self, readings: Readings = DEFAULT) -> None:
        self.fold = Fold(readings=readings)

    def emit(self, derived: Derived, *, baseline: bool = False) -> list[Said]:
        """Say the updates of one commit: the series first, then instances by date.

        Args:
            baseline: the first reading of a newly watched owner, or of a new generation.
        """
        first = len(self.fold.told)
        instances = sorted(derived.at.keys() - {WHOLE})
        whole = derived.at.get(WHOLE)
        if whole is not None:
            self._instance(WHOLE, whole, baseline)
        if whole is None or whole.ending is None:
            for instance in instances:
                self._instance(instance, derived.at[instance], baseline)
        return self.fold.told[first:]

    def _instance(self, instance: InstanceKey, state: State, baseline: bool) -> None:
        if state.ending is not None:
            if not self.fold.is_over(instance):
                ending = Told.CANCELLED if state.ending is Ending.CANCELLED else Told.DELETED
                self._say_of_meeting(instance, ending, state.slot)
            return
        before = self.fold.slot(instance) or state.place
        if before is not None and state.slot is not None and not same_slot(before, state.slot):
            self._say_of_meeting(instance, Told.RESCHEDULED, state.slot)
        for attendee in sorted(state.people.keys() | self.fold.people(instance).keys()):
            self._attendee(instance, state.slot, attendee, state.people.get(attendee), baseline)

    def _attendee(
        self, instance: InstanceKey, slot: Slot | None, attendee: Address, new: Answer | None, baseline: bool
    ) -> None:
        def say(type_: Told) -> None:
            self._say(instance, slot, attendee, type_, new)

        def held() -> Held | None:
            return self.fold.held(instance, attendee)

        if new is None:
            if held() is not None:
                say(Told.REMOVED)
            return
        if held() is None:
            say(Told.SNAPSHOT if baseline else Told.ADDED)
        if _held(held()).value != new.value:
            say(Told.CHANGED if new.value.is_answer else Told.RESET)
        if new.standing in (Standing.CONFIRMED, Standing.CONFLICTING) and new.standing != _held(held()).said:
            say(Told.CONFIRMED if new.standing is Standing.CONFIRMED else Told.CONFLICTING)
        if new.proposal is not None and new.proposal != _held(held()).proposal:
            say(Told.PROPOSED)

    def _say(
        self, instance: InstanceKey, slot: Slot | None, attendee: Address, type_: Told, new: Answer | None
    ) -> None:
        before = self.fold.held(instance, attendee)
        is_blank = new is None or type_ is Told.ADDED
        self.fold.tell(
            Said(
                instance=instance,
                type=type_,
                attendee=attendee,
                value=_value_of(type_, new),
                previous=None if before is None else before.value,
                standing=_standing_of(type_, new),
                overdue=not is_blank and new is not None and new.overdue,
                at_ns=None if is_blank or new is None else new.at_ns,
                proposal=None if is_blank or new is None else new.proposal,
                slot=slot,
            )
        )

    def _say_of_meeting(self, instance: InstanceKey, type_: Told, slot: Slot | None) -> None:
        self.fold.tell(
            Said(
                instance=instance,
                type=type_,
                attendee=None,
                value=None,
                previous=None,
                standing=None,
                overdue=False,
                at_ns=None,
                proposal=None,
                slot=slot,
            )
        )


def _held(held: Held | None) -> Held:
    assert held is not None, "said to be there a moment ago"
    return held


def _value_of(type_: Told, new: Answer | None) -> ResponseValue | None:
    if type_ is Told.ADDED:
        return ResponseValue.NONE
    return None if new is None else new.value


def _standing_of(type_: Told, new: Answer | None) -> Standing | None:
    if type_ is Told.ADDED:
        return Standing.NONE
    return None if new is None else new.standing
