"""What workers have to know after an outage: when it ended, and whose messages have been read since."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from service.intake.client_state import ResourceKind, WatchedResource
from service.ports import Book, Records
from service.reconcile.model import MailboxKey
from service.subscriptions.ledger import decode_book
from service.subscriptions.records import LAST_OUTAGE, MailboxRecord, decode_mailbox, decode_outage
from service.subscriptions.resources import name_resource


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
        outages = decode_book(await self._records.read_all(Book.OUTAGES), decode_outage)
        return outages[LAST_OUTAGE].ended_at if LAST_OUTAGE in outages else None

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
