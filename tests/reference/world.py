"""A meeting as people really hold it, and what a service reads of it. Must know no rule of reading it.

Acts change the calendar and send messages; some acts only read. Each says for itself what arrives, when, and
in what shape; `World.play` turns a list of them into facts in reading order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from service.reconcile.model import (
    WHOLE,
    AttendeeRow,
    EventFact,
    Fact,
    InstanceKey,
    ResponseFact,
    ResponseValue,
    Slot,
)
from tests.reference import builders
from tests.reference.builders import NONE, YEAR_ONE, row
from tests.reference.derivation import derive
from tests.reference.places import place_of


class SlotKnown(StrEnum):
    """What a response message tells of the slot it answers."""

    WHOLLY = "wholly"
    PARTLY = "partly"
    NOT = "not"


class Reading(StrEnum):
    """How an event comes to be read."""

    FETCHED = "fetched"
    NOTIFIED = "notified"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beliefs:
    """What nobody could verify of Exchange.

    Attributes:
        resets: a move sets the statuses back to year 1.
        exceptions_survive: a move of the series leaves its exceptions where they are.
        records_stale: an answer to an older slot is written onto the event all the same.
        sequence_known: events tell their appointment sequence.
    """

    resets: bool = True
    exceptions_survive: bool = False
    records_stale: bool = False
    sequence_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Someone answers; `None` for a delay means that this witness never comes.

    Attributes:
        message_after, recorded_after: acts until the message is read, and until the calendar has it.
        skew_s, record_skew_s: how wrong the sender's clock is; how much later the calendar dates the answer.
        is_legacy: sent from, and recorded under, the person's legacy address.
        is_out_of_date: given to the slot that stood before the last move.
    """

    who: str
    value: ResponseValue
    where: InstanceKey = WHOLE
    message_after: int | None = 0
    recorded_after: int | None = 0
    skew_s: float = 0
    record_skew_s: float = 0
    proposes: str | None = None
    knows: SlotKnown = SlotKnown.WHOLLY
    sequence_known: bool = True
    is_legacy: bool = False
    is_out_of_date: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """The organizer moves the meeting; with the slot it has: only the agenda changes."""

    slot: Slot | None
    where: InstanceKey = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Invites:
    who: str
    where: InstanceKey = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Removes:
    who: str
    where: InstanceKey = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancels:
    where: InstanceKey = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletes:
    where: InstanceKey = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Restores:
    """What was cancelled or deleted is back."""

    where: InstanceKey = WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """The service looks into the calendar; finds the event, or that it is gone."""

    where: InstanceKey = WHOLE
    how: Reading = Reading.FETCHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Learns:
    """The service learns that the person's legacy address is the person's."""

    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsOut:
    """The grace period of every pair that stands runs out."""


Act = Answers | Moves | Invites | Removes | Cancels | Deletes | Restores | Reads | Learns | RunsOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An answer that was really given."""

    who: str
    where: InstanceKey
    slot: Slot
    value: ResponseValue
    at_s: float


@dataclass(slots=True, kw_only=True)
class _Entry:
    """An event in the organizer's calendar; `before` is the slot before the last move and its sequence."""

    slot: Slot
    rows: dict[str, AttendeeRow]
    modified_s: float
    sequence: int = 0
    is_cancelled: bool = False
    is_deleted: bool = False
    before: tuple[Slot, int] | None = None
    versions: list[EventFact] = field(default_factory=list)


NOBODY_ANSWERED: Final = (NONE, YEAR_ONE)


