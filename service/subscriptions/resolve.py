"""From a roster entry to a watched owner: who they are, who serves them, and whose inboxes are read.

Must never read an inbox on a guess: a delegate who lost the role is left out at once.

Source: https://learn.microsoft.com/graph/outlook-share-or-delegate-calendar
"""

from __future__ import annotations

from collections.abc import Sequence

from service.errors import AccessError, GoneError
from service.ports import DeliveryOption, Directory, DirectoryPerson
from service.reconcile.matching import normalize_address
from service.reconcile.model import Address, MailboxKey, OwnerKey
from service.roster import RosterEntry, WatchedOwner


class OwnerResolver:
    """Asks the directory and the calendar's permissions about one owner at a time."""

    def __init__(self, *, directory: Directory, reads_whole_mailboxes: bool = False) -> None:
        """Prepare; nothing is asked.

        Args:
            reads_whole_mailboxes: then the owner's is read too, where Exchange may keep a copy.
        """
        self._directory = directory
        self._reads_whole_mailboxes = reads_whole_mailboxes

    async def resolve(self, entry: RosterEntry, previous: WatchedOwner | None) -> WatchedOwner:
        """Give the owner as they are now; `is_baselined` is taken over where it is the same owner.

        Args:
            previous: the owner as last resolved from this entry; followed by object id, so that a new
                address or name does not lose them.

        Raises:
            GoneError: the directory does not know them.
            AccessError: the calendar's permissions may not be read, so delegates cannot be discovered.
            GraphError, TokenError: could not be asked this time.
        """
        person = await self._find_owner(entry, previous)
        delegates = await self._find_delegates(entry, person)
        option = await self._fetch_delivery_option(person.key)
        is_same = previous is not None and str(previous.key) == str(person.key)
        inboxes = choose_inboxes(
            person.key,
            [one.key for one in delegates],
            option,
            reads_whole_mailboxes=self._reads_whole_mailboxes,
        )
        addresses = {one.key: one.address for one in (person, *delegates)}
        return WatchedOwner(
            key=OwnerKey(person.key),
            roster_address=entry.address,
            address=person.address,
            name=person.name,
            aliases=person.aliases,
            inboxes=inboxes,
            inbox_addresses=tuple(addresses[inbox] for inbox in inboxes),
            is_baselined=previous is not None and is_same and previous.is_baselined,
        )

    async def _find_owner(self, entry: RosterEntry, previous: WatchedOwner | None) -> DirectoryPerson:
        """Follow a known owner by object id; fall back to the address when the account is gone."""
        if previous is None or str(previous.key) == str(entry.address):
            return await self._find_person(entry.address)
        try:
            return await self._directory.find_person(previous.key)
        except AccessError:  # a permission taken away must not make the owner another one
            return _as_person(previous)
        except GoneError:  # a new account may have the address by now
            return await self._directory.find_person(entry.address)

    async def _find_person(self, address: Address) -> DirectoryPerson:
        """Give the person; known by the address alone where the directory may not be read."""
        try:
            return await self._directory.find_person(address)
        except AccessError:
            return DirectoryPerson(key=MailboxKey(address), address=address, name="", aliases=(address,))

    async def _find_delegates(self, entry: RosterEntry, owner: DirectoryPerson) -> list[DirectoryPerson]:
        """Give the delegates named in the roster, else those who have the role; the vanished left out."""
        addresses = entry.delegates
        if addresses is None:
            addresses = await self._directory.fetch_delegates(owner.key)
        found: list[DirectoryPerson] = []
        for address in addresses:
            try:
                found.append(await self._find_person(normalize_address(address)))
            except GoneError:
                continue  # left the organization; the calendar may still name them
        return found

    async def _fetch_delivery_option(self, owner: MailboxKey) -> DeliveryOption:
        """Give the option; Exchange's default where the mailbox's settings may not be read."""
        try:
            return await self._directory.fetch_delivery_option(owner)
        except AccessError:
            return DeliveryOption.DELEGATE_ONLY


def choose_inboxes(
    owner: MailboxKey,
    delegates: Sequence[MailboxKey],
    option: DeliveryOption,
    *,
    reads_whole_mailboxes: bool = False,
) -> tuple[MailboxKey, ...]:
    """Give the mailboxes in which answers arrive: each once, in order; at least one.

    With delegates alone on the receiving side the owner's inbox gets nothing, but Deleted Items may hold a
    copy, which is found where whole mailboxes are read.

    Source: https://learn.microsoft.com/graph/api/resources/mailboxsettings
    """
    if not delegates:
        return (owner,)
    if option is DeliveryOption.DELEGATE_ONLY and not reads_whole_mailboxes:
        return tuple(sorted(set(delegates)))
    return tuple(sorted({owner, *delegates}))


def _as_person(owner: WatchedOwner) -> DirectoryPerson:
    return DirectoryPerson(
        key=MailboxKey(owner.key), address=owner.address, name=owner.name, aliases=owner.aliases
    )
