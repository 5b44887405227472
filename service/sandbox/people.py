"""The people of the tenant and how they are found. Must never hold what is in a mailbox."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from service.sandbox.wire import GraphFault

TENANT_DOMAINS: Final = ("contoso.onmicrosoft.com", "contoso.com")
Delivery = Literal[
    "sendToDelegateAndInformationToPrincipal", "sendToDelegateAndPrincipal", "sendToDelegateOnly"
]
Purpose = Literal["user", "room", "equipment", "list"]
AutoAnswer = Literal["accepted", "tentativelyAccepted", "declined"] | None
_LEGACY_PREFIX: Final = "/O=EXCHANGELABS/OU=EXCHANGE ADMINISTRATIVE GROUP (FYDIBOHF23SPDLT)/CN=RECIPIENTS/CN="


@dataclass(frozen=True, slots=True)
class Person:
    """A name and an address as mails and events carry them."""

    name: str
    address: str

    def render(self) -> dict[str, object]:
        """Give Graph's `recipient`."""
        return {"emailAddress": {"name": self.name, "address": self.address}}


@dataclass(slots=True, kw_only=True)
class User:
    """Somebody with an address: a person, a room, or a distribution list.

    Attributes:
        id: object id, lower-case guid.
        address: the primary SMTP address, in the case in which the directory shows it.
        aliases: further SMTP addresses.
        delivery: where meeting messages for this person go while there are delegates.
        purpose: `list` for a distribution list, which has members and no mailbox.
        members: addresses of a distribution list.
        auto_answer: the answer that a room gives by itself; None leaves the request open.
        has_mailbox: false for people without a licence, and for those on premises.
        processes_updates: false for somebody whose calendar takes no update of a meeting by itself: they
            answer the version that they know.
        answers_folder: name of a folder into which a rule of this person's files meeting responses.
        keeps_deleted_copy: while messages go to delegates only, the server files the owner's copy in Deleted
            Items, as the classic one does, in place of not delivering it.
    """

    id: str
    name: str
    address: str
    aliases: list[str] = field(default_factory=list)
    delivery: Delivery = "sendToDelegateOnly"
    purpose: Purpose = "user"
    members: tuple[str, ...] = ()
    auto_answer: AutoAnswer = None
    has_mailbox: bool = True
    keeps_deleted_copy: bool = False
    answers_folder: str = ""
    processes_updates: bool = True

    @property
    def person(self) -> Person:
        return Person(self.name, self.address)

    @property
    def domain(self) -> str:
        return domain_of(self.address)

    @property
    def legacy_address(self) -> str:
        """The address in Exchange's own form."""
        return f"{_LEGACY_PREFIX}{self.id.replace('-', '').upper()}-{self.address.split('@')[0].upper()}"

    def answers_to(self, address: str) -> bool:
        """Tell whether an address in any case is one of this user's."""
        folded = address.casefold()
        return any(folded == own.casefold() for own in (self.address, self.legacy_address, *self.aliases))


def domain_of(address: str) -> str:
    """Give the domain of an address in lower case; empty where it has none."""
    return address.rpartition("@")[2].lower() if "@" in address else ""


class Directory:
    """Everybody, by object id and by address."""

    def __init__(self) -> None:
        self._by_id: dict[str, User] = {}
        self._by_address: dict[str, User] = {}
        self.domains = set(TENANT_DOMAINS)

    def __iter__(self) -> Iterator[User]:
        return iter(self._by_id.values())

    def add(self, user: User) -> None:
        """Enter a user under the id and every address.

        Raises:
            GraphFault: 400 where the id or an address is taken.
        """
        addresses = [user.address, *user.aliases]
        if user.id in self._by_id or any(a.casefold() in self._by_address for a in addresses):
            raise GraphFault(
                400,
                "Request_BadRequest",
                "Another object with the same value for property proxyAddresses already exists.",
            )
        self._by_id[user.id] = user
        self._by_address |= {address.casefold(): user for address in addresses}
        self._by_address[user.legacy_address.casefold()] = user

    def rename(self, user: User, address: str) -> None:
        """Give a new primary address; the old one stays as an alias."""
        if address.casefold() != user.address.casefold():
            user.aliases.append(user.address)
        user.address = address
        self._by_address[address.casefold()] = user
        self._by_address[user.legacy_address.casefold()] = user

    def remove(self, user: User) -> None:
        """Take a user out of the directory, with every address."""
        self._by_id.pop(user.id, None)
        self._by_address = {address: u for address, u in self._by_address.items() if u is not user}

    def look_up(self, id_or_address: str) -> User | None:
        """Find by object id or by any address, in any case."""
        key = id_or_address.strip().casefold()
        return self._by_id.get(key) or self._by_address.get(key)

    def is_external(self, address: str) -> bool:
        """Tell whether an address lies outside the tenant's domains."""
        if address.startswith("/"):
            return False
        return domain_of(address) not in self.domains

    def expand(self, addresses: Iterable[str]) -> list[User]:
        """Give everybody behind these addresses, lists by their members, each once, in order."""
        found: dict[str, User] = {}
        seen: set[str] = set()
        waiting = list(addresses)
        while waiting:
            address = waiting.pop(0)
            if address.casefold() in seen:
                continue
            seen.add(address.casefold())
            user = self.look_up(address)
            if user is None:
                continue
            if user.purpose == "list":
                waiting[:0] = user.members
            else:
                found.setdefault(user.id, user)
        return list(found.values())
