"""Which addresses of one meeting are one person's: by the message, the directory, a tag, a name. Pure.

Who answers under an address that the event lists speaks for that row. For anybody else, and for rows in
Exchange's legacy form, the first of these that finds a row decides:

1. the message gives a second address of the same person (sent representing SMTP);
2. the directory gives both addresses to one person: an alias, or a primary address that changed;
3. the addresses differ by a tag alone (`ann+news@x`, `ann@x`), and no other row does;
4. exactly one person of the event bears the same display name; marked as found by name.

3 and 4 are guesses: they are not made where the directory knows the two as different people, and withdrawn
once it does. Two rows that the directory gives to one person are that person's: it is asked about rows of the
same display name, about who answers where another row is written alike, and, when a sweep reads an answer
again, about whoever gave it. Who is not found stays under their own address, unpublished until the calendar
lists it: a forwarded invitation, or a member of a distribution list. Must never look at a subject.

Source: https://learn.microsoft.com/exchange/recipients-in-exchange-online/plus-addressing-in-exchange-online
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from service.reconcile.facts import MeetingFacts
from service.reconcile.matching import is_legacy_address
from service.reconcile.model import Address, AliasFact, AttendeeRow, MeetingKey, OwnerKey
from service.reconcile.persons import find_persons, list_standing

_NAMELESS: Final = "name:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """An address of which it is not known whose row it is, with the display name beside it."""

    address: Address
    name: str

    @property
    def is_opaque(self) -> bool:
        """Tell an address that no directory can look up: Exchange's legacy form, or none at all."""
        return is_opaque(self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Somebody of the directory: their key and every address of theirs, in normal form, and the main one."""

    key: str
    addresses: frozenset[Address]
    primary: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The row that a stranger speaks for."""

    address: Address
    is_by_name: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """Everybody whom any event of a meeting lists.

    Attributes:
        rows: one per address.
        persons: published address by address, as far as it is known.
    """

    rows: Mapping[Address, AttendeeRow]
    persons: Mapping[Address, Address]

    def others(self, stranger: Stranger) -> list[AttendeeRow]:
        """Give the rows that may be the stranger's: of those in legacy form none, if it is one itself."""
        return [
            row
            for address, row in self.rows.items()
            if address != stranger.address and not (stranger.is_opaque and is_opaque(address))
        ]


def list_meeting(meeting: MeetingFacts) -> Listing:
    """Give who is listed, over all instances."""
    rows = {
        address: facts.row
        for _, instance in sorted(meeting.instances.items())
        for address, facts in sorted(instance.attendees.items())
        if facts.row is not None
    }
    return Listing(rows, find_persons(list_standing(meeting)))


def list_strangers(meeting: MeetingFacts, listing: Listing) -> list[Stranger]:
    """Give the answers that wait for a row, and the rows in legacy form that may be a second one."""
    if not listing.rows:
        return []
    placed = {listing.persons.get(address, address) for address in listing.rows if not is_opaque(address)}
    found = {
        stranger.address: stranger
        for stranger in (*_waiting(meeting, listing), *_opaque_rows(listing))
        if listing.persons.get(stranger.address, stranger.address) not in placed
    }
    return [found[address] for address in sorted(found)]


def list_guesses(meeting: MeetingFacts) -> list[tuple[Address, Address]]:
    """Give each pair of addresses that was only guessed to be one person's and that could be looked up."""
    return [
        (each.alias, each.person)
        for each in list_standing(meeting)
        if (each.is_by_name or _is_tagged(each.alias, each.person))
        and not is_opaque(each.alias)
        and not is_opaque(each.person)
    ]


def list_doubtful(
    listing: Listing, answering: Iterable[Address], *, is_thorough: bool = True
) -> list[Address]:
    """Give the rows that may be a second one of somebody: who answers, and who shares a display name.

    Args:
        answering: who answers just now.
        is_thorough: whoever answers; else only who is written as another row is but for dots and the like,
            so that not every answer costs a look-up.
    """
    rows = {address: row for address, row in listing.rows.items() if not is_opaque(address)}
    if len(rows) < 2:
        return []
    names = Counter(fold_name(row.name) for row in rows.values())
    sharing = [address for address, row in rows.items() if (name := fold_name(row.name)) and names[name] > 1]
    written = Counter(_squeeze(address) for address in rows)
    listed = [address for address in answering if address in rows]
    return sorted({*sharing, *(one for one in listed if is_thorough or written[_squeeze(one)] > 1)})


def _squeeze(address: Address) -> str:
    """Give letters and digits of the local part: `a.nn@x` and `ann@y` are written alike."""
    return "".join(filter(str.isalnum, address.rpartition("@")[0]))


def find_second_rows(known: Known, listing: Listing) -> dict[Address, Match]:
    """Give the further rows of a person, each with the row that stands for all."""
    mine = sorted(address for address in listing.rows if address in known.addresses)
    if len({listing.persons.get(address, address) for address in mine}) < 2:
        return {}
    first = known.primary if known.primary in mine else mine[0]
    assert first is not None
    return {address: Match(address=first) for address in mine if address != first}


def find_by_directory(
    stranger: Stranger, listing: Listing, known: Mapping[Address, Known | None]
) -> Match | None:
    """Give the row whose person has the stranger's address too, by rule 2."""
    own = known.get(stranger.address)
    for row in listing.others(stranger):
        holder = known.get(row.address)
        is_alias = own is not None and row.address in own.addresses
        if is_alias or (holder is not None and stranger.address in holder.addresses):
            return Match(address=row.address)
    return None


def guess(stranger: Stranger, listing: Listing) -> Match | None:
    """Give the one row that differs by a tag alone, or bears the same name: rules 3 and 4."""
    others = listing.others(stranger)
    tagged = _only_one(listing, (row for row in others if _is_tagged(row.address, stranger.address)))
    if tagged is not None:
        return Match(address=tagged)
    name = fold_name(stranger.name)
    if not name:
        return None
    namesake = _only_one(listing, (row for row in others if fold_name(row.name) == name))
    return None if namesake is None else Match(address=namesake, is_by_name=True)


def are_different(one: Known | None, other: Known | None) -> bool:
    """Tell whether the directory knows both, as different people."""
    return one is not None and other is not None and one.key != other.key


def make_alias(owner: OwnerKey, meeting: MeetingKey, stranger: Address, match: Match) -> AliasFact:
    """Give the fact; people are published under the row's address, but never under a legacy one."""
    alias, person = stranger, match.address
    if is_opaque(person) and not is_opaque(alias):
        alias, person = person, alias
    return AliasFact(owner=owner, meeting=meeting, alias=alias, person=person, is_by_name=match.is_by_name)


def is_opaque(address: Address) -> bool:
    """Tell an address in Exchange's legacy form, or a name that stands for one."""
    return is_legacy_address(address) or address.startswith(_NAMELESS)


def fold_name(name: str) -> str:
    """Give a display name for comparison; empty where it is an address, which names nobody."""
    folded = " ".join(name.split()).casefold()
    return "" if "@" in folded or is_legacy_address(folded) else folded


def _waiting(meeting: MeetingFacts, listing: Listing) -> Iterator[Stranger]:
    for _, instance in sorted(meeting.instances.items()):
        for address, facts in instance.attendees.items():
            if facts.answers and address not in listing.rows:
                from_ = max(facts.answers, key=lambda answer: answer.at.ns).witness.from_
                yield Stranger(address=address, name=from_.name if from_ else "")


def _opaque_rows(listing: Listing) -> Iterator[Stranger]:
    for address, row in listing.rows.items():
        if is_opaque(address):
            yield Stranger(address=address, name=row.name)


def _only_one(listing: Listing, rows: Iterable[AttendeeRow]) -> Address | None:
    """Give the address of the one person to whom all these rows belong, an SMTP one if there is one."""
    addresses = sorted((row.address for row in rows), key=lambda one: (is_opaque(one), one))
    persons = {listing.persons.get(address, address) for address in addresses}
    return addresses[0] if len(persons) == 1 else None


def _is_tagged(one: Address, other: Address) -> bool:
    if is_opaque(one) or is_opaque(other) or one == other:
        return False
    bare, other_bare = _without_tag(one), _without_tag(other)
    return bare == other_bare and bare in (one, other)


def _without_tag(address: Address) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local.partition('+')[0] or local}{at}{domain}"
