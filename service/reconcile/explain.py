"""The story of an attendee: what is held, what it means, what was told and what was skipped. Decides nothing.

Everything here is read off the state and derived as the worker derives it; the command `explain` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from service.reconcile.attendee import DerivedAttendee
from service.reconcile.counting import Verdict, Yardstick, take_yardstick
from service.reconcile.derive import DerivedInstance, DerivedMeeting, derive
from service.reconcile.facts import Alias, AttendeeFacts, InstanceFacts, MessageAnswer, answer_order
from service.reconcile.journal import Journal, merge_journals
from service.reconcile.model import WHOLE, Address, AttendeeRow, InstanceKey, Pair
from service.reconcile.persons import find_published
from service.reconcile.state import MeetingState
from service.reconcile.told import ToldAttendee


class Absence(StrEnum):
    """Why nothing is derived of an attendee in an instance."""

    NO_EVENT = "no event was read"
    CANCELLED = "cancelled"
    DELETED = "deleted"
    NOT_LISTED = "the calendar does not list them"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerStory:
    """The greatest answer to one slot from one address.

    Attributes:
        verdict: whether it counts; None where there is no event to measure it by.
        is_taken: it is the one that stands opposite the calendar's row.
        is_recorded_before: it is the greatest that counts, but the calendar has shown an answer as late as
            this one and shows none now.
    """

    address: Address
    answer: MessageAnswer
    verdict: Verdict | None
    is_taken: bool
    is_recorded_before: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RowStory:
    """A row that the event has for one of the attendee's addresses.

    Attributes:
        speaks: it is the one that is taken for the person.
        is_stale: what Exchange kept from before the meeting moved; counts as none.
    """

    row: AttendeeRow
    speaks: bool
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStory:
    """An attendee in one instance.

    Attributes:
        facts: of the instance, as they are held.
        derived: None where nothing is; then `absence` says why.
        told: what consumers hold; None where they were told nothing.
        is_told_here: they were told at this very source, not only at the series'.
        told_ending: `cancelled` or `deleted` once that was told of this instance; else empty.
        timer: what the grace period runs for; None where none does.
        answered_ns: F, the latest answer that any event of this instance ever showed.
        row_times_ns: T, every time of an answer that the series' rows ever showed.
        due: pairs whose grace period has passed.
    """

    instance: InstanceKey
    facts: InstanceFacts
    event: DerivedInstance | None
    derived: DerivedAttendee | None
    absence: Absence | None
    answers: tuple[AnswerStory, ...]
    rows: tuple[RowStory, ...]
    answered_ns: int | None
    row_times_ns: tuple[int, ...]
    due: tuple[Pair, ...]
    timer: Pair | None
    told: ToldAttendee | None
    is_told_here: bool
    told_ending: str
    journal: Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendeeStory:
    """One attendee of a meeting.

    Attributes:
        person: the address under which they are published.
        aliases: how other addresses came to be theirs.
        refuted: what was taken for theirs by a guess, until the calendar listed both or the directory knew
            better; one for each pair.
        instances: the whole first, then those occurrences by date of which more than the series is known.
    """

    person: Address
    name: str
    aliases: tuple[Alias, ...]
    refuted: tuple[Alias, ...]
    instances: tuple[InstanceStory, ...]


def explain(state: MeetingState, *, tolerance_ns: int) -> tuple[AttendeeStory, ...]:
    """Tell the story of everyone of whom anything is held, in address order."""
    persons = find_published(state.facts)
    addresses: dict[Address, set[Address]] = {}
    for address in _list_addresses(state):
        addresses.setdefault(persons.get(address, address), set()).add(address)
    teller = _Teller(
        state=state,
        derived=derive(state.facts, tolerance_ns=tolerance_ns),
        persons=persons,
        tolerance_ns=tolerance_ns,
    )
    return tuple(teller.tell(person, tuple(sorted(own))) for person, own in sorted(addresses.items()))


def _list_addresses(state: MeetingState) -> set[Address]:
    return {
        *(address for each in state.facts.instances.values() for address in each.attendees),
        *(address for each in state.told.instances.values() for address in each.attendees),
        *(address for _, address in state.journals),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Teller:
    """Tells stories out of one state."""

    state: MeetingState
    derived: DerivedMeeting
    persons: Mapping[Address, Address]
    tolerance_ns: int

    def tell(self, person: Address, addresses: tuple[Address, ...]) -> AttendeeStory:
        """Tell of one person with these addresses."""
        keys = sorted({*self.state.facts.instances, *self.derived.instances, *self.state.told.instances})
        told = [self._tell_instance(key, person, addresses) for key in keys]
        names = [story.row.name for each in told for story in each.rows if story.row.name]
        touching = [
            each for each in self.state.facts.aliases if {each.alias, each.person} & {*addresses, person}
        ]
        denials = {(each.alias, each.person) for each in touching if each.is_denied}
        return AttendeeStory(
            person=person,
            name=names[0] if names else "",
            aliases=tuple(each for each in touching if self._is_of(each, person) and not each.is_denied),
            refuted=tuple(
                each
                for each in touching
                if each.is_denied
                or (not self._is_of(each, person) and (each.alias, each.person) not in denials)
            ),
            instances=tuple(each for each in told if each.instance == WHOLE or _is_known(each)),
        )

    def _is_of(self, alias: Alias, person: Address) -> bool:
        return self.persons.get(alias.alias) == self.persons.get(alias.person) == person

    def _tell_instance(
        self, key: InstanceKey, person: Address, addresses: tuple[Address, ...]
    ) -> InstanceStory:
        facts, event = self.state.facts.instance(key), self.derived.instances.get(key)
        attendee = None if event is None else event.attendees.get(person)
        held = [(each, facts.attendees[each]) for each in addresses if each in facts.attendees]
        answered = [each.answered_ns for _, each in held if each.answered_ns is not None]
        return InstanceStory(
            instance=key,
            facts=facts,
            event=event,
            derived=attendee,
            absence=_find_absence(event, attendee),
            answers=_tell_answers(held, facts, attendee),
            rows=_tell_rows(held, attendee),
            answered_ns=max(answered, default=None),
            row_times_ns=tuple(sorted({at for _, each in held for at in each.row_times_ns})),
            due=tuple(sorted({pair for _, each in held for pair in each.due})),
            timer=self.state.timers.get((key, person)),
            told=self.state.told.held(key, person),
            is_told_here=person in self.state.told.instance(key).attendees,
            told_ending=self.state.told.instance(key).ending,
            journal=self._find_journal(key, addresses),
        )

    def _find_journal(self, key: InstanceKey, addresses: tuple[Address, ...]) -> Journal:
        journal = Journal()
        for each in addresses:
            noted = self.state.journals.get((key, each), Journal())
            journal = merge_journals(journal, noted, tolerance_ns=self.tolerance_ns)
        return journal


def _is_known(story: InstanceStory) -> bool:
    """Tell whether an occurrence has anything of the attendee that the series has not."""
    return bool(story.rows or story.answers or story.due or story.is_told_here or story.journal.entries)


def _find_absence(event: DerivedInstance | None, attendee: DerivedAttendee | None) -> Absence | None:
    if attendee is not None:
        return None
    if event is None:
        return Absence.NO_EVENT
    return Absence(event.ending) if event.ending else Absence.NOT_LISTED


def _tell_rows(
    held: list[tuple[Address, AttendeeFacts]], attendee: DerivedAttendee | None
) -> tuple[RowStory, ...]:
    return tuple(
        RowStory(
            row=facts.row,
            speaks=attendee is not None and attendee.row == facts.row,
            is_stale=attendee is not None and attendee.is_stale and attendee.row == facts.row,
        )
        for _, facts in held
        if facts.row is not None
    )


def _tell_answers(
    held: list[tuple[Address, AttendeeFacts]], instance: InstanceFacts, attendee: DerivedAttendee | None
) -> tuple[AnswerStory, ...]:
    answers = [(address, answer) for address, facts in held for answer in facts.answers]
    yardstick = _find_yardstick([answer for _, answer in answers], instance, attendee)
    judged = [
        (address, answer, yardstick.judge(answer.slot, answer.sequence, answer.at.ns) if yardstick else None)
        for address, answer in answers
    ]
    counting = [answer for _, answer, verdict in judged if verdict is not None and verdict.counts]
    greatest = max(counting, key=answer_order, default=None)
    taken = attendee.answer if attendee is not None and attendee.is_own else None
    return tuple(
        AnswerStory(
            address=address,
            answer=answer,
            verdict=verdict,
            is_taken=taken is not None and answer.witness == taken.witness and answer.slot == taken.slot,
            is_recorded_before=answer is greatest and attendee is not None and taken is None,
        )
        for address, answer, verdict in judged
    )


def _find_yardstick(
    answers: list[MessageAnswer], instance: InstanceFacts, attendee: DerivedAttendee | None
) -> Yardstick | None:
    """Give what the answers were measured by, or would be, were the attendee listed."""
    if attendee is not None and attendee.yardstick is not None:
        return attendee.yardstick
    if instance.head is None or attendee is not None:
        return None
    return take_yardstick(answers, instance, instance.head, None)
