"""Which requests wait for which duties. No I/O; a request ends when all its duties have been done since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from service.subscriptions.schedule import Duty


class OpenRequests:
    """Requests under way, by name."""

    def __init__(self) -> None:
        self._duties: dict[str, set[Duty]] = {}
        self._waiting: dict[Duty, set[str]] = defaultdict(set)

    def __contains__(self, name: str) -> bool:
        return name in self._duties

    def attach(self, name: str, duties: Iterable[Duty]) -> bool:
        """Let a request wait for duties; tells whether there are any, else it is not kept."""
        waited_for = set(duties)
        if waited_for:
            self._duties[name] = waited_for
        for duty in waited_for:
            self._waiting[duty].add(name)
        return bool(waited_for)

    def take(self, duty: Duty) -> set[str]:
        """Give the requests that a duty serves which begins now; later ones have to wait for the next."""
        return self._waiting.pop(duty, set())

    def put_back(self, duty: Duty, names: Iterable[str]) -> None:
        """Let requests wait on: the duty did not succeed."""
        if names := {name for name in names if name in self._duties}:
            self._waiting[duty] |= names

    def finish(self, duty: Duty, names: Iterable[str]) -> tuple[str, ...]:
        """Take a duty off these requests; gives those for which nothing is left to do, in order."""
        done = []
        for name in names:
            left = self._duties.get(name)
            if left is None:
                continue  # forgotten meanwhile, with all of a term
            left.discard(duty)
            if not left:
                done.append(name)
                del self._duties[name]
        return tuple(sorted(done))

    def clear(self) -> None:
        """Forget everything; what is still on the book is read again."""
        self._duties.clear()
        self._waiting.clear()
