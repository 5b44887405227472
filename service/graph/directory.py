"""Who somebody is, who their delegates are, and where meeting messages go: the `Directory` of the keeper.

Must never guess: an address that two people have is nobody's.
"""

from __future__ import annotations

from service.errors import GoneError, RefusedError
from service.graph.dispatch import Sender
from service.graph.node import require_object
from service.graph.observer import GraphObserver
from service.graph.pages import read_pages
from service.graph.parse_people import parse_delegates, parse_delivery_option, parse_people, parse_person
from service.graph.requests import (
    RequestKind,
    build_delivery_request,
    build_permissions_request,
    build_person_request,
    build_person_search,
)
from service.ports import DeliveryOption, DirectoryPerson
from service.reconcile.model import Address, MailboxKey


class GraphDirectory:
    """Users, calendar permissions and mailbox settings, read from Graph."""

    def __init__(self, sender: Sender, *, observer: GraphObserver) -> None:
        self._sender = sender
        self._observer = observer

    async def find_person(self, address: str) -> DirectoryPerson:
        """Give the person of that object id, user principal name or alias.

        Raises:
            GoneError: nobody has it.
            AccessError: the directory may not be read.
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/user-get
        """
        try:
            answer = await self._sender.send(build_person_request(address))
        except GoneError:
            return await self._search_person(address)
        return parse_person(require_object(answer.payload()))

    async def fetch_delegates(self, owner: MailboxKey) -> tuple[Address, ...]:
        """Give the addresses of all who have a delegate role on the owner's calendar, in order; may be empty.

        Raises:
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/outlook-share-or-delegate-calendar
        """
        notes: list[str] = []
        delegates: set[Address] = set()
        for answer in await read_pages(self._sender, build_permissions_request(owner)):
            delegates.update(parse_delegates(answer.payload(), notes))
        self._tell(RequestKind.PERMISSIONS, notes)
        return tuple(sorted(delegates))

    async def fetch_delivery_option(self, owner: MailboxKey) -> DeliveryOption:
        """Tell where the owner's meeting messages go.

        Raises:
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/user-get-mailboxsettings
        """
        try:
            answer = await self._sender.send(build_delivery_request(owner))
        except RefusedError:  # a cloud that gives no single setting
            answer = await self._sender.send(build_delivery_request(owner, is_whole=True))
        notes: list[str] = []
        option = parse_delivery_option(answer.body, notes)
        self._tell(RequestKind.SETTINGS, notes)
        return option

    async def _search_person(self, address: str) -> DirectoryPerson:
        """Look for who has that address as an alias.

        Raises:
            GoneError: nobody has it, or more than one.
        """
        answer = await self._sender.send(build_person_search(address))
        people = parse_people(answer.payload())
        if len(people) != 1:
            raise GoneError(f"{len(people)} people have that address", status=404, code="noSuchPerson")
        return people[0]

    def _tell(self, kind: RequestKind, notes: list[str]) -> None:
        if notes:
            self._observer.payload_noted(kind=kind, notes=notes)
