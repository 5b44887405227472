"""Strategies for histories of one meeting, and for the orders in which their facts arrive. No rule here.

`histories()` is everything at once, `calm_histories()` what promise (c) speaks of, `arrivals()` what networks
make of a history: repeated, delayed, dropped, reordered, and cut into commits.

A strategy costs more to make than to draw from, so each is made once for what it depends on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

from hypothesis import strategies as st

from service.reconcile.model import WHOLE, Fact, InstanceKey, Slot
from tests.reference.builders import (
    ACCEPTED,
    DATES,
    DECLINED,
    SERIES_X,
    SERIES_Y,
    SERIES_Z,
    TENTATIVE,
    X,
    Y,
    Z,
    slot,
)
from tests.reference.world import (
    Act,
    Answers,
    Beliefs,
    Cancels,
    Deletes,
    Given,
    Invites,
    Learns,
    Moves,
    Reading,
    Reads,
    Removes,
    Restores,
    RunsOut,
    SlotKnown,
    World,
)

PEOPLE: Final = ("christie", "megan")
GUESTS: Final = (*PEOPLE, "guest")
SINGLE_SLOTS: Final = (X, Y, Z)
SERIES_SLOTS: Final = (SERIES_X, SERIES_Y, SERIES_Z)
INSTANCE_SLOTS: Final = (
    slot("2026-03-16T10:00:00Z"),
    slot("2026-03-17T08:00:00Z"),
    slot("2026-03-30T09:00:00Z"),
)
PROPOSED: Final = (None, None, "2026-03-09T12:00:00Z", "2026-03-09T14:00:00Z")
PAUSES_S: Final = (0.5, 3.0, 10.0, 400.0)
SKEWS_S: Final = (0.0, 0.0, 1.5, -1.5, 30.0, -30.0)
TOLERANCE_S: Final = 2.0

VALUES = st.sampled_from((ACCEPTED, TENTATIVE, DECLINED))
DELAYS = st.sampled_from((0, 0, 1, 3, None))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A story and what was read of it.

    Attributes:
        acts: with the pause before each, in seconds.
        facts: in reading order.
        given: the answers that were really given, in that order.
    """

    beliefs: Beliefs
    acts: tuple[tuple[float, Act], ...]
    facts: tuple[Fact, ...]
    given: tuple[Given, ...]
    tolerance_s: float = TOLERANCE_S


BELIEFS: st.SearchStrategy[Beliefs] = st.builds(
    Beliefs,
    resets=st.booleans(),
    exceptions_survive=st.booleans(),
    records_stale=st.booleans(),
    sequence_known=st.booleans(),
)


def history_of(
    acts: Sequence[tuple[float, Act]], *, is_series: bool, beliefs: Beliefs, settles: bool
) -> History:
    """Play a story that begins with the calendar read once."""
    slots = SERIES_SLOTS if is_series else SINGLE_SLOTS
    world = World(tolerance_s=TOLERANCE_S, beliefs=beliefs, slot=slots[0], people=PEOPLE)
    for pause_s, act in acts:
        world.play(act, pause_s=pause_s)
    if settles:
        world.settle()
    return History(beliefs=beliefs, acts=tuple(acts), facts=tuple(world.facts), given=tuple(world.given))


@st.composite
def histories(
    draw: st.DrawFn, *, is_series: bool | None = None, acts_max: int = 12, settles: bool | None = None
) -> History:
    """Draw a history of anything that may happen.

    Args:
        is_series: a series with occurrences, a single meeting, or either.
        settles: whether everything is read in the end, or either.
    """
    series = draw(st.booleans()) if is_series is None else is_series
    acts = draw(_stories(series, acts_max))
    return history_of(
        [(1.0, Reads()), *acts],
        is_series=series,
        beliefs=draw(BELIEFS),
        settles=draw(st.booleans()) if settles is None else settles,
    )


@cache
def _stories(is_series: bool, acts_max: int) -> st.SearchStrategy[list[tuple[float, Act]]]:
    return st.lists(st.tuples(st.sampled_from(PAUSES_S), _acts(is_series)), max_size=acts_max)


