"""The state of one meeting as flat text fields: one for each instance, one for each of its attendees.

Field names are `aliases`, `i:{instance}` and `a:{instance}:{address}`; values are JSON. Must never lose a
fact: what is decoded and encoded again is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from service.reconcile.facts import (
    Alias,
    AttendeeFacts,
    EventHead,
    InstanceFacts,
    MeetingFacts,
    SlotSpan,
)
from service.reconcile.instant import Instant
from service.reconcile.journal import Journal
from service.reconcile.model import Address, InstanceKey, Pair, Slot
from service.reconcile.told import ToldAttendee, ToldInstance, ToldMeeting

_ALIASES: Final = "aliases"
_INSTANCE: Final = "i"
_ATTENDEE: Final = "a"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingState:
    """Facts, what was told, and which timers run.

    Attributes:
        timers: for each instance and published address, the pair whose grace period runs.
        journals: for each instance and published address, what became of the answers read.
    """

    facts: MeetingFacts = field(default_factory=MeetingFacts)
    told: ToldMeeting = field(default_factory=ToldMeeting)
    timers: dict[tuple[InstanceKey, Address], Pair] = field(default_factory=dict)
    journals: dict[tuple[InstanceKey, Address], Journal] = field(default_factory=dict)


class _Instance(msgspec.Struct, frozen=True, omit_defaults=True):
    head: EventHead | None = None
    seen: Instant | None = None
    gone_at: Instant | None = None
    slots: tuple[SlotSpan, ...] = ()
    told_ending: str = ""
    told_slot: Slot | None = None
    is_detached: bool = False
    is_moved: bool = False


class _Attendee(msgspec.Struct, frozen=True, omit_defaults=True):
    facts: AttendeeFacts | None = None
    told: ToldAttendee | None = None
    timer: Pair | None = None
    journal: Journal | None = None


_encoder: Final = msgspec.json.Encoder(order="sorted")
_decode_aliases: Final = msgspec.json.Decoder(tuple[Alias, ...]).decode
_decode_instance: Final = msgspec.json.Decoder(_Instance).decode
_decode_attendee: Final = msgspec.json.Decoder(_Attendee).decode


def encode_state(state: MeetingState) -> dict[str, str]:
    """Give the flat fields of a state."""
    flat: dict[str, str] = {}
    if state.facts.aliases:
        flat[_ALIASES] = _text(state.facts.aliases)
    for key in {**state.facts.instances, **state.told.instances}:
        flat[f"{_INSTANCE}:{key}"] = _text(_instance_record(state, key))
    for key, address in _attendee_names(state):
        flat[f"{_ATTENDEE}:{key}:{address}"] = _text(_attendee_record(state, key, address))
    return flat


def decode_state(flat: Mapping[str, str]) -> MeetingState:
    """Read a state back from its flat fields; fields of other names are ignored.

    Raises:
        msgspec.DecodeError: a field does not hold what it should.
    """
    aliases = _decode_aliases(flat.get(_ALIASES, "[]"))
    attendees: dict[InstanceKey, dict[Address, _Attendee]] = {}
    instances: dict[InstanceKey, _Instance] = {}
    for name, text in flat.items():
        kind, _, rest = name.partition(":")
        if kind == _INSTANCE:
            instances[InstanceKey(rest)] = _decode_instance(text)
        elif kind == _ATTENDEE:
            key, _, address = rest.partition(":")
            attendees.setdefault(InstanceKey(key), {})[Address(address)] = _decode_attendee(text)
    return MeetingState(
        facts=MeetingFacts(
            instances={
                key: _facts_of(instances.get(key, _Instance()), attendees.get(key, {}))
                for key in sorted({*instances, *attendees})
            },
            aliases=aliases,
        ),
        told=ToldMeeting(
            instances={
                key: _told_of(instances.get(key, _Instance()), attendees.get(key, {}))
                for key in sorted({*instances, *attendees})
            }
        ),
        timers={
            (key, address): record.timer
            for key, records in attendees.items()
            for address, record in records.items()
            if record.timer is not None
        },
        journals={
            (key, address): record.journal
            for key, records in attendees.items()
            for address, record in records.items()
            if record.journal is not None
        },
    )


def _attendee_names(state: MeetingState) -> set[tuple[InstanceKey, Address]]:
    return {
        *((key, address) for key, held in state.facts.instances.items() for address in held.attendees),
        *((key, address) for key, held in state.told.instances.items() for address in held.attendees),
        *state.timers,
        *state.journals,
    }


def _instance_record(state: MeetingState, key: InstanceKey) -> _Instance:
    facts, told = state.facts.instance(key), state.told.instance(key)
    return _Instance(
        head=facts.head,
        seen=facts.seen,
        gone_at=facts.gone_at,
        slots=facts.slots,
        told_ending=told.ending,
        told_slot=told.slot,
        is_detached=told.is_detached,
        is_moved=told.is_moved,
    )


def _attendee_record(state: MeetingState, key: InstanceKey, address: Address) -> _Attendee:
    return _Attendee(
        facts=state.facts.instance(key).attendees.get(address),
        told=state.told.instance(key).attendees.get(address),
        timer=state.timers.get((key, address)),
        journal=state.journals.get((key, address)),
    )


def _facts_of(record: _Instance, attendees: Mapping[Address, _Attendee]) -> InstanceFacts:
    return InstanceFacts(
        head=record.head,
        seen=record.seen,
        gone_at=record.gone_at,
        slots=record.slots,
        attendees={
            address: each.facts for address, each in sorted(attendees.items()) if each.facts is not None
        },
    )


def _told_of(record: _Instance, attendees: Mapping[Address, _Attendee]) -> ToldInstance:
    return ToldInstance(
        ending=record.told_ending,
        slot=record.told_slot,
        is_detached=record.is_detached,
        is_moved=record.is_moved,
        attendees={
            address: each.told for address, each in sorted(attendees.items()) if each.told is not None
        },
    )


def _text(value: object) -> str:
    return _encoder.encode(value).decode()
