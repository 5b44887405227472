"""What a consumer of the update stream holds: the fold of the entries it was told. Knows no fact and no rule.

The fold reads the whole list again for every question. `parse_entry` takes the flat fields of design 2.4.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from enum import StrEnum
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from service.reconcile.instant import parse_instant
from service.reconcile.model import WHOLE, Address, InstanceKey, ResponseValue, Slot
from tests.reference.derived import Standing
from tests.reference.readings import DEFAULT, Readings

PREFIX = "responsesync."


class Told(StrEnum):
    """Types of update without their prefix."""

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

    @property
    def is_ending(self) -> bool:
        return self in (Told.CANCELLED, Told.DELETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One update as far as the rules speak of it.

    Attributes:
        attendee: None for the meeting's own updates, of which value, standing and proposal are None too.
        value, standing: what the attendee's answer is now; None for `attendee.removed`.
        previous: what was held before; None where nothing was.
        at_ns: when the attendee responded.
        proposal: the answer's proposed span in ns.
        slot: of the instance; without the recurrence where it was read from the stream.
    """

    instance: InstanceKey
    type: Told
    attendee: Address | None
    value: ResponseValue | None
    previous: ResponseValue | None
    standing: Standing | None
    overdue: bool
    at_ns: int | None
    proposal: tuple[int, int] | None
    slot: Slot | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a consumer holds of one attendee.

    Attributes:
        said: confirmed or conflicting, if said since the value was told, and the position of that entry.
        proposal: the proposal last told, and the position of that entry.
    """

    value: ResponseValue
    said: Standing | None = None
    said_at: int = -1
    proposal: tuple[int, int] | None = None
    proposal_at: int = -1


class Fold:
    """One meeting of one epoch, as told so far."""

    def __init__(self, told: Sequence[Said] = (), readings: Readings = DEFAULT) -> None:
        self.told: list[Said] = list(told)
        self._readings = readings

    def tell(self, said: Said) -> None:
        self.told.append(said)

    def instances(self) -> list[InstanceKey]:
        return sorted({said.instance for said in self.told} - {WHOLE})

    def is_over(self, instance: InstanceKey) -> bool:
        """Tell whether an ending was said and nothing since: of the occurrence, or of the whole meeting."""
        if self.told and self.told[-1].instance == WHOLE and self.told[-1].type.is_ending:
            return True
        since_drop = [said for said in self.told[self._start(instance) :] if said.instance == instance]
        return instance != WHOLE and bool(since_drop) and since_drop[-1].type.is_ending

    def slot(self, instance: InstanceKey) -> Slot | None:
        """Give the slot that the instance's own entries told; None: not told, so an occurrence's place."""
        start = max(self._start(instance), self._ending(instance) + 1)
        told = [said.slot for said in self.told[start:] if said.instance == instance]
        return told[-1] if told else None

    def people(self, instance: InstanceKey) -> dict[Address, Held]:
        """Give who is there, and what is held of each, in address order."""
        ever = sorted({said.attendee for said in self.told if said.attendee is not None})
        held = {attendee: self.held(instance, attendee) for attendee in ever}
        return {attendee: one for attendee, one in held.items() if one is not None}

    def held(self, instance: InstanceKey, attendee: Address, until: int | None = None) -> Held | None:
        """Give what is held of an attendee after the first `until` entries; None: not there."""
        end = len(self.told) if until is None else until
        if instance == WHOLE:
            return self._folded(WHOLE, attendee, self._ending(WHOLE, end) + 1, end, None)
        start, over = self._start(instance, end), self._ending(instance, end)
        first = max(start, over + 1)
        own = [i for i in range(first, end) if self._is_of(i, instance, attendee)]
        from_series_until = own[0] if own else end
        base = None if over >= start else self.held(WHOLE, attendee, from_series_until)
        base = self._cleared(base, instance, first, from_series_until)
        return self._folded(instance, attendee, from_series_until, end, base)

    def _is_of(self, position: int, instance: InstanceKey, attendee: Address) -> bool:
        said = self.told[position]
        return said.instance == instance and said.attendee == attendee

    def _start(self, instance: InstanceKey, end: int | None = None) -> int:
        """Give where the entries begin that the series' endings and moves did not drop."""
        drops = [
            i
            for i, said in enumerate(self.told[:end])
            if said.instance == WHOLE
            and (said.type.is_ending or (said.type is Told.RESCHEDULED and instance != WHOLE))
        ]
        return max(drops, default=-1) + 1

    def _ending(self, instance: InstanceKey, end: int | None = None) -> int:
        endings = [
            i for i, said in enumerate(self.told[:end]) if said.instance == instance and said.type.is_ending
        ]
        return max(endings, default=-1)

    def _cleared(self, held: Held | None, instance: InstanceKey, first: int, end: int) -> Held | None:
        """Take off what the series said before the occurrence itself moved."""
        moves = [i for i in range(first, end) if self._moves(i, instance)]
        if held is None or not moves or not self._readings.move_of_instance_clears_inherited:
            return held
        said = held.said if held.said_at > moves[-1] else None
        proposal = held.proposal if held.proposal_at > moves[-1] else None
        return replace(held, said=said, proposal=proposal)

    def _moves(self, position: int, instance: InstanceKey) -> bool:
        said = self.told[position]
        return said.instance == instance and said.type is Told.RESCHEDULED

    def _folded(
        self, instance: InstanceKey, attendee: Address, start: int, end: int, held: Held | None
    ) -> Held | None:
        for position in range(start, end):
            if self._moves(position, instance):
                held = None if held is None else replace(held, said=None, proposal=None)
            elif self._is_of(position, instance, attendee):
                held = self._with(held, self.told[position], position)
        return held

    def _with(self, held: Held | None, said: Said, position: int) -> Held | None:
        if said.type is Told.REMOVED:
            return None
        assert said.value is not None
        fresh = Held(value=said.value)
        before = fresh if held is None else replace(held, value=said.value)
        match said.type:
            case Told.SNAPSHOT:
                return replace(
                    fresh, said=_firm(said), said_at=position, proposal=said.proposal, proposal_at=position
                )
            case Told.CONFIRMED | Told.CONFLICTING:
                return replace(before, said=Standing(said.type.removeprefix("response.")), said_at=position)
            case Told.PROPOSED:
                return replace(before, proposal=said.proposal, proposal_at=position)
            case Told.CHANGED | Told.RESET:
                return replace(before, said=None, **self._proposal_after(before, said, position))
        return fresh

    def _proposal_after(self, before: Held, said: Said, position: int) -> dict[str, Any]:
        if said.proposal is not None and self._readings.tell_proposal_beside_its_answer:
            return {"proposal": before.proposal, "proposal_at": before.proposal_at}
        return {"proposal": said.proposal, "proposal_at": position}