@dataclass(slots=True, kw_only=True)
class World:
    """One meeting; `facts` is what was read of it, in reading order, `given` what was answered."""

    tolerance_s: float
    beliefs: Beliefs
    slot: Slot
    people: Iterable[str]
    now_s: float = 0
    facts: list[Fact] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    _calendar: dict[InstanceKey, _Entry] = field(default_factory=dict)
    _later: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    _acts: int = 0

    def __post_init__(self) -> None:
        rows = {who: row(who, *NOBODY_ANSWERED) for who in self.people}
        self._calendar[WHOLE] = _Entry(slot=self.slot, rows=rows, modified_s=self.now_s)
        self._store(WHOLE)

    def play(self, act: Act, *, pause_s: float) -> None:
        """Let time pass, then let one thing happen, and what was due by then."""
        self.now_s += pause_s
        self._act(act)
        self._acts += 1
        for after, what in [late for late in self._later if late[0] <= self._acts]:
            self._later.remove((after, what))
            what()

    def settle(self) -> None:
        """Let everything arrive that ever will, and read all of the calendar."""
        for _, what in self._later:
            what()
        self._later.clear()
        for where in sorted({*self._calendar, *(one.where for one in self.given)}):
            self.now_s += 1
            self._read(Reads(where=where))

    # Acts.

    def _act(self, act: Act) -> None:
        match act:
            case Answers():
                self._answer(act)
            case Moves():
                self._move(act)
            case Invites():
                self._change(act.where, lambda entry: entry.rows.setdefault(act.who, _fresh_row(act.who)))
            case Removes():
                self._change(act.where, lambda entry: entry.rows.pop(act.who, None))
            case Cancels():
                self._end(act.where, cancelled=True)
            case Deletes():
                self._end(act.where, deleted=True)
            case Restores():
                self._end(act.where)
            case Reads():
                self._read(act)
            case Learns():
                self.facts.append(builders.alias(_legacy(act.who), act.who))
            case RunsOut():
                self._run_out()

    def _answer(self, act: Answers) -> None:
        entry = self._entry(act.where)
        slot, sequence = entry.slot, entry.sequence
        if act.is_out_of_date and entry.before is not None:
            slot, sequence = entry.before
        at_s = self.now_s + act.skew_s
        self.given.append(Given(who=act.who, where=act.where, slot=slot, value=act.value, at_s=at_s))
        message = self._message(act, slot, sequence, at_s)
        self._after(act.message_after, lambda: self.facts.append(message))
        self._after(act.recorded_after, lambda: self._record(act, slot, at_s + act.record_skew_s))

    def _after(self, acts: int | None, what: Callable[[], None]) -> None:
        if acts is not None:
            self._later.append((self._acts + acts + 1, what))

    def _message(self, act: Answers, slot: Slot, sequence: int, at_s: float) -> ResponseFact:
        slots = {
            SlotKnown.WHOLLY: slot,
            SlotKnown.PARTLY: replace(slot, end=None, is_all_day=None, recurrence=None),
            SlotKnown.NOT: builders.UNKNOWN,
        }
        return builders.answer(
            _legacy(act.who) if act.is_legacy else act.who,
            act.value,
            at_s,
            slot=slots[act.knows],
            instance=act.where,
            sequence=sequence if act.sequence_known else None,
            proposed=None if act.proposes is None else builders.proposal(act.proposes),
            message=f"<{len(self.given)}>",
        )

    def _record(self, act: Answers, slot: Slot, at_s: float) -> None:
        entry, who = self._entry(act.where), _legacy(act.who) if act.is_legacy else act.who
        known = entry.rows.get(who)
        is_stale = slot != entry.slot and not self.beliefs.records_stale
        is_listed = act.who in entry.rows and not entry.is_deleted
        is_older = known is not None and known.at is not None and known.at.ns >= builders.second(at_s).ns
        if is_stale or is_older or not is_listed:
            return
        proposed = None if act.proposes is None else builders.proposal(act.proposes)
        entry.rows[who] = row(who, act.value, at_s, proposed=proposed)
        self._store(act.where)

    def _move(self, act: Moves) -> None:
        entry = self._entry(act.where)
        before = (entry.slot, entry.sequence)
        entry.sequence += 1
        if act.slot is not None and act.slot != entry.slot:
            entry.before = before
            entry.slot = act.slot
            for who, kept in entry.rows.items():
                entry.rows[who] = _fresh_row(who) if self.beliefs.resets else replace(kept, proposal=None)
            if act.where == WHOLE and not self.beliefs.exceptions_survive:
                self._calendar = {WHOLE: entry}
        self._store(act.where)

    def _change(self, where: InstanceKey, change: Callable[[_Entry], object]) -> None:
        """Change the rows; of a series those of its exceptions too."""
        entry = self._entry(where)
        entry.sequence += 1
        change(entry)
        self._store(where)
        for exception in [key for key in self._calendar if where == WHOLE and key != WHOLE]:
            change(self._calendar[exception])
            self._store(exception)

    def _end(self, where: InstanceKey, *, cancelled: bool = False, deleted: bool = False) -> None:
        entry = self._entry(where)
        entry.is_cancelled, entry.is_deleted = cancelled, deleted
        self._store(where)

    def _run_out(self) -> None:
        for where, person, pair in derive(self.facts, tolerance_s=self.tolerance_s).waiting():
            name = person.removesuffix("@example.com")
            self.facts.append(replace(builders.due(name, (NONE, 0), instance=where), pair=pair))

    # The calendar.

    def _entry(self, where: InstanceKey) -> _Entry:
        """Give the event of an instance; an occurrence becomes an exception when something happens to it."""
        if where not in self._calendar:
            self._calendar[where] = self._occurrence(where)
        return self._calendar[where]

    def _occurrence(self, where: InstanceKey) -> _Entry:
        """Give the occurrence of a date as the calendar shows it: the rows of the series at its place."""
        series = self._calendar[WHOLE]
        entry = _Entry(
            slot=replace(place_of(series.versions[-1], where), recurrence=""),
            rows=dict(series.rows),
            modified_s=series.modified_s,
            sequence=series.sequence,
        )
        entry.versions.append(self._fact(where, entry))
        return entry

    def _store(self, where: InstanceKey) -> None:
        entry = self._calendar[where]
        entry.modified_s = self.now_s
        entry.versions.append(self._fact(where, entry))

    def _fact(self, where: InstanceKey, entry: _Entry) -> EventFact:
        return builders.event(
            entry.modified_s,
            *entry.rows.values(),
            slot=entry.slot,
            instance=where,
            seen=entry.modified_s,
            sequence=entry.sequence if self.beliefs.sequence_known else None,
            change_key=f"{where}#{len(entry.versions):04d}",
            is_cancelled=entry.is_cancelled,
        )

    def _read(self, act: Reads) -> None:
        entry = self._calendar.get(act.where) or self._occurrence(act.where)
        now = builders.second(self.now_s)
        if self._calendar[WHOLE].is_deleted or entry.is_deleted:
            self.facts.append(builders.gone(self.now_s, act.where))
            return
        match act.how:
            case Reading.FETCHED:
                self.facts.append(replace(entry.versions[-1], seen=now))
            case Reading.NOTIFIED:
                self.facts.append(entry.versions[-1])
            case Reading.STALE:
                self.facts.append(replace(entry.versions[-2:][0], seen=now))


def _fresh_row(who: str) -> AttendeeRow:
    return row(who, *NOBODY_ANSWERED)


def _legacy(who: str) -> str:
    return f"{who}-legacy"
