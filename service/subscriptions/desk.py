"""Where the worker and operators leave requests for the leading keeper. Never asks Graph, never waits for it.

A request is a record: it survives crashes of both sides, and the same one twice has the same name. The keeper
takes equal ones together, so what Graph repeats is done once.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import structlog

from service.clock import Clock
from service.entries import IntakeEntry, Kind
from service.errors import StreamError
from service.intake.client_state import ResourceKind, WatchedResource
from service.ports import Book, Records
from service.reconcile.instant import instant_of
from service.reconcile.model import MailboxKey
from service.subscriptions.ledger import decode_book
from service.subscriptions.records import Request, RequestKind, decode_subscription, encode
from service.subscriptions.resources import name_resource

_log = structlog.get_logger("lifecycle")


class LifecycleDesk:
    """Takes lifecycle entries from the worker."""

    def __init__(self, *, records: Records) -> None:
        self._records = records

    async def handle_lifecycle(self, entry: IntakeEntry) -> None:
        """Write down what the entry asks for; an unknown word is logged and left.

        Raises:
            StreamError: it could not be written; the entry has to be processed again.
        """
        request = build_request(entry)
        if request is None:
            _log.warning("lifecycle.unknown", lifecycle=entry.lifecycle[:40])
            return
        await file_request(self._records, request)
        _log.info("lifecycle.received", lifecycle=str(request.kind), subscription_id=request.subscription)


def build_request(entry: IntakeEntry) -> Request | None:
    """Give the request that a lifecycle entry makes; None where its word is none that we know."""
    if entry.lifecycle == RequestKind.BASELINED:
        return Request(kind=RequestKind.BASELINED, at=entry.arrived_at, owner=entry.owner, mark=entry.item)
    try:
        kind = RequestKind(entry.lifecycle)
    except ValueError:
        return None
    if kind not in (RequestKind.MISSED, RequestKind.REMOVED, RequestKind.REAUTHORIZE):
        return None
    resource = f"{entry.resource}/{entry.mailbox}" if entry.resource and entry.mailbox else ""
    return Request(kind=kind, at=entry.arrived_at, subscription=entry.subscription, resource=resource)


async def file_request(records: Records, request: Request) -> None:
    """Leave a request; the leading keeper takes it up within about a second.

    Raises:
        StreamError: it was not written.
    """
    await records.write(Book.REQUESTS, {request.name: encode(request)})


class LastHeard:
    """Notes when each subscription last brought a notification, so that silence can be noticed.

    Writes at most once per interval, however much comes; what a crash loses of it is at most an interval.
    Nothing is noted of subscriptions that no record names: one that has ended, and still brings something,
    would stay in the book for ever, and so would each that somebody who saw a client state makes up.
    """

    def __init__(self, *, records: Records, clock: Clock, interval_s: float = 5.0) -> None:
        self._records = records
        self._clock = clock
        self._interval_s = interval_s
        self._unwritten: dict[str, IntakeEntry] = {}
        self._written_at = clock.monotonic() - interval_s

    async def note(self, entry: IntakeEntry) -> None:
        """Note an entry; only those that a notification of a change brought count."""
        if entry.kind in (Kind.MESSAGE, Kind.EVENT) and entry.subscription:
            self._unwritten[entry.subscription] = entry
        await self.flush()

    async def flush(self, *, is_last: bool = False) -> None:
        """Write what is due to be written; Redis being away only puts it off."""
        now = self._clock.monotonic()
        if not self._unwritten or (not is_last and now - self._written_at < self._interval_s):
            return
        noted, self._unwritten = self._unwritten, {}
        self._written_at = now
        try:
            held = await self._find_held({MailboxKey(entry.mailbox) for entry in noted.values()})
            times = {name: entry.arrived_at for name, entry in noted.items() if name in held}
            await self._records.write(Book.NOTIFIED, times)
        except StreamError:
            self._unwritten = {**noted, **self._unwritten}

    async def _find_held(self, mailboxes: Collection[MailboxKey]) -> frozenset[str]:
        """Give the ids of the subscriptions on these mailboxes that records name."""
        resources = [WatchedResource(kind=kind, mailbox=one) for one in mailboxes for kind in ResourceKind]
        texts = await self._records.read(Book.SUBSCRIPTIONS, [name_resource(one) for one in resources])
        return frozenset(record.id for record in decode_book(texts, decode_subscription).values())


def build_operator_request(
    kind: RequestKind, *, now: datetime, resource: str = "", owner: str = "", subscription: str = ""
) -> Request:
    """Give the request of an operator's command; all are meant where none is named."""
    return Request(
        kind=kind, at=instant_of(now).text, resource=resource, owner=owner, subscription=subscription
    )
