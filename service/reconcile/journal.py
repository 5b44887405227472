"""What became of each answer that was read: published, skipped, or not counted. Must never decide an answer.

A journal is no fact: it depends on what was known when an answer was read, and stands beside what was told.
It is bounded, and reading an answer again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final

from service.reconcile.attendee import DerivedAttendee
from service.reconcile.counting import Verdict
from service.reconcile.derive import DerivedInstance, DerivedMeeting
from service.reconcile.emit import Said, UpdateType
from service.reconcile.facts import status_ns
from service.reconcile.instant import Instant
from service.reconcile.model import (
    Address,
    AttendeeRow,
    EventFact,
    Fact,
    InstanceKey,
    ResponseFact,
    ResponseValue,
    Slot,
)


class Fate(StrEnum):
    """What became of an answer."""

    PUBLISHED = "published"
    REPEATED = "repeated"
    """It says what consumers held anyway."""
    SUPERSEDED = "superseded"
    """It counts, but a later one was already known when it was read."""
    SAME_MOMENT = "same_moment"
    """It counts, but another one within the tolerance was told."""
    OTHER_SLOT = "other_slot"
    """It is to another slot than the meeting has."""
    BEFORE_SERIES_MOVED = "before_series_moved"
    KEPT_FROM_BEFORE = "kept_from_before"
    """The calendar kept it from before the meeting moved."""
    NOT_INVITED = "not_invited"
    """The calendar does not list who gave it."""
    ENDED = "ended"
    WAITING = "waiting"
    """No event that it answers was read yet."""

    @property
    def is_skipped(self) -> bool:
        return self in _SKIPPED

    @property
    def is_final(self) -> bool:
        """Tell whether only being published may change it."""
        return self in (*_SKIPPED, Fate.PUBLISHED, Fate.REPEATED)


_SKIPPED: Final = (Fate.SUPERSEDED, Fate.SAME_MOMENT)
_UNCOUNTED: Final = {
    Verdict.OTHER_SLOT: Fate.OTHER_SLOT,
    Verdict.SLOT_UNKNOWN_TOO_OLD: Fate.OTHER_SLOT,
    Verdict.BEFORE_SERIES_MOVED: Fate.BEFORE_SERIES_MOVED,
}
_TELLING: Final = (UpdateType.CHANGED, UpdateType.SNAPSHOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One answer as it was given, whoever told of it.

    Attributes:
        at: None where the calendar gave no time.
        slot, sequence: what the message answers; of the event where only the calendar told of it.
        by_message, by_calendar: which witnesses told of it.
    """

    value: ResponseValue
    at: Instant | None
    slot: Slot
    sequence: int | None
    by_message: bool = False
    by_calendar: bool = False
    fate: Fate = Fate.WAITING

    @property
    def at_ns(self) -> int:
        return 0 if self.at is None else self.at.ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The last answers of one attendee in one instance, oldest first.

    Attributes:
        skipped_before: how many of those that were left out for room had been skipped.
        forgotten_ns: answers up to this instant were left out for room; None where none was.
    """

    entries: tuple[JournalEntry, ...] = ()
    skipped_before: int = 0
    forgotten_ns: int | None = None

    @property
    def skipped(self) -> int:
        """Give how many answers to the meeting as it stood were never published."""
        return self.skipped_before + sum(entry.fate.is_skipped for entry in self.entries)


Journals = Mapping[tuple[InstanceKey, Address], Journal]


def keep_journals(
    journals: Journals,
    facts: Iterable[Fact],
    derived: DerivedMeeting,
    said: Iterable[Said],
    *,
    persons: Mapping[Address, Address],
    tolerance_ns: int,
    entries_max: int,
) -> tuple[dict[tuple[InstanceKey, Address], Journal], tuple[Fate, ...]]:
    """Note the answers among the facts of one commit, and what became of all.

    Args:
        derived, said: what is so after the commit, and what the commit publishes.
        persons: the published address of each alias.
        entries_max: for each attendee and instance; the oldest are left out.

    Returns:
        The journals, and the fate of each answer that this commit skips.
    """
    kept = _by_person(journals, persons, tolerance_ns)
    for key, address, entry in _list_answers(facts, derived, persons):
        held = kept.get((key, address), Journal())
        kept[key, address] = _with_entry(held, entry, tolerance_ns)
    told = _list_told(said)
    skipped: list[Fate] = []
    for (key, address), journal in kept.items():
        judge = _Judge(
            instance=derived.instances.get(key),
            person=address,
            told=told.get((key, address), frozenset()),
            tolerance_ns=tolerance_ns,
        )
        judged = judge.judge_all(journal.entries)
        skipped += [
            after.fate
            for before, after in zip(journal.entries, judged, strict=True)
            if after.fate.is_skipped and not before.fate.is_skipped
        ]
        kept[key, address] = _bounded(replace(journal, entries=judged), entries_max)
    return kept, tuple(skipped)


def _list_told(said: Iterable[Said]) -> dict[tuple[InstanceKey, Address], frozenset[ResponseValue]]:
    """Give the values that a commit publishes, by instance and attendee."""
    told: dict[tuple[InstanceKey, Address], frozenset[ResponseValue]] = {}
    for one in said:
        if one.type in _TELLING:
            assert one.attendee is not None, "these types tell of somebody"
            name = (one.instance, one.attendee)
            told[name] = told.get(name, frozenset()) | {one.value}
    return told


def merge_journals(one: Journal, other: Journal, *, tolerance_ns: int) -> Journal:
    """Give the journal of a person of whom two addresses were known apart."""
    forgotten = [each.forgotten_ns for each in (one, other) if each.forgotten_ns is not None]
    merged = replace(one, skipped_before=one.skipped_before + other.skipped_before)
    for entry in other.entries:
        merged = _with_entry(merged, entry, tolerance_ns)
    return replace(merged, forgotten_ns=max(forgotten, default=None))


def _by_person(
    journals: Journals, persons: Mapping[Address, Address], tolerance_ns: int
) -> dict[tuple[InstanceKey, Address], Journal]:
    kept: dict[tuple[InstanceKey, Address], Journal] = {}
    for (key, address), journal in journals.items():
        name = (key, persons.get(address, address))
        held = kept.get(name)
        kept[name] = journal if held is None else merge_journals(held, journal, tolerance_ns=tolerance_ns)
    return kept


def _list_answers(
    facts: Iterable[Fact], derived: DerivedMeeting, persons: Mapping[Address, Address]
) -> Iterator[tuple[InstanceKey, Address, JournalEntry]]:
    for fact in facts:
        if isinstance(fact, ResponseFact):
            yield fact.instance, persons.get(fact.attendee, fact.attendee), _from_message(fact)
        elif isinstance(fact, EventFact):
            for row in fact.rows:
                person = persons.get(row.address, row.address)
                if row.value.is_answer and not _is_copied(derived, fact.instance, person):
                    yield fact.instance, person, _from_row(fact, row)


def _is_copied(derived: DerivedMeeting, key: InstanceKey, person: Address) -> bool:
    """Tell whether an occurrence's row is the series' answer, which the series' journal has."""
    instance = derived.instances.get(key)
    attendee = None if instance is None else instance.attendees.get(person)
    return attendee is not None and not attendee.is_own


