"""The books as the leading keeper holds them: read once per term, then written through under its fence.

Must never write without the fencing number of the term.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from service.ports import Book, Records
from service.reconcile.model import Address, OwnerKey
from service.roster import (
    RosterEntry,
    WatchedOwner,
    decode_roster_entry,
    decode_watched_owner,
    encode_record,
)
from service.subscriptions.records import (
    LAST_OUTAGE,
    MailboxRecord,
    Outage,
    OwnerProgress,
    Request,
    SubscriptionRecord,
    decode_mailbox,
    decode_owner_progress,
    decode_request,
    decode_subscription,
    encode,
    name_owner_progress,
    parse_owner_progress_name,
)

_T = TypeVar("_T")


class Ledger:
    """What is written down, in memory and in Redis. Every method that is awaited raises `StreamError`.

    Attributes:
        roster: what the operator asked for, by address.
        owners: as resolved, by key.
        subscriptions, mailboxes: by the resource's name.
        progress: of each roster entry, by address.
        fence: gives the fencing number under which this keeper leads.

    Args:
        fence: gives the fencing number; raises `FencedError` where this keeper does not lead.
    """

    def __init__(self, records: Records, *, fence: Callable[[], int]) -> None:
        self._records = records
        self.fence = fence
        self.roster: dict[Address, RosterEntry] = {}
        self.owners: dict[OwnerKey, WatchedOwner] = {}
        self.subscriptions: dict[str, SubscriptionRecord] = {}
        self.mailboxes: dict[str, MailboxRecord] = {}
        self.progress: dict[Address, OwnerProgress] = {}
        self._counters: dict[Book, int] = {}

    # --- reading ---

    async def load(self) -> None:
        """Read everything that another keeper may have written."""
        owners = await self._read(Book.OWNERS, decode_watched_owner)
        self.owners = {OwnerKey(key): owner for key, owner in owners.items()}
        self.subscriptions = await self._read(Book.SUBSCRIPTIONS, decode_subscription)
        texts = await self._records.read_all(Book.MAILBOXES)
        self.mailboxes, self.progress = decode_mailboxes_book(texts)

    async def refresh_roster(self) -> bool:
        """Read the roster if it changed; tells whether it did."""
        counter = await self._records.read_counter(Book.ROSTER)
        if self._counters.get(Book.ROSTER) == counter:
            return False
        roster = await self._read(Book.ROSTER, decode_roster_entry)
        self.roster = {Address(name): entry for name, entry in roster.items()}
        self._counters[Book.ROSTER] = counter
        return True

    @property
    def roster_known(self) -> tuple[Mapping[Address, RosterEntry], int | None]:
        """The roster with its counter when it was read; None where it never was."""
        return self.roster, self._counters.get(Book.ROSTER)

    @roster_known.setter
    def roster_known(self, known: tuple[Mapping[Address, RosterEntry], int | None]) -> None:
        roster, counter = known
        self.roster = dict(roster)
        self._counters.pop(Book.ROSTER, None)
        if counter is not None:
            self._counters[Book.ROSTER] = counter

    async def restore_roster(self) -> None:
        """Put back what is known of the roster after the state was lost, or went back to an older one.

        A book that was written since keeps what it has. An older one becomes what is known: an owner who
        was removed since must not be read again.
        """
        known, counter = self.roster_known
        self.forget_counters()
        await self.refresh_roster()
        written, now = self.roster_known
        if counter is None or now is None or now == counter:
            return
        is_older = now < counter
        if gone := [address for address in written if is_older and address not in known]:
            await self._drop(Book.ROSTER, *gone)
        lost = {one: entry for one, entry in known.items() if is_older or one not in written}
        await self._write(Book.ROSTER, {name: encode_record(entry) for name, entry in lost.items()})
        self.roster = {**known} if is_older else {**written, **lost}

    async def read_new_requests(self) -> dict[str, Request]:
        """Give all requests that stand, if the book changed since the last time; else none."""
        counter = await self._records.read_counter(Book.REQUESTS)
        if self._counters.get(Book.REQUESTS) == counter:
            return {}
        requests = await self._read(Book.REQUESTS, decode_request)
        self._counters[Book.REQUESTS] = counter
        return requests

    async def is_anything_notified(self) -> bool:
        """Tell whether somebody notes down which subscriptions are heard of."""
        return bool(await self._records.read_all(Book.NOTIFIED))

    async def read_notified(self, subscription_id: str) -> str:
        """Give when a subscription was last heard of, RFC 3339; empty where it never was."""
        noted = await self._records.read(Book.NOTIFIED, [subscription_id])
        return noted.get(subscription_id, "")

    def forget_counters(self) -> None:
        """Read every book again at the next chance, whatever its counter says."""
        self._counters.clear()

    async def _read(self, book: Book, decode: Callable[[str], _T]) -> dict[str, _T]:
        return decode_book(await self._records.read_all(book), decode)

    # --- writing ---

    async def write_roster(self, entries: Mapping[Address, RosterEntry]) -> None:
        """Put entries into the roster."""
        await self._write(Book.ROSTER, {name: encode_record(entry) for name, entry in entries.items()})
        self.roster.update(entries)

    async def write_owners(self, owners: Mapping[OwnerKey, WatchedOwner]) -> None:
        """Write owners down; workers follow within a second."""
        await self._write(Book.OWNERS, {key: encode_record(owner) for key, owner in owners.items()})
        self.owners.update(owners)

    async def drop_owner(self, key: OwnerKey) -> None:
        """Take an owner off the watch list; workers stop within a second."""
        await self._drop(Book.OWNERS, key)
        self.owners.pop(key, None)

    async def write_subscription(self, name: str, record: SubscriptionRecord) -> None:
        """Write a resource's subscription down."""
        await self._write(Book.SUBSCRIPTIONS, {name: encode(record)})
        self.subscriptions[name] = record

    async def write_mailbox(self, name: str, record: MailboxRecord) -> None:
        """Write down how far a resource has been read."""
        await self._write(Book.MAILBOXES, {name: encode(record)})
        self.mailboxes[name] = record

    async def drop_resource(self, name: str) -> None:
        """Forget a resource that is not watched any more."""
        record = self.subscriptions.get(name)
        if record is not None and record.id:
            await self._drop(Book.NOTIFIED, record.id)
        await self._drop(Book.SUBSCRIPTIONS, name)
        await self._drop(Book.MAILBOXES, name)
        self.subscriptions.pop(name, None)
        self.mailboxes.pop(name, None)

    async def drop_mailboxes(self) -> None:
        """Forget how far every resource has been read: all are read from the beginning."""
        if self.mailboxes:
            await self._drop(Book.MAILBOXES, *self.mailboxes)
        self.mailboxes.clear()

    async def write_progress(self, address: Address, progress: OwnerProgress) -> None:
        """Write down how far a roster entry is."""
        await self._write(Book.MAILBOXES, {name_owner_progress(address): encode(progress)})
        self.progress[address] = progress

    async def drop_progress(self, address: Address) -> None:
        """Forget a roster entry that is gone."""
        await self._drop(Book.MAILBOXES, name_owner_progress(address))
        self.progress.pop(address, None)

    async def drop_requests(self, *names: str) -> None:
        """Take requests off the book: they have been carried out."""
        if names:
            await self._drop(Book.REQUESTS, *names)

    async def write_request(self, name: str, request: Request) -> None:
        """Write down how far an operator's request is."""
        await self._write(Book.REQUESTS, {name: encode(request)})

    async def write_outage(self, outage: Outage) -> None:
        """Write down that no keeper led for a while, in the place of what was known of an earlier time."""
        await self._write(Book.OUTAGES, {LAST_OUTAGE: encode(outage)})

    async def drop_requests_naming(self, owner: OwnerKey) -> None:
        """Forget requests and outcomes that name an owner: they are not watched any more."""
        texts = await self._records.read_all(Book.REQUESTS)
        await self.drop_requests(*(name for name, text in texts.items() if owner in name or owner in text))

    async def drop_notified(self, *subscription_ids: str) -> None:
        """Forget when these subscriptions were heard of: they have ended."""
        await self._drop(Book.NOTIFIED, *subscription_ids)

    async def _write(self, book: Book, texts: Mapping[str, str]) -> None:
        if texts:
            await self._records.write(book, texts, fence=self.fence())

    async def _drop(self, book: Book, *names: str) -> None:
        await self._records.drop(book, names, fence=self.fence())


def decode_book(texts: Mapping[str, str], decode: Callable[[str], _T]) -> dict[str, _T]:
    """Read the records of a book; those of a newer version that we cannot read are left out."""
    decoded: dict[str, _T] = {}
    for name, text in texts.items():
        try:
            decoded[name] = decode(text)
        except msgspec.DecodeError:
            continue
    return decoded


def decode_mailboxes_book(
    texts: Mapping[str, str],
) -> tuple[dict[str, MailboxRecord], dict[Address, OwnerProgress]]:
    """Read the book that holds both: mailboxes by the resource's name, progress by roster address."""
    of_owners = {name for name in texts if parse_owner_progress_name(name) is not None}
    mailboxes = decode_book({n: text for n, text in texts.items() if n not in of_owners}, decode_mailbox)
    progress = decode_book({n: text for n, text in texts.items() if n in of_owners}, decode_owner_progress)
    return mailboxes, {parse_owner_progress_name(n) or Address(n): one for n, one in progress.items()}
