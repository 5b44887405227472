"""One step of the heart: facts join the state, and out come updates, timers and how long to keep it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.reconcile.bounds import bound_answers, list_places
from service.reconcile.derive import DerivedMeeting, derive
from service.reconcile.emit import Said, emit, snapshot
from service.reconcile.facts import MeetingFacts, join_all
from service.reconcile.instant import NS_PER_S, Instant
from service.reconcile.journal import Fate, keep_journals
from service.reconcile.model import WHOLE, Address, Fact, InstanceKey, Pair
from service.reconcile.persons import find_published
from service.reconcile.state import MeetingState


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLimits:
    """What the operator may set about reconciling.

    Attributes:
        tolerance_s: two instants that differ by no more are the same moment.
        grace_s: how long two witnesses may disagree before it is said.
        retention_days: how long the state of a meeting is kept after its end.
        waiting_hours: how long answers wait for the event that they answer.
        journal_max: answers of one attendee in one instance of which it is kept what became of them.
        answers_max: of one address in one instance, each to another slot; the oldest go first.
        loose_max: answers of those, together, who are on no event of the meeting; the oldest go first.
    """

    tolerance_s: float = 2
    grace_s: float = 300
    retention_days: float = 30
    waiting_hours: float = 72
    journal_max: int = 12
    answers_max: int = 32
    loose_max: int = 500

    @property
    def tolerance_ns(self) -> int:
        return round(self.tolerance_s * NS_PER_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A timer to set, or to end where `pair` is None."""

    instance: InstanceKey
    attendee: Address
    pair: Pair | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one step changes.

    Attributes:
        state: after the step.
        derived: what is so after it.
        said: updates to publish, in order; may be none.
        timers: those that change, in order.
        expires_at: when the state may be forgotten; None keeps it.
        skipped: the fate of each answer that this step skipped; may be empty.
    """

    state: MeetingState
    derived: DerivedMeeting
    said: tuple[Said, ...]
    timers: tuple[Timer, ...]
    expires_at: datetime | None
    skipped: tuple[Fate, ...] = ()


def decide(
    state: MeetingState,
    facts: Iterable[Fact],
    *,
    now: datetime,
    limits: DecisionLimits,
    is_baseline: bool = False,
    with_snapshot: bool = False,
) -> Decision:
    """Join facts, derive, and say what consumers do not hold yet.

    Args:
        is_baseline: whoever was not told of before is told as a snapshot.
        with_snapshot: say everything once more, after what is new.
    """
    facts = tuple(facts)
    unbounded = join_all(state.facts, facts)
    joined = bound_answers(unbounded, answers_max=limits.answers_max, loose_max=limits.loose_max)
    derived = derive(joined, tolerance_ns=limits.tolerance_ns)
    said, told = emit(derived, state.told, is_baseline=is_baseline)
    if with_snapshot:
        again, told = snapshot(derived, told)
        said += again
    wanted = _open_pairs(derived)
    journals, skipped = keep_journals(
        state.journals,
        facts,
        derived,
        said,
        persons=find_published(joined),
        tolerance_ns=limits.tolerance_ns,
        entries_max=limits.journal_max,
    )
    left_out = list_places(unbounded) - list_places(joined)
    return Decision(
        state=MeetingState(
            facts=joined,
            told=told,
            timers=wanted,
            journals={place: each for place, each in journals.items() if place not in left_out},
        ),
        derived=derived,
        said=said,
        timers=_changed_timers(state.timers, wanted),
        expires_at=_expiry(joined, now, limits),
        skipped=skipped,
    )


def _open_pairs(derived: DerivedMeeting) -> dict[tuple[InstanceKey, Address], Pair]:
    return {
        (key, person): attendee.open_pair
        for key, instance in derived.instances.items()
        for person, attendee in instance.attendees.items()
        if attendee.open_pair is not None
    }


def _changed_timers(
    running: dict[tuple[InstanceKey, Address], Pair], wanted: dict[tuple[InstanceKey, Address], Pair]
) -> tuple[Timer, ...]:
    return tuple(
        Timer(instance=key[0], attendee=key[1], pair=wanted.get(key))
        for key in sorted({*running, *wanted})
        if running.get(key) != wanted.get(key)
    )


def _expiry(facts: MeetingFacts, now: datetime, limits: DecisionLimits) -> datetime | None:
    """Give the end of retention: a day from now at the soonest, or each late read would be a new epoch.

    It is reckoned from the latest end of any instance, for an exception may lie after the last occurrence of
    its series. An endless series is kept until it is cancelled or deleted.
    """
    heads = [instance.head for instance in facts.instances.values() if instance.head is not None]
    if not heads:
        return now + timedelta(hours=limits.waiting_hours)
    ends = [head.details.ends_at for head in heads]
    known = [end for end in (*ends, _ended_at(facts)) if end is not None]
    if None in ends and _ended_at(facts) is None:
        return None
    try:
        end = max(known).to_datetime() + timedelta(days=limits.retention_days)
    except OverflowError:  # beyond the last year there is
        return None
    return max(end, now + timedelta(days=1))


def _ended_at(facts: MeetingFacts) -> Instant | None:
    """Give when the whole was seen to have ended before its time; None where it stands."""
    whole = facts.instance(WHOLE)
    if whole.is_gone:
        return whole.gone_at
    return whole.seen if whole.head is not None and whole.head.is_cancelled else None
