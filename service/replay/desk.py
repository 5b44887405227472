"""Gives dead letters another try, or drops them. Must never lose one that it was asked to requeue.

The intake stream is written before the dead letter is dropped: a crash between the two leaves both, and an
entry that is worked off twice publishes nothing twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from service.entries import IntakeEntry, Origin, parse_entry
from service.replay.selection import Selection
from service.streams.dead_letters import DeadLetter

_PAGE: Final = 200


class DeadLetterStore(Protocol):
    """The dead letters as they are kept. Every method raises `StreamError`."""

    async def read(self, *, after: str = "-", count: int = 100) -> tuple[DeadLetter, ...]: ...
    async def read_newest(self, *, before: str = "", count: int = 100) -> tuple[DeadLetter, ...]: ...
    async def find(self, ids: Sequence[str]) -> tuple[DeadLetter, ...]: ...
    async def drop(self, ids: Sequence[str]) -> int: ...
    async def count(self) -> int: ...


class Intake(Protocol):
    """The intake stream, as far as it is written here; raises `StreamError`."""

    async def append(self, entries: Sequence[IntakeEntry]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Requeued:
    """What came of requeueing.

    Attributes:
        done: how many are on the intake stream again.
        unfit: ids of those that are no intake entries; they stay dead letters.
    """

    done: int
    unfit: tuple[str, ...] = ()


class DeadLetterDesk:
    """Lists, requeues and drops dead letters. Every method raises `StreamError`."""

    def __init__(self, store: DeadLetterStore, intake: Intake) -> None:
        self._store = store
        self._intake = intake

    async def count(self) -> int:
        """Tell how many there are, whatever their reason."""
        return await self._store.count()

    async def find(self, ids: Sequence[str]) -> tuple[DeadLetter, ...]:
        """Give those of these ids that are there, in the order asked."""
        return await self._store.find(ids)

    async def list_newest(
        self, selection: Selection, *, limit: int, before: str = ""
    ) -> tuple[DeadLetter, ...]:
        """Give the newest that are meant, newest first.

        Args:
            before: an id: only older ones.
        """
        found: list[DeadLetter] = []
        while page := await self._store.read_newest(before=before, count=_PAGE):
            found += [one for one in page if selection.takes(one.id, one.fields)]
            if len(found) >= limit:
                break
            before = page[-1].id
        return tuple(found[:limit])

    async def list_oldest(self, selection: Selection, *, limit: int) -> tuple[DeadLetter, ...]:
        """Give the oldest that are meant, oldest first: the order in which they are requeued."""
        found: list[DeadLetter] = []
        async for one in self._walk():
            if len(found) >= limit:
                break
            if selection.takes(one.id, one.fields):
                found.append(one)
        return tuple(found)

    async def requeue(self, letters: Sequence[DeadLetter]) -> Requeued:
        """Put entries on the intake stream again, as if never tried, and drop the dead letters."""
        fit: list[tuple[str, IntakeEntry]] = []
        unfit: list[str] = []
        for letter in letters:
            try:
                fit.append((letter.id, build_replay(parse_entry(letter.fields))))
            except ValueError:
                unfit.append(letter.id)
        for start in range(0, len(fit), _PAGE):
            part = fit[start : start + _PAGE]
            await self._intake.append([entry for _, entry in part])
            await self._store.drop([letter_id for letter_id, _ in part])
        return Requeued(done=len(fit), unfit=tuple(unfit))

    async def drop(self, ids: Sequence[str]) -> int:
        """Delete dead letters for good; gives how many there were."""
        dropped = 0
        for start in range(0, len(ids), _PAGE):
            dropped += await self._store.drop(ids[start : start + _PAGE])
        return dropped

    async def _walk(self) -> AsyncIterator[DeadLetter]:
        after = "-"
        while page := await self._store.read(after=after, count=_PAGE):
            for letter in page:
                yield letter
            after = page[-1].id


def build_replay(entry: IntakeEntry) -> IntakeEntry:
    """Give the entry for another try: its tries start from none.

    One of a baseline stays one, for that decides whether a first sight is a snapshot.
    """
    origin = entry.origin if entry.origin is Origin.BASELINE else Origin.REPLAY
    return replace(entry, origin=origin, attempt="0", tries="")