def _firm(said: Said) -> Standing | None:
    return said.standing if said.standing in (Standing.CONFIRMED, Standing.CONFLICTING) else None


# The stream's entries.


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the stream, opened.

    Attributes:
        owner, meeting: from the source, percent-decoded.
        data: the payload as it came.
    """

    source: str
    owner: str
    meeting: str
    epoch: int
    sequence: int
    said: Said
    data: Mapping[str, Any]


def parse_entry(fields: Mapping[str, str], zone_of: Callable[[str], tzinfo] = ZoneInfo) -> Entry:
    """Read the flat text fields of one entry.

    Args:
        zone_of: gives the zone of a `timeZone`; for streams that use other names than IANA's.
    """
    data = json.loads(fields["data"])
    owner, meeting, instance = _parse_source(fields["source"])
    response = data["response"] or {}
    at = fields.get("time")
    said = Said(
        instance=instance,
        type=Told(fields["type"].removeprefix(PREFIX)),
        attendee=Address(fields["subject"]) if "subject" in fields else None,
        value=_value(response.get("value")),
        previous=_value(response.get("previous")),
        standing=None if data["standing"] is None else Standing(data["standing"]),
        overdue=bool(data["overdue"]),
        at_ns=None if at is None else parse_instant(at).ns,
        proposal=_parse_span(response.get("proposedNewTime"), zone_of),
        slot=_parse_slot(data["event"], zone_of),
    )
    return Entry(
        source=fields["source"],
        owner=owner,
        meeting=meeting,
        epoch=int(fields["epoch"]),
        sequence=int(fields["sequence"]),
        said=said,
        data=data,
    )


def _parse_source(source: str) -> tuple[str, str, InstanceKey]:
    parts = [unquote(part) for part in source.split("/")]
    match parts:
        case ["", "owners", owner, "meetings", meeting]:
            return owner, meeting, WHOLE
        case ["", "owners", owner, "meetings", meeting, "instances", instance]:
            return owner, meeting, InstanceKey(instance)
    raise ValueError(f"not a source: {source}")


def _value(text: str | None) -> ResponseValue | None:
    """Read a value; `notResponded` is held as none, as the tally counts it."""
    if text is None:
        return None
    value = ResponseValue(text)
    return value if value.is_answer else ResponseValue.NONE


def _parse_instant(given: Mapping[str, str], zone_of: Callable[[str], tzinfo]) -> int:
    return parse_instant(given["dateTime"], zone_of(given["timeZone"])).ns


def _parse_span(given: Mapping[str, Any] | None, zone_of: Callable[[str], tzinfo]) -> tuple[int, int] | None:
    if given is None:
        return None
    return (_parse_instant(given["start"], zone_of), _parse_instant(given["end"], zone_of))


def _parse_slot(event: Mapping[str, Any], zone_of: Callable[[str], tzinfo]) -> Slot:
    return Slot(
        start=_parse_instant(event["start"], zone_of),
        end=_parse_instant(event["end"], zone_of),
        is_all_day=event["isAllDay"],
        recurrence=None,
    )


def fold_stream(entries: Iterable[Entry], readings: Readings = DEFAULT) -> dict[tuple[str, str], Fold]:
    """Fold a stream by (owner, meeting).

    A higher epoch of any source of a meeting replaces all that is held of the meeting, since the epoch is the
    birth of the meeting's state.
    """
    entries = list(entries)
    newest: dict[tuple[str, str], int] = {}
    for entry in entries:
        key = (entry.owner, entry.meeting)
        newest[key] = max(entry.epoch, newest.get(key, 0))
    folds = {key: Fold(readings=readings) for key in newest}
    for entry in entries:
        key = (entry.owner, entry.meeting)
        if entry.epoch == newest[key]:
            folds[key].tell(entry.said)
    return folds
