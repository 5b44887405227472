"""A directory in memory, with the promises of the port."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.errors import GoneError
from service.ports import DeliveryOption, DirectoryPerson
from service.reconcile.model import Address, MailboxKey


@dataclass
class MemoryDirectory:
    """A directory in a dictionary, by address; nobody else is known. Counts who was asked for."""

    people: dict[str, DirectoryPerson] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def add(self, key: str, *addresses: str) -> None:
        person = DirectoryPerson(
            key=MailboxKey(key),
            address=addresses[0],
            name=key.title(),
            aliases=tuple(Address(each) for each in addresses),
        )
        self.people.update(dict.fromkeys(addresses, person))

    async def find_person(self, address: str) -> DirectoryPerson:
        self.calls.append(address)
        if self.errors:
            raise self.errors.pop(0)
        if address not in self.people:
            raise GoneError("nobody has it", status=404)
        return self.people[address]

    async def fetch_delegates(self, owner: MailboxKey) -> tuple[Address, ...]:
        return ()

    async def fetch_delivery_option(self, owner: MailboxKey) -> DeliveryOption:
        return DeliveryOption.DELEGATE_ONLY