def _from_message(fact: ResponseFact) -> JournalEntry:
    return JournalEntry(value=fact.value, at=fact.at, slot=fact.slot, sequence=fact.sequence, by_message=True)


def _from_row(fact: EventFact, row: AttendeeRow) -> JournalEntry:
    return JournalEntry(value=row.value, at=row.at, slot=fact.slot, sequence=fact.sequence, by_calendar=True)


def _with_entry(journal: Journal, entry: JournalEntry, tolerance_ns: int) -> Journal:
    """Add an answer, or what a second witness tells of one that is there."""
    if journal.forgotten_ns is not None and entry.at_ns <= journal.forgotten_ns:
        return journal
    entries = list(journal.entries)
    for position, held in enumerate(entries):
        if held.value is entry.value and abs(held.at_ns - entry.at_ns) <= tolerance_ns:
            entries[position] = _both(held, entry)
            return replace(journal, entries=tuple(entries))
    entries.append(entry)
    return replace(journal, entries=tuple(sorted(entries, key=_order)))


def _both(held: JournalEntry, entry: JournalEntry) -> JournalEntry:
    """Give an answer of which two witnesses told: what the message says of it is nearer to what was given."""
    better = held if held.by_message or not entry.by_message else entry
    return replace(
        better,
        by_message=held.by_message or entry.by_message,
        by_calendar=held.by_calendar or entry.by_calendar,
        fate=held.fate,
    )


