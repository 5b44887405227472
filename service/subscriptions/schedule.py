"""What is due when. Pure; asking what is due costs time in proportion to what is due, not to the roster."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DutyKind(StrEnum):
    """What the keeper does about one name, in the order in which due duties are begun."""

    RESOLVE = "resolve"
    COMPARE = "compare"
    SUBSCRIBE = "subscribe"
    DELETE = "delete"
    READ_MESSAGES = "read_messages"
    READ_EVENTS = "read_events"


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing to do.

    Attributes:
        name: a roster address to resolve, a subscription id to delete, otherwise a resource's name; empty
            for the comparison with Graph.
    """

    kind: DutyKind
    name: str


COMPARISON = Duty(DutyKind.COMPARE, "")


class Schedule:
    """Duties by the moment at which each is due; a duty is due once, however often it is set."""

    def __init__(self) -> None:
        self._due_at: dict[Duty, datetime] = {}
        self._heaps: dict[DutyKind, list[tuple[datetime, str]]] = {kind: [] for kind in DutyKind}

    def set(self, duty: Duty, at: datetime) -> None:
        """Make a duty due at this moment, whatever was set before."""
        if self._due_at.get(duty) != at:
            self._due_at[duty] = at
            heapq.heappush(self._heaps[duty.kind], (at, duty.name))

    def bring_forward(self, duty: Duty, at: datetime) -> None:
        """Make a duty due at this moment, unless it is due earlier."""
        present = self._due_at.get(duty)
        if present is None or at < present:
            self.set(duty, at)

    def due_at(self, duty: Duty) -> datetime | None:
        """Give the moment at which a duty is due; None where it is not set."""
        return self._due_at.get(duty)

    def pop_due(self, kind: DutyKind, now: datetime, *, count: int) -> list[Duty]:
        """Take up to `count` duties that are due, the longest due first."""
        heap = self._heaps[kind]
        popped: list[Duty] = []
        while heap and heap[0][0] <= now and len(popped) < count:
            at, name = heapq.heappop(heap)
            duty = Duty(kind, name)
            if self._due_at.get(duty) == at:
                del self._due_at[duty]
                popped.append(duty)
        return popped

    def clear(self) -> None:
        """Forget everything."""
        self._due_at.clear()
        for heap in self._heaps.values():
            heap.clear()
