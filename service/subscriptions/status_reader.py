"""Fetches the books and has a status made of them, at most once per interval. Only reads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from service.clock import Clock
from service.errors import StreamError
from service.intake.client_state import ResourceKind
from service.ports import Book, Generation, Records
from service.sign_ins.record import SignInTerms
from service.subscriptions.status import KeeperStatus, build_status, decode_books

_BOOKS: Final = (
    Book.ROSTER,
    Book.OWNERS,
    Book.SUBSCRIPTIONS,
    Book.MAILBOXES,
    Book.NOTIFIED,
    Book.SIGN_INS,
)


class StatusReader:
    """Reads the books for a status; any process may.

    Args:
        kept_s: a status that old is given again instead of reading the books.
    """

    def __init__(
        self,
        *,
        records: Records,
        clock: Clock,
        messages: ResourceKind = ResourceKind.INBOX,
        terms: SignInTerms | None = None,
        kept_s: float = 1.0,
    ) -> None:
        self._records = records
        self._clock = clock
        self._messages = messages
        self._terms = terms
        self._kept_s = kept_s
        self._kept: tuple[float, KeeperStatus] | None = None

    async def read(self) -> KeeperStatus:
        """Give the status.

        Raises:
            StreamError: Redis is away.
        """
        now = self._clock.monotonic()
        if self._kept is not None and now - self._kept[0] < self._kept_s:
            return self._kept[1]
        texts = {book: await self._records.read_all(book) for book in _BOOKS}
        # Thousands of mailboxes take a while, in which web must take notifications and a lease be renewed.
        status = await asyncio.to_thread(self._put_together, texts, self._clock.now())
        self._kept = (now, status)
        return status

    async def find_unready(self, *, generation: Generation, named_max: int = 3) -> str:
        """Say why the keeper is not ready, naming the first few reasons; empty where it is."""
        try:
            if not await generation.exists():
                return "no keeper has begun yet, or the state was lost"
            lacks = (await self.read()).waits_for
        except StreamError as error:
            return str(error)
        rest = f", and {len(lacks) - named_max} more" if len(lacks) > named_max else ""
        return "; ".join(lacks[:named_max]) + rest

    def _put_together(self, texts: Mapping[Book, Mapping[str, str]], now: datetime) -> KeeperStatus:
        return build_status(decode_books(texts), now=now, messages=self._messages, terms=self._terms)