def _order(entry: JournalEntry) -> tuple[int, str]:
    return (entry.at_ns, entry.value)


def _bounded(journal: Journal, entries_max: int) -> Journal:
    excess = len(journal.entries) - entries_max
    if excess <= 0:
        return journal
    dropped = journal.entries[:excess]
    return Journal(
        entries=journal.entries[excess:],
        skipped_before=journal.skipped_before + sum(entry.fate.is_skipped for entry in dropped),
        forgotten_ns=max(dropped[-1].at_ns, journal.forgotten_ns or 0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """Judges the answers of one attendee in one instance after a commit.

    Attributes:
        instance: None where nothing is derived of it.
        told: the values that this commit publishes for the attendee.
    """

    instance: DerivedInstance | None
    person: Address
    told: frozenset[ResponseValue]
    tolerance_ns: int

    def judge_all(self, entries: tuple[JournalEntry, ...]) -> tuple[JournalEntry, ...]:
        judged = [replace(entry, fate=self.judge(entry)) for entry in entries]
        counting = [position for position, entry in enumerate(judged) if entry.fate.is_final]
        for position, following in pairwise(counting):
            is_new = not entries[position].fate.is_final
            is_same = judged[position].value is judged[following].value
            if is_new and is_same and judged[position].fate is Fate.SUPERSEDED:
                judged[position] = replace(judged[position], fate=Fate.REPEATED)
        return tuple(judged)

    def judge(self, entry: JournalEntry) -> Fate:
        attendee = None if self.instance is None else self.instance.attendees.get(self.person)
        if attendee is not None and self._decides(entry, attendee):
            if entry.value in self.told:
                return Fate.PUBLISHED
            return entry.fate if entry.fate.is_final else Fate.REPEATED
        if entry.fate.is_final:
            return entry.fate
        if self.instance is None:
            return Fate.WAITING
        if attendee is None:
            return Fate.ENDED if self.instance.ending else Fate.NOT_INVITED
        return self._judge_beside(entry, attendee)

    def _decides(self, entry: JournalEntry, attendee: DerivedAttendee) -> bool:
        return entry.value is attendee.value and self._is_near(entry, _at_ns(attendee))

    def _judge_beside(self, entry: JournalEntry, attendee: DerivedAttendee) -> Fate:
        """Judge an answer where another one stands, or none."""
        if attendee.yardstick is None:
            return Fate.WAITING
        if attendee.is_stale and self._is_row(entry, attendee.row):
            return Fate.KEPT_FROM_BEFORE
        verdict = attendee.yardstick.judge(entry.slot, entry.sequence, entry.at_ns)
        if not verdict.counts:
            return _UNCOUNTED[verdict]
        return Fate.SAME_MOMENT if self._is_near(entry, _at_ns(attendee)) else Fate.SUPERSEDED

    def _is_row(self, entry: JournalEntry, row: AttendeeRow) -> bool:
        return entry.value is row.value and self._is_near(entry, status_ns(row))

    def _is_near(self, entry: JournalEntry, at_ns: int) -> bool:
        return abs(entry.at_ns - at_ns) <= self.tolerance_ns


def _at_ns(attendee: DerivedAttendee) -> int:
    return 0 if attendee.at is None else attendee.at.ns
