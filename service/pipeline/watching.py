"""The watch list as a worker sees it: the keeper's book, read again when its counter moves."""

from __future__ import annotations

import msgspec

from service.ports import Book, Records
from service.roster import WatchedOwner, WatchList, build_watch_list, decode_watched_owner


class BookWatching:
    """Keeps the watch list; looks at the book's counter each time it is asked to refresh."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._watch = WatchList()
        self._counter: int | None = None

    def current(self) -> WatchList:
        """Give the list; the same object until it changes."""
        return self._watch

    async def refresh(self) -> None:
        """Read the list again if the book changed.

        Raises:
            StreamError: Redis is away.
        """
        counter = await self._records.read_counter(Book.OWNERS)
        if counter != self._counter:
            records = await self._records.read_all(Book.OWNERS)
            self._watch = build_watch_list(_readable(records))
            self._counter = counter


def _readable(records: dict[str, str]) -> list[WatchedOwner]:
    owners = []
    for text in records.values():
        try:
            owners.append(decode_watched_owner(text))
        except msgspec.DecodeError:  # a newer version's record: the keeper of that version sees to it
            continue
    return owners
