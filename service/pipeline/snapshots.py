"""A consumer's wish for a snapshot: of everybody, of one owner, or of one meeting.

A wish for many is spread into one entry each, so that no entry takes long and a crash repeats little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from service.entries import IntakeEntry
from service.pipeline.committer import Committer
from service.pipeline.outcomes import Ending, Processed
from service.ports import StateStore
from service.reconcile.emit import UpdateType
from service.reconcile.model import MeetingKey, OwnerKey
from service.roster import WatchedOwner, WatchList


class Appending(Protocol):
    """The intake stream, as far as entries are added to it."""

    async def append(self, entries: Sequence[IntakeEntry]) -> None:
        """Append all, in order; raises `StreamError`."""


class Snapshots:
    """Says once more what stands."""

    def __init__(
        self,
        *,
        states: StateStore,
        committer: Committer,
        intake: Appending,
        watch: Callable[[], WatchList],
        entries_max: int = 200,
    ) -> None:
        """Prepare.

        Args:
            entries_max: appended at once.
        """
        self._states = states
        self._committer = committer
        self._intake = intake
        self._watch = watch
        self._entries_max = entries_max

    async def process(self, entry: IntakeEntry) -> Processed:
        """Process a `snapshot` entry.

        Raises:
            StreamError: Redis refused; what was spread or published by then may come twice.
        """
        if not entry.owner:
            return await self._spread([replace(entry, owner=key) for key in self._watch().owners])
        owner = self._watch().owners.get(OwnerKey(entry.owner))
        if owner is None:
            return Processed(ending=Ending.NOT_WATCHED)
        if not entry.meeting:
            meetings = await self._states.list_meetings(owner.key)
            return await self._spread([replace(entry, meeting=meeting) for meeting in meetings])
        return await self._say(owner, MeetingKey(entry.meeting), entry.traceparent)

    async def _spread(self, entries: Sequence[IntakeEntry]) -> Processed:
        for first in range(0, len(entries), self._entries_max):
            await self._intake.append(entries[first : first + self._entries_max])
        return Processed(ending=Ending.SPREAD)

    async def _say(self, owner: WatchedOwner, meeting: MeetingKey, traceparent: str) -> Processed:
        outcome = await self._committer.commit(owner, meeting, with_snapshot=True, traceparent=traceparent)
        updates = tuple(str(said.type) for said in outcome.said if said.type is UpdateType.SNAPSHOT)
        return Processed(
            ending=Ending.PUBLISHED if updates else Ending.JOINED,
            updates=updates,
            owner=owner.key,
            meeting=meeting,
        )
