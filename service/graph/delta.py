"""Lists changes since a point: the `DeltaReader` of the keeper. Must never follow a link to another host.

Source: https://learn.microsoft.com/graph/delta-query-overview
"""

from __future__ import annotations

from datetime import datetime

from service.graph.dispatch import Sender
from service.graph.observer import GraphObserver
from service.graph.parse_delta import parse_delta_page
from service.graph.requests import (
    GraphRequest,
    RequestKind,
    build_calendar_delta,
    build_inbox_delta,
    build_link_request,
    build_message_list,
)
from service.ports import DeltaPage
from service.reconcile.model import MailboxKey, OwnerKey


class GraphDelta:
    """Delta queries over inboxes and calendar views.

    Args:
        page_size: items asked for in one page; Graph may give fewer.
    """

    def __init__(self, sender: Sender, *, observer: GraphObserver, page_size: int = 100) -> None:
        self._sender = sender
        self._observer = observer
        self._page_size = page_size

    async def start_inbox(self, mailbox: MailboxKey, *, received_since: datetime) -> DeltaPage:
        """Begin a round over the inbox; Graph gives at most 5,000 messages of it.

        Raises:
            GraphError, TokenError: see `errors.py`.
        """
        request = build_inbox_delta(mailbox, received_since=received_since, page_size=self._page_size)
        return await self._read(request)

    async def list_messages(self, mailbox: MailboxKey, *, received_since: datetime) -> DeltaPage:
        """Begin a list over all folders of a mailbox, Deleted Items too, the earliest received first.

        Raises:
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/user-list-messages
        """
        request = build_message_list(mailbox, received_since=received_since, page_size=self._page_size)
        return await self._read(request, is_list=True)

    async def start_calendar(self, owner: OwnerKey, *, start: datetime, end: datetime) -> DeltaPage:
        """Begin a round over the calendar view between two instants.

        Raises:
            GraphError, TokenError: see `errors.py`.
        """
        request = build_calendar_delta(owner, start=start, end=end, page_size=self._page_size)
        return await self._read(request)

    async def follow(self, mailbox: MailboxKey, link: str, *, is_list: bool = False) -> DeltaPage:
        """Get the page behind a nextLink or deltaLink.

        Args:
            is_list: the link came from `list_messages`.

        Raises:
            RefusedError: the link leads to another host.
            DeltaExpiredError: the round must start again.
            GraphError, TokenError: see `errors.py`.
        """
        request = build_link_request(RequestKind.DELTA, link, mailbox=mailbox, page_size=self._page_size)
        return await self._read(request, is_list=is_list)

    async def _read(self, request: GraphRequest, *, is_list: bool = False) -> DeltaPage:
        answer = await self._sender.send(request)
        notes: list[str] = []
        page = parse_delta_page(answer.payload(), at=answer.at, is_list=is_list, notes=notes)
        if notes:
            self._observer.payload_noted(kind=RequestKind.DELTA, notes=notes)
        return page
