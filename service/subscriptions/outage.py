"""What workers have to know after an outage: when it ended, and whose messages have been read since.

Of an outage of the whole service the keeper writes down when it ended; of one of web alone, web itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import Final

import structlog

from service.clock import Clock
from service.errors import StreamError
from service.intake.client_state import ResourceKind, WatchedResource
from service.ports import Book, Generation, Records
from service.reconcile.instant import instant_of
from service.reconcile.model import MailboxKey
from service.subscriptions.desk import file_request
from service.subscriptions.ledger import decode_book
from service.subscriptions.records import (
    LAST_OUTAGE,
    WEB_OUTAGE,
    MailboxRecord,
    Outage,
    Request,
    RequestKind,
    decode_mailbox,
    decode_outage,
    encode,
)
from service.subscriptions.resources import name_resource

_log = structlog.get_logger("web")
_CLOCKS_DIFFER_S: Final = 5.0
"""A round that began so long before web was back, by the keeper's clock, is held to have begun with it."""


class WebReturn:
    """Writes down that web is there again, before it stores anything, where none was there meanwhile.

    Args:
        is_another_there: tells whether another web lives, so that Graph had somebody to deliver to. May raise
            `StreamError`.
        timeout_s: nothing is stored for so long at most.
    """

    def __init__(
        self,
        *,
        records: Records,
        generation: Generation,
        is_another_there: Callable[[], Awaitable[bool]],
        clock: Clock,
        timeout_s: float = 5.0,
    ) -> None:
        self._records = records
        self._generation = generation
        self._is_another_there = is_another_there
        self._clock = clock
        self._timeout_s = timeout_s
        self._is_settled = asyncio.Event()

    async def settled(self) -> None:
        """Wait until it is noted, or is not going to be."""
        await self._is_settled.wait()

    async def note(self) -> None:
        """Note it for the workers, and have the keeper read everything; nothing where it all begins.

        While Redis is away nothing is noted: then what Graph kept is told as it comes.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                if await self._generation.exists() and not await self._is_another_there():
                    await self._write(self._clock.now() - timedelta(seconds=_CLOCKS_DIFFER_S))
        except (StreamError, TimeoutError) as error:
            _log.warning("web.return_unnoted", error=str(error) or "no answer in time")
        finally:
            self._is_settled.set()

    async def _write(self, ended_at: datetime) -> None:
        await self._records.write(Book.OUTAGES, {WEB_OUTAGE: encode(Outage(ended_at=ended_at))})
        await file_request(
            self._records, Request(kind=RequestKind.WEB_RETURNED, at=instant_of(ended_at).text)
        )
        _log.info("web.returned")


class OutageReader:
    """Reads the keeper's books. Every method raises `StreamError`.

    Args:
        messages: which messages of a mailbox are watched, `INBOX` or `MAILBOX_MESSAGES`.
    """

    def __init__(self, *, records: Records, messages: ResourceKind) -> None:
        self._records = records
        self._messages = messages

    async def find_outage_end(self) -> datetime | None:
        """Give when the last outage of the whole service ended; None where none is known."""
        return await self._find(LAST_OUTAGE)

    async def find_web_return(self) -> datetime | None:
        """Give from when on what web did not take has to be read; None where web never was away alone."""
        return await self._find(WEB_OUTAGE)

    async def _find(self, name: str) -> datetime | None:
        outages = decode_book(await self._records.read(Book.OUTAGES, [name]), decode_outage)
        return outages[name].ended_at if name in outages else None

    async def find_read(self, mailboxes: Collection[MailboxKey], *, since: datetime) -> frozenset[MailboxKey]:
        """Give those of which a round that began since then is complete, and those that cannot be read."""
        names = {
            name_resource(WatchedResource(kind=self._messages, mailbox=mailbox)): mailbox
            for mailbox in mailboxes
        }
        records = decode_book(await self._records.read(Book.MAILBOXES, list(names)), decode_mailbox)
        return frozenset(names[name] for name, record in records.items() if _is_read(record, since))


def _is_read(record: MailboxRecord, since: datetime) -> bool:
    if record.fault is not None and record.fault.kind.is_of_mailbox:
        return True
    return record.complete_at is not None and record.complete_at >= since
