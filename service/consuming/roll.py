"""Who is coming, in memory: the fold of the update stream. Does no I/O and knows no fact and no rule.

How a consumer folds the stream is described in README.md, "How to read it".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from service.consuming.member import Trimmed
from service.consuming.seen import Gap
from service.consuming.update import WHOLE, Update

_ENDINGS: Final = {"event.cancelled": "cancelled", "event.deleted": "deleted"}
_FIRM: Final = {"response.confirmed", "response.conflicting"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendee:
    """One attendee as last told.

    Attributes:
        value: Graph's words; `none` where nobody answered.
        firm: `confirmed` or `conflicting` if that was said of this value, else empty.
        proposal: the time proposed last, with `start` and `end`; None where there is none.
        type: `required`, `optional` or `resource`.
    """

    address: str
    name: str | None
    type: str
    value: str
    firm: str = ""
    proposal: Mapping[str, Any] | None = None
    _firm_at: int = 0
    _proposal_at: int = 0


@dataclass(slots=True)
class _Place:
    """What was told of a meeting or of one occurrence by its own updates.

    Attributes:
        people: by address; None stands for one who was taken off.
        ending: empty, `cancelled` or `deleted`.
        is_detached: it ended once: nobody of the series is known here since.
        moved_at: when its own move was told; what the series said before of times and standings is void.
        event: as last told.
    """

    people: dict[str, Attendee | None] = field(default_factory=dict)
    ending: str = ""
    is_detached: bool = False
    moved_at: int = 0
    event: Mapping[str, Any] | None = None


@dataclass(slots=True)
class _Meeting:
    epoch: int
    whole: _Place = field(default_factory=_Place)
    occurrences: dict[str, _Place] = field(default_factory=dict)


class Roll:
    """Who is coming to what, as told so far.

    A meeting is held until its end is told; of one that is merely over nothing is told: `forget` it when you
    need it no more.
    """

    def __init__(self) -> None:
        self._meetings: dict[tuple[str, str], _Meeting] = {}
        self._clock = 0

    def take(self, update: Update) -> None:
        """Fold in one update; they come in the order of the stream, each once."""
        self._clock += 1
        key = (update.owner, update.meeting)
        meeting = self._meetings.get(key)
        if meeting is None or update.epoch > meeting.epoch:
            meeting = self._meetings[key] = _Meeting(epoch=update.epoch)
        elif update.epoch < meeting.epoch:
            return
        if update.instance == WHOLE and update.type in _ENDINGS:
            self.forget(update.owner, update.meeting)
        elif update.instance == WHOLE:
            self._take_whole(meeting, update)
        else:
            self._take_occurrence(meeting, update)

    def forget(self, owner: str, meeting: str) -> None:
        """Forget a meeting: it is over, or updates of it are missing and a snapshot will tell it anew."""
        self._meetings.pop((owner, meeting), None)

    async def miss(self, missed: Gap | Trimmed) -> None:
        """Forget what may be wrong because updates are missing; snapshots tell it anew. For `on_missed`.

        Of a series' occurrence no more than its own: a snapshot tells the series first, and what it has told
        must not be forgotten again when the first of an occurrence comes.
        """
        if not isinstance(missed, Gap):
            self._meetings.clear()
        elif missed.instance == WHOLE:
            self.forget(missed.owner, missed.meeting)
        elif held := self._meetings.get((missed.owner, missed.meeting)):
            held.occurrences.pop(missed.instance, None)

    def meetings(self, owner: str) -> list[str]:
        """List an owner's meetings that were neither cancelled nor deleted, in order."""
        return sorted(meeting for of, meeting in self._meetings if of == owner)

    def occurrences(self, owner: str, meeting: str) -> list[str]:
        """List the occurrences of a series of which something was told on their own, by original date."""
        held = self._meetings.get((owner, meeting))
        return [] if held is None else sorted(held.occurrences)

    def event(self, owner: str, meeting: str, instance: str = WHOLE) -> Mapping[str, Any] | None:
        """Give the event as last told, for the occurrence itself; None where nothing was told."""
        held = self._meetings.get((owner, meeting))
        place = None if held is None else held.whole if instance == WHOLE else held.occurrences.get(instance)
        return None if place is None else place.event

    def ending(self, owner: str, meeting: str, instance: str) -> str:
        """Tell whether an occurrence was `cancelled` or `deleted`; empty where it stands."""
        held = self._meetings.get((owner, meeting))
        place = None if held is None else held.occurrences.get(instance)
        return "" if place is None else place.ending

    def attendees(self, owner: str, meeting: str, instance: str = WHOLE) -> dict[str, Attendee]:
        """Give who is there, in address order: an occurrence's own entry, else what the series has."""
        held = self._meetings.get((owner, meeting))
        if held is None:
            return {}
        place = held.whole if instance == WHOLE else held.occurrences.get(instance, _Place())
        addresses = sorted({*held.whole.people, *place.people})
        found = {address: self._held(held, place, address) for address in addresses}
        return {address: attendee for address, attendee in found.items() if attendee is not None}

    def _held(self, meeting: _Meeting, place: _Place, address: str) -> Attendee | None:
        if place is meeting.whole or address in place.people:
            return place.people.get(address)
        of_series = meeting.whole.people.get(address)
        if of_series is None or place.is_detached:
            return None
        return _void_before(of_series, place.moved_at)

    def _take_whole(self, meeting: _Meeting, update: Update) -> None:
        whole = meeting.whole
        whole.event = update.data["event"]
        if update.type == "event.rescheduled":
            meeting.occurrences.clear()
            self._void_all(whole)
        elif update.attendee is not None:
            whole.people[update.attendee] = self._apply(whole.people.get(update.attendee), update)

    def _take_occurrence(self, meeting: _Meeting, update: Update) -> None:
        place = meeting.occurrences.setdefault(update.instance, _Place())
        if update.type in _ENDINGS:
            meeting.occurrences[update.instance] = _Place(
                ending=_ENDINGS[update.type], is_detached=True, event=update.data["event"]
            )
            return
        place.ending = ""
        place.event = update.data["event"]
        if update.type == "event.rescheduled":
            place.moved_at = self._clock
            self._void_all(place)
        elif update.attendee is not None:
            held = self._held(meeting, place, update.attendee)
            place.people[update.attendee] = self._apply(held, update)

    def _void_all(self, place: _Place) -> None:
        place.people = {
            address: None if held is None else _void_before(held, self._clock)
            for address, held in place.people.items()
        }

    def _apply(self, held: Attendee | None, update: Update) -> Attendee | None:
        if update.type == "attendee.removed":
            return None
        fresh = self._begin(update)
        if held is None or update.type == "attendee.added":
            held = fresh
        before = replace(held, value=fresh.value, name=fresh.name, type=fresh.type)
        if update.type == "response.snapshot":
            firm = update.standing or ""
            is_firm = f"response.{firm}" in _FIRM
            return replace(self._propose(fresh, update), firm=firm if is_firm else "", _firm_at=self._clock)
        if update.type in _FIRM:
            return replace(before, firm=update.type.partition(".")[2], _firm_at=self._clock)
        if update.type == "newtime.proposed":
            return self._propose(before, update)
        if update.type in ("response.changed", "response.reset"):
            return replace(self._propose(before, update), firm="")
        return before

    def _begin(self, update: Update) -> Attendee:
        told = update.data["attendee"]
        value = update.value or "none"
        return Attendee(
            address=told["address"],
            name=told["name"],
            type=told["type"],
            value="none" if value == "notResponded" else value,
        )

    def _propose(self, attendee: Attendee, update: Update) -> Attendee:
        return replace(attendee, proposal=update.proposal, _proposal_at=self._clock)


def _void_before(attendee: Attendee, moment: int) -> Attendee:
    """Take off what was said of standing and proposal before a move."""
    return replace(
        attendee,
        firm=attendee.firm if attendee._firm_at > moment else "",
        proposal=attendee.proposal if attendee._proposal_at > moment else None,
    )
