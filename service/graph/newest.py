"""Several messages of one inbox read as one list of its newest. No I/O.

What has just arrived is among the newest, so that a burst of mail costs one request and not one for each.
A message is taken from a list only where the list says of what class it is; every other is asked for by its
id, so that nothing is missed because a list was cut short, lagged behind or left members out.

Source: https://learn.microsoft.com/graph/api/user-list-messages
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from service.clock import Clock
from service.errors import PayloadError
from service.graph import extended
from service.graph.answer import Answer
from service.graph.extended import ExtendedProperties
from service.graph.node import Node, page_items
from service.graph.requests import GraphRequest, RequestKind

_OTHERS_MIN: Final = 5
"""Messages that may have arrived since those that are wanted; more where notifications lag behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestLimits:
    """Bounds of reading messages as a list.

    Attributes:
        messages_min: so many of one inbox at one time are read as a list; fewer one by one.
        messages_max: messages in one list.
        pause_s: no list of an inbox for so long after one that was refused, or one of full length that held
            less than half of what was wanted.
    """

    messages_min: int = 2
    messages_max: int = 50
    pause_s: float = 60


class NewestLists:
    """Decides which requests become a list, and takes its answer apart."""

    def __init__(self, clock: Clock, limits: NewestLimits) -> None:
        self._clock = clock
        self._limits = limits
        self._paused: dict[str, float] = {}
        self._others: dict[str, int] = {}

    def key_of(self, request: GraphRequest) -> Hashable:
        """Give what requests have in common that may become one list; of any other, what it asks."""
        if request.collection and not self._is_paused(request.collection):
            return (request.collection, request.query)
        return (request.method, request.target)

    def group(self, requests: Sequence[GraphRequest]) -> list[tuple[GraphRequest, list[int]]]:
        """Give the requests that serve all of these, in the order of the first they serve.

        Returns:
            Each with the positions of those it serves: one, or several that become a list.
        """
        alike: defaultdict[Hashable, list[int]] = defaultdict(list)
        for at, request in enumerate(requests):
            alike[self.key_of(request) if request.collection else at].append(at)
        groups: list[tuple[GraphRequest, list[int]]] = []
        for places in alike.values():
            if len(places) >= max(self._limits.messages_min, 2) and requests[places[0]].collection:
                groups.append((self._build(requests[places[0]], len(places)), places))
            else:
                groups += [(requests[at], [at]) for at in places]
        return groups

    def pick(self, collection: str, answer: Answer, wanted: Iterable[str]) -> dict[str, Answer]:
        """Give each message that the list holds as if it had been asked for by itself."""
        ids = set(wanted)
        listed = _read_items(answer)
        found = {id_: one for id_, one in listed if id_ in ids}
        depth = max((at for at, (id_, _) in enumerate(listed, start=1) if id_ in ids), default=0)
        self._learn(collection, wanted=len(ids), found=len(found), depth=depth)
        return found

    def pause(self, collection: str) -> None:
        """Read the messages of this inbox one by one for a while."""
        now = self._clock.monotonic()
        self._paused = {name: until for name, until in self._paused.items() if until > now}
        self._paused[collection] = now + self._limits.pause_s

    def _learn(self, collection: str, *, wanted: int, found: int, depth: int) -> None:
        """Ask for more others the next time where one was missing, else for twice as many as it took."""
        others = self._others.pop(collection, _OTHERS_MIN)
        if found == wanted:
            others = 2 * (depth - wanted)
        elif wanted + others < self._limits.messages_max:
            others *= 2
        elif 2 * found < wanted:
            self.pause(collection)
        if others > _OTHERS_MIN:
            self._others[collection] = others

    def _is_paused(self, collection: str) -> bool:
        return self._clock.monotonic() < self._paused.get(collection, float("-inf"))

    def _build(self, first: GraphRequest, count: int) -> GraphRequest:
        others = self._others.get(first.collection, _OTHERS_MIN)
        top = min(count + others, self._limits.messages_max)
        order = (("$orderby", "receivedDateTime desc"), ("$top", str(top)))
        return replace(
            first,
            kind=RequestKind.MESSAGES,
            path=first.collection,
            query=first.query + order,
            item="",
            collection="",
        )


def _read_items(answer: Answer) -> list[tuple[str, Answer]]:
    """Give the messages of a list that say of what class they are; none of an answer that is no list."""
    try:
        nodes = list(page_items(answer.payload()))
    except PayloadError:
        return []
    return [
        (id_, replace(answer, body=node.value))
        for node in nodes
        if (id_ := node["id"].text()) is not None and _tells_class(node)
    ]


def _tells_class(node: Node) -> bool:
    return ExtendedProperties(node).text(extended.MESSAGE_CLASS) is not None
