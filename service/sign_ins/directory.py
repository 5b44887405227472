"""Who somebody is, also where only they themselves may be asked: what they told when they signed in.

Must never speak for somebody who has not signed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from service.errors import AccessError
from service.ports import DeliveryOption, Directory, DirectoryPerson
from service.reconcile.model import Address, MailboxKey
from service.sign_ins.record import SignIn, find_sign_in


class SignedInDirectory:
    """The directory; whom it does not show and who has signed in is known from that."""

    def __init__(self, directory: Directory, list_sign_ins: Callable[[], Iterable[SignIn]]) -> None:
        self._directory = directory
        self._list_sign_ins = list_sign_ins

    async def find_person(self, address: str) -> DirectoryPerson:
        """Give the person of that address or object id.

        Raises:
            GoneError: nobody has it.
            AccessError: the directory may not be read, and they have not signed in.
            GraphError, TokenError: see `errors.py`.
        """
        try:
            return await self._directory.find_person(address)
        except AccessError:
            found = find_sign_in(self._list_sign_ins(), address)
            if found is None:
                raise
            return DirectoryPerson(
                key=found.person, address=found.address, name=found.name, aliases=found.aliases
            )

    async def fetch_delegates(self, owner: MailboxKey) -> tuple[Address, ...]:
        """Give who has a delegate role on the owner's calendar; raises as the directory does."""
        return await self._directory.fetch_delegates(owner)

    async def fetch_delivery_option(self, owner: MailboxKey) -> DeliveryOption:
        """Tell where the owner's meeting messages go; raises as the directory does."""
        return await self._directory.fetch_delivery_option(owner)
