"""Every fact that a commit took in, noted at the moment at which Redis took it. Knows no rule.

The reference derives from these what the stream must say: promise (a).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Final

from service.pipeline.committer import Committer, Outcome
from service.reconcile.model import Fact, MeetingKey, OwnerKey
from service.roster import WatchedOwner

Meeting = tuple[OwnerKey, MeetingKey]
_BEING_COMMITTED: Final[ContextVar[tuple[Meeting, tuple[Fact, ...]] | None]] = ContextVar(
    "being_committed", default=None
)


class FactsBook:
    """The facts of each meeting since its state was born."""

    def __init__(self) -> None:
        self._held: dict[Meeting, dict[Fact, None]] = {}
        self._epochs: dict[Meeting, str] = {}
        self._ended: set[Meeting] = set()

    def note_commit(self, reply: Any) -> None:
        """Note what was committed, from what the script gave back."""
        being = _BEING_COMMITTED.get()
        if being is None or not isinstance(reply, list) or reply[0] == "EVENTS":
            return
        meeting, facts = being
        if self._epochs.get(meeting) != reply[1]:
            if meeting not in self._ended:
                self._held.pop(meeting, None)
            self._ended.discard(meeting)
            self._epochs[meeting] = reply[1]
        self.add(meeting, facts)

    def add(self, meeting: Meeting, facts: Iterable[Fact]) -> None:
        self._held.setdefault(meeting, {}).update(dict.fromkeys(facts))

    def of(self, meeting: Meeting) -> tuple[Fact, ...]:
        """Give all facts of a meeting in the order in which they came."""
        return tuple(self._held.get(meeting, ()))

    def epoch_of(self, meeting: Meeting) -> str:
        """Give the present epoch of a meeting; empty where it has none."""
        return self._epochs.get(meeting, "")

    def meetings(self) -> tuple[Meeting, ...]:
        return tuple(sorted(self._held))

    def copy(self) -> FactsBook:
        """Give a book that stays as this one is now."""
        book = FactsBook()
        book._held = {meeting: dict(facts) for meeting, facts in self._held.items()}
        book._epochs, book._ended = dict(self._epochs), set(self._ended)
        return book

    def restore(self, book: FactsBook) -> None:
        """Become as another book is."""
        kept = book.copy()
        self._held, self._epochs, self._ended = kept._held, kept._epochs, kept._ended

    def end_epochs(self, held: Iterable[Meeting]) -> None:
        """Keep the facts whatever epochs come next: the state is the same, and is told anew.

        Args:
            held: the meetings that have state; of the others nothing is kept when they begin again.
        """
        self._ended = set(held)

    def clear(self) -> None:
        """Forget everything, as the server did."""
        self._held.clear()
        self._epochs.clear()
        self._ended.clear()


class NotingCommitter(Committer):
    """The service's committer, with its facts laid out for `FactsBook.note_commit`."""

    async def commit(
        self,
        owner: WatchedOwner,
        meeting: MeetingKey,
        facts: Iterable[Fact] = (),
        **options: Any,
    ) -> Outcome:
        facts = tuple(facts)
        token = _BEING_COMMITTED.set(((owner.key, meeting), facts))
        try:
            return await super().commit(owner, meeting, facts, **options)
        finally:
            _BEING_COMMITTED.reset(token)