def _acts(is_series: bool) -> st.SearchStrategy[Act]:
    where = st.sampled_from((WHOLE, *DATES[1:]) if is_series else (WHOLE,))
    who = st.sampled_from(GUESTS)
    answers = st.builds(
        Answers,
        who=who,
        where=where,
        value=VALUES,
        message_after=DELAYS,
        recorded_after=DELAYS,
        skew_s=st.sampled_from(SKEWS_S),
        record_skew_s=st.sampled_from((0.0, 0.0, 0.7, 3.0)),
        proposes=st.sampled_from(PROPOSED),
        knows=st.sampled_from((SlotKnown.WHOLLY, *SlotKnown)),
        sequence_known=st.booleans(),
        is_legacy=st.booleans(),
        is_out_of_date=st.booleans(),
    )
    reads = st.builds(Reads, where=where, how=st.sampled_from((Reading.FETCHED, *Reading)))
    rare = st.one_of(
        st.builds(Invites, who=who, where=where),
        st.builds(Removes, who=who, where=where),
        st.builds(Cancels, where=where),
        st.builds(Deletes, where=where),
        st.builds(Restores, where=where),
        st.builds(Learns, who=who),
        st.just(RunsOut()),
    )
    return st.one_of(answers, reads, where.flatmap(lambda at: _moves(is_series, at)), rare)


@cache
def _moves(is_series: bool, where: InstanceKey) -> st.SearchStrategy[Act]:
    slots: tuple[Slot, ...] = SINGLE_SLOTS
    if is_series:
        slots = SERIES_SLOTS if where == WHOLE else INSTANCE_SLOTS
    return st.builds(Moves, where=st.just(where), slot=st.sampled_from((None, *slots)))


@st.composite
def calm_histories(
    draw: st.DrawFn,
    *,
    where: InstanceKey = WHOLE,
    acts_max: int = 10,
    beliefs: st.SearchStrategy[Beliefs] = st.just(Beliefs()),  # noqa: B008 - a strategy is a value
) -> History:
    """Draw a history in which one slot stands and answers are far apart; messages are late or lost at will.

    Every answer reaches the calendar in the end, some in the wrong order.
    """
    acts = draw(_calm_stories(where, acts_max))
    begins: list[tuple[float, Act]] = [(1.0, Reads()), (1.0, Reads(where=where))]
    return history_of(
        [*begins, *acts],
        is_series=where != WHOLE,
        beliefs=draw(beliefs),
        settles=True,
    )


@cache
def _calm_stories(where: InstanceKey, acts_max: int) -> st.SearchStrategy[list[tuple[float, Act]]]:
    answers = st.builds(
        Answers,
        who=st.sampled_from(PEOPLE),
        where=st.just(where),
        value=VALUES,
        message_after=DELAYS,
        recorded_after=st.sampled_from((0, 1, 3)),
        record_skew_s=st.sampled_from((0.0, 0.7)),
        proposes=st.sampled_from(PROPOSED),
    )
    act = st.one_of(answers, st.builds(Reads, where=st.just(where)), st.just(RunsOut()))
    return st.lists(st.tuples(st.just(10.0), act), max_size=acts_max)


@st.composite
def commits(draw: st.DrawFn, facts: Sequence[Fact]) -> list[tuple[Fact, ...]]:
    """Cut facts into commits without changing their order."""
    cuts = sorted(draw(_cuts(len(facts))))
    edges = [0, *cuts, len(facts)]
    return [tuple(facts[a:b]) for a, b in pairwise(edges) if a < b]


@cache
def _cuts(count: int) -> st.SearchStrategy[set[int]]:
    return st.sets(st.integers(0, count), max_size=count)


@st.composite
def arrivals(draw: st.DrawFn, facts: Sequence[Fact], *, drops: bool = False) -> list[tuple[Fact, ...]]:
    """Let facts arrive in any order and any number of times, cut into commits.

    Args:
        drops: some may never arrive.
    """
    kept = [fact for fact in facts if not drops or draw(_FATES)]
    come = [*kept, *(kept[at] for at in draw(_repeats(len(kept))))]
    return draw(commits([come[at] for at in draw(_orders(len(come)))]))


_FATES: Final = st.integers(0, 4)
"""What becomes of a fact; 0: it is lost."""


@cache
def _repeats(count: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, count - 1), max_size=4) if count else st.just([])


@cache
def _orders(count: int) -> st.SearchStrategy[list[int]]:
    return st.permutations(range(count))
