"""Reads items out of the notifications that carried them: the `NotifiedReader` of the pipeline.

First who sent it, then what it says. Whatever cannot be taken is told with its reason, and fetched; of a
message only what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from service.entries import IntakeEntry, Kind
from service.graph.mailboxes import GraphMailboxes
from service.graph.observer import GraphObserver
from service.graph.requests import RequestKind
from service.graph.resource_data import read_event_data, read_message_data
from service.ports import Told
from service.reconcile.model import MailboxKey, MessageId
from service.rich.unread import Unread, UnreadError


class Vouches(Protocol):
    """Tells whether Graph sent an entry."""

    async def vouch(self, entry: IntakeEntry) -> None:
        """Return where it did; raises `ForgedError`, `UnreadError`, `SigningKeysError`, `StreamError`."""


class Opens(Protocol):
    """Opens the content of an entry."""

    async def open(self, entry: IntakeEntry) -> Mapping[str, Any]:
        """Give the resource data; raises `UnreadError`."""


class DataObserver(Protocol):
    """Is told what became of resource data."""

    def data_taken(self, *, kind: str) -> None: ...
    def data_unread(self, entry: IntakeEntry, *, reason: Unread) -> None: ...


class NotifiedItems:
    """Messages and events as notifications carried them."""

    def __init__(
        self,
        *,
        vouching: Vouches,
        opener: Opens,
        mailboxes: GraphMailboxes,
        observer: DataObserver,
        graph_observer: GraphObserver,
    ) -> None:
        self._vouching = vouching
        self._opener = opener
        self._mailboxes = mailboxes
        self._observer = observer
        self._graph_observer = graph_observer

    async def read(self, entry: IntakeEntry) -> Told | None:
        """Give the item; None where it has to be fetched.

        Raises:
            ForgedError: somebody else than Graph sent the notification.
            SigningKeysError, StreamError: whether Graph did cannot be told now.
            GraphError, TokenError: what the notification left out could not be fetched.
        """
        if not (entry.content or entry.unread or entry.tokens):
            return None
        try:
            await self._vouching.vouch(entry)
            if not (entry.content or entry.unread):
                self._note_absence(entry)
                return None
            return await self._read(entry, await self._opener.open(entry))
        except UnreadError as error:
            self._observer.data_unread(entry, reason=error.reason)
            return None

    async def _read(self, entry: IntakeEntry, data: Mapping[str, Any]) -> Told:
        notes: list[str] = []
        if entry.kind is Kind.EVENT:
            event = read_event_data(data, notes=notes)
            self._tell(RequestKind.EVENT, notes)
            self._observer.data_taken(kind=entry.kind)
            return Told(item=event)
        mailbox = MailboxKey(entry.mailbox)
        try:
            response = read_message_data(data, mailbox=mailbox, notes=notes)
        except UnreadError as error:
            if error.reason is not Unread.INCOMPLETE:
                raise
            self._observer.data_unread(entry, reason=error.reason)
            return Told(item=await self._mailboxes.fetch_rest(mailbox, MessageId(entry.item), data))
        if response is not None:
            self._tell(RequestKind.MESSAGE, notes)
        self._observer.data_taken(kind=entry.kind)
        return Told(item=response)

    def _note_absence(self, entry: IntakeEntry) -> None:
        """Tell of an item without content in a POST that was to bring some; what is deleted has none."""
        if entry.change != "deleted":
            self._observer.data_unread(entry, reason=Unread.NOT_CARRIED)

    def _tell(self, kind: RequestKind, notes: list[str]) -> None:
        if notes:
            self._graph_observer.payload_noted(kind=kind, notes=notes)
