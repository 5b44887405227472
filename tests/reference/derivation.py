"""Derive by brute force: each question is answered by looking through all facts ever read. Must keep nothing.

Words as in the design, section 3: E an event, R a response, c the calendar's row, r the response that counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from service.reconcile.instant import NS_PER_S
from service.reconcile.model import (
    WHOLE,
    Address,
    AliasFact,
    AttendeeRow,
    DueFact,
    EventFact,
    Fact,
    GoneFact,
    InstanceKey,
    Pair,
    Proposal,
    ResponseFact,
    ResponseValue,
)
from tests.reference.derived import NEVER, RANK, Answer, Derived, Ending, Standing, State, Witness
from tests.reference.places import moment, place_of, same_slot
from tests.reference.readings import DEFAULT, Readings


def derive(facts: Iterable[Fact], *, tolerance_s: float, readings: Readings = DEFAULT) -> Derived:
    """Derive the state of one meeting from all facts read of it, in whatever order."""
    return _Story(tuple(facts), round(tolerance_s * NS_PER_S), readings).derived()


def _proposal_key(proposal: Proposal | None) -> tuple[int, int]:
    return (NEVER, NEVER) if proposal is None else proposal.span


def _later(response: ResponseFact) -> tuple[int, int, tuple[int, int], str, str]:
    """Order responses as the join does."""
    return (
        response.at.ns,
        RANK.get(response.value, NEVER),
        _proposal_key(response.proposal),
        response.comment,
        response.witness.internet_message_id,
    )


@dataclass(frozen=True, slots=True)
class _Story:
    facts: tuple[Fact, ...]
    tolerance: int
    readings: Readings

    # What was read.

    def events(self, instance: InstanceKey) -> list[EventFact]:
        return [f for f in self.facts if isinstance(f, EventFact) and f.instance == instance]

    def responses(self, instance: InstanceKey, person: Address) -> list[ResponseFact]:
        responses = [f for f in self.facts if isinstance(f, ResponseFact) and f.instance == instance]
        return [r for r in responses if self.person(r.attendee) == person]

    def newest(self, instance: InstanceKey) -> EventFact | None:
        """E*: nothing but the greatest, whatever was read last."""

        def key(event: EventFact) -> tuple[int, str, int, str]:
            latest = max((moment(row.at) for row in event.rows), default=NEVER)
            return (
                event.last_modified.ns,
                event.change_key,
                latest,
                repr(replace(event, seen=event.last_modified)),
            )

        return max(self.events(instance), key=key, default=None)

    def seen(self, instance: InstanceKey) -> int:
        return max((event.seen.ns for event in self.events(instance)), default=NEVER)

    def gone(self, instance: InstanceKey) -> int:
        """Give the last look that did not find it, if nothing was seen since; else NEVER."""
        looks = [f.at.ns for f in self.facts if isinstance(f, GoneFact) and f.instance == instance]
        last = max(looks, default=NEVER)
        return last if last > self.seen(instance) else NEVER

    def instances(self) -> list[InstanceKey]:
        return sorted({f.instance for f in self.facts if not isinstance(f, AliasFact)} - {WHOLE})

    # Who is who.

    def person(self, address: Address) -> Address:
        """Follow aliases both ways; the person is published under the address that is nobody's alias."""
        aliases = [f for f in self.facts if isinstance(f, AliasFact)]
        circle: set[Address] = set()
        grown = {address}
        while grown != circle:
            circle = grown
            touching = [f for f in aliases if f.alias in circle or f.person in circle]
            grown = circle | {f.alias for f in touching} | {f.person for f in touching}
        persons = {f.person for f in aliases if f.person in circle}
        primary = persons - {f.alias for f in aliases if f.alias != f.person}
        return min(primary or persons or circle)

    def rows(self, event: EventFact) -> dict[Address, AttendeeRow]:
        """Give one row for each person: of two, the one with an answer, then the later."""
        chosen: dict[Address, AttendeeRow] = {}
        for row in event.rows:
            person = self.person(row.address)
            chosen[person] = max(row, chosen.get(person, row), key=_better_row)
        return chosen

    def answered(self, instance: InstanceKey, person: Address) -> list[int]:
        """T[A], whose greatest is F[A]: the status times with an answer, of all events of the instance."""
        rows = [row for event in self.events(instance) for row in event.rows]
        return [moment(r.at) for r in rows if r.value.is_answer and self.person(r.address) == person]

    # Since when the series stands where it stands.

    def moved(self) -> list[EventFact] | None:
        """Give the series' events with its present slot; None where it never had another."""
        series = self.newest(WHOLE)
        if series is None or all(event.slot == series.slot for event in self.events(WHOLE)):
            return None
        return [event for event in self.events(WHOLE) if event.slot == series.slot]

    def is_seen_since_move(self, seen: int) -> bool:
        present = self.moved()
        return present is None or seen >= min(event.seen.ns for event in present)

    def is_given_since_move(self, response: ResponseFact) -> bool:
        present = self.moved()
        if response.instance == WHOLE or present is None:
            return True
        return response.at.ns >= min(event.last_modified.ns for event in present)

    # Which responses count.

    def counting(self, event: EventFact, person: Address) -> list[ResponseFact]:
        """Give R*[A][s] of every slot s whose answers count."""
        heads = self.heads(event.instance, person)
        known = [r for r in heads if self.counts_by_slot_or_sequence(r, event)]
        stale = [r.at.ns for r in heads if r not in known and not r.slot.is_unknown]
        limit = max([*stale, self.end_of_other_slots(event)])
        unknown = [
            r
            for r in heads
            if r.slot.is_unknown and r not in known and r.at.ns > limit and self.is_given_since_move(r)
        ]
        return known + unknown

    def heads(self, instance: InstanceKey, person: Address) -> list[ResponseFact]:
        responses = self.responses(instance, person)
        return [max((r for r in responses if r.slot == s), key=_later) for s in {r.slot for r in responses}]

    def counts_by_slot_or_sequence(self, head: ResponseFact, event: EventFact) -> bool:
        if not self.is_given_since_move(head):
            return False
        person = self.person(head.attendee)
        group = [r for r in self.responses(head.instance, person) if r.slot == head.slot]
        sequence = max((r.sequence for r in group if r.sequence is not None), default=None)
        is_ahead = sequence is not None and event.sequence is not None and sequence > event.sequence
        return same_slot(head.slot, event.slot) or is_ahead

    def end_of_other_slots(self, event: EventFact) -> int:
        others = [e for e in self.events(event.instance) if not same_slot(e.slot, event.slot)]
        if self.readings.other_slot_ends_with_its_last_event:
            return max((e.last_modified.ns for e in others), default=NEVER)
        firsts = [
            min(e.last_modified.ns for e in others if e.slot == slot) for slot in {e.slot for e in others}
        ]
        return max(firsts, default=NEVER)

    # The answer of one person in one instance, by its own facts alone.

    def answer(self, event: EventFact, person: Address) -> Answer:
        row = self.rows(event)[person]
        c = row if row.value.is_answer else None
        counting = self.counting(event, person)
        r = max(counting, key=_later, default=None)
        last = max(self.heads(event.instance, person), key=_later, default=None)
        if c and last and last not in counting and last.at.ns > moment(c.at) + self.tolerance:
            c = c if self.is_accounted_for(c, r) else None
        if c is None and r is not None and self.is_recorded_before(r, person):
            r = None
        return self.table(event.instance, person, row, r, c)

    def is_accounted_for(self, c: AttendeeRow, r: ResponseFact | None) -> bool:
        """Tell whether an answer to the present slot explains the row: then it is not from before a move."""
        return r is not None and r.at.ns >= moment(c.at) - self.tolerance

    def is_recorded_before(self, r: ResponseFact, person: Address) -> bool:
        latest = max(self.answered(r.instance, person), default=None)
        return latest is not None and r.at.ns <= latest + self.tolerance

    def table(
        self,
        instance: InstanceKey,
        person: Address,
        row: AttendeeRow,
        r: ResponseFact | None,
        c: AttendeeRow | None,
    ) -> Answer:
        """The table of the design: its first two lines here, then those of a message alone and of both."""
        nothing = Answer(
            value=ResponseValue.NONE,
            at_ns=None,
            standing=Standing.NONE,
            overdue=False,
            proposal=None,
            own=True,
            type=row.type,
            message=r,
            row=c,
            decided_by=None,
            waits=None,
        )
        if r is None:
            return nothing if c is None else _by_calendar(nothing, c)
        pair = _pair(r, c)
        is_due = self.is_due(instance, person, pair)
        if c is None:
            return replace(_by_message(nothing, r), overdue=is_due, waits=pair)
        return self.of_both(nothing, r, c, pair if is_due else None)

    def of_both(self, nothing: Answer, r: ResponseFact, c: AttendeeRow, due: Pair | None) -> Answer:
        distance = r.at.ns - moment(c.at)
        if r.value == c.value:
            at_ns = moment(c.at) if abs(distance) <= self.tolerance else max(r.at.ns, moment(c.at))
            proposal = _span(c.proposal) or _span(r.proposal)
            answer = replace(_by_calendar(nothing, c), at_ns=at_ns, proposal=proposal)
            return replace(answer, standing=Standing.CONFIRMED)
        if distance < -self.tolerance:
            return _by_calendar(nothing, c)
        answer = _by_message(nothing, r) if distance > self.tolerance else _by_calendar(nothing, c)
        standing = answer.standing if due is None else Standing.CONFLICTING
        return replace(answer, standing=standing, waits=_pair(r, c))

    def is_due(self, instance: InstanceKey, person: Address, pair: Pair) -> bool:
        return any(
            isinstance(f, DueFact)
            and f.instance == instance
            and self.person(f.attendee) == person
            and f.pair == pair
            for f in self.facts
        )

    # Instances.

    def is_own(self, event: EventFact, series: EventFact | None, person: Address) -> bool:
        """Rules (i) to (iv) for someone whom E(I) lists."""
        if series is None or person not in self.rows(series):
            return True
        row, taken = self.rows(event)[person], self.answered(WHOLE, person)
        is_row_of_series = any(abs(moment(row.at) - at) <= self.tolerance for at in taken)
        return (
            self.has_answer(event, person)
            or (row.value.is_answer and not is_row_of_series)
            or not same_slot(event.slot, place_of(series, event.instance))
        )

    def has_answer(self, event: EventFact, person: Address) -> bool:
        if self.readings.own_by_discounted_answer:
            return bool(self.counting(event, person))
        return self.answer(event, person).message is not None

    def is_absent(self, event: EventFact, series: EventFact, person: Address) -> bool:
        """Rule (iv) for someone whom the series lists and E(I) does not."""
        listed = [e.seen.ns for e in self.events(WHOLE) if person in self.rows(e)]
        if self.seen(event.instance) >= min(listed):
            return True
        is_moved = not same_slot(event.slot, place_of(series, event.instance))
        return self.readings.absent_by_any_rule and (is_moved or bool(self.counting(event, person)))

    # Putting it together.

    def derived(self) -> Derived:
        if not any(isinstance(f, EventFact) for f in self.facts):
            return Derived(at={})
        whole = self.whole()
        states = {} if whole is None else {WHOLE: whole}
        for instance in self.instances():
            state = self.instance(instance, whole)
            if state is not None:
                states[instance] = state
        return Derived(at=states)

    def whole(self) -> State | None:
        event = self.newest(WHOLE)
        ending = self.ending(event, self.gone(WHOLE))
        if event is None:
            return None if ending is None else State(ending=ending, slot=None, place=None, people={})
        people = {} if ending else {person: self.answer(event, person) for person in self.rows(event)}
        return State(ending=ending, slot=event.slot, place=None, people=people)

    def ending(self, event: EventFact | None, gone: int) -> Ending | None:
        if event is not None and event.is_cancelled:
            return Ending.CANCELLED
        return Ending.GONE if gone > NEVER else None

    def instance(self, instance: InstanceKey, whole: State | None) -> State | None:
        series = self.newest(WHOLE)
        place = None if series is None else place_of(series, instance)
        event = self.newest(instance) if self.is_seen_since_move(self.seen(instance)) else None
        gone = self.gone(instance)
        ending = self.ending(event, gone if self.is_seen_since_move(gone) else NEVER)
        if whole is not None and whole.ending is not None:
            return State(ending=whole.ending, slot=place, place=place, people={})
        if event is None and series is None:
            return None  # whether gone or not: no event tells of anybody here
        if ending is not None:
            return State(ending=ending, slot=place if event is None else event.slot, place=place, people={})
        inherited = {} if whole is None else {a: replace(x, own=False) for a, x in whole.people.items()}
        if event is None:
            return State(ending=None, slot=place, place=place, people=inherited)
        return State(
            ending=None,
            slot=event.slot,
            place=place,
            people=self.people_of_instance(event, series, inherited),
        )

    def people_of_instance(
        self, event: EventFact, series: EventFact | None, inherited: Mapping[Address, Answer]
    ) -> dict[Address, Answer]:
        listed = self.rows(event)
        people = {p: self.answer(event, p) for p in listed if self.is_own(event, series, p)}
        for person, answer in inherited.items():
            assert series is not None
            if person in listed:
                people.setdefault(person, answer)
            elif not self.is_absent(event, series, person):
                people[person] = answer
        return people


def _better_row(row: AttendeeRow) -> tuple[bool, int, int, str]:
    return (row.value.is_answer, moment(row.at), RANK.get(row.value, NEVER), row.address)


def _span(proposal: Proposal | None) -> tuple[int, int] | None:
    return None if proposal is None else proposal.span


def _pair(r: ResponseFact, c: AttendeeRow | None) -> Pair:
    calendar, calendar_ns = (ResponseValue.NONE, 0) if c is None else (c.value, moment(c.at))
    return Pair(message=r.value, message_ns=r.at.ns, calendar=calendar, calendar_ns=calendar_ns)


def _by_calendar(answer: Answer, c: AttendeeRow) -> Answer:
    return replace(
        answer,
        value=c.value,
        at_ns=moment(c.at),
        standing=Standing.RECORDED,
        proposal=_span(c.proposal),
        decided_by=Witness.CALENDAR,
    )


def _by_message(answer: Answer, r: ResponseFact) -> Answer:
    return replace(
        answer,
        value=r.value,
        at_ns=r.at.ns,
        standing=Standing.REPORTED,
        proposal=_span(r.proposal),
        decided_by=Witness.MESSAGE,
    )
