"""Whose clock is wrong, by what each process sees of the others. Pure.

Graph's is taken for right: who differs from it is wrong, and so is Redis where it differs from who agrees
with Graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from service.preflight.clocks import NOTICED_S
from service.pulse.reading import Process

_GRAPH: Final = "graph"
_REDIS: Final = "redis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """A clock that is wrong.

    Attributes:
        processes: those on machines whose clock it is; none where it is Redis'.
        ahead_s: how far it is ahead of the right one, at the worst; negative where it is behind.
        of: whose clock the right one is.
    """

    processes: tuple[str, ...]
    ahead_s: float
    of: str

    @property
    def words(self) -> str:
        """Say it in one sentence."""
        side = "ahead of" if self.ahead_s > 0 else "behind"
        whose = f"The clock of {' and '.join(self.processes)}" if self.processes else "Redis' clock"
        return f"{whose} is {abs(self.ahead_s):.0f} s {side} {self.of}."


def find_skews(processes: Iterable[Process]) -> Iterator[Skew]:
    """Give each clock that is wrong, by the processes that live."""
    alive = [one for one in processes if one.is_alive]
    by_graph = {one.name: -one.record.clocks[_GRAPH] for one in alive if _GRAPH in one.record.clocks}
    by_redis = {one.name: -one.record.clocks[_REDIS] for one in alive if _REDIS in one.record.clocks}
    wrong = {name: ahead_s for name, ahead_s in by_graph.items() if _is_noticed(ahead_s)}
    yield from _name(wrong, "Graph's")
    off_redis = {name: ahead_s for name, ahead_s in by_redis.items() if _is_noticed(ahead_s)}
    against_right = [off_redis[name] for name in off_redis if name in by_graph and name not in wrong]
    if against_right:
        yield Skew(processes=(), ahead_s=-max(against_right, key=abs), of="Graph's and of these machines")
    else:  # a web never asks Graph
        yield from _name({name: by for name, by in off_redis.items() if name not in by_graph}, "Redis'")


def _is_noticed(ahead_s: float) -> bool:
    return abs(ahead_s) > NOTICED_S


def _name(wrong: dict[str, float], of: str) -> Iterator[Skew]:
    """Say once what is the same of many."""
    for sign in (1, -1):
        same = {name: ahead_s for name, ahead_s in wrong.items() if ahead_s * sign > 0}
        if same:
            yield Skew(processes=tuple(sorted(same)), ahead_s=max(same.values(), key=abs), of=of)
