"""Whose calendars are watched: what the operator asked for, and what the keeper made of it. No I/O.

The roster (asked for) is written by `owners` commands; the watch list (resolved) by the keeper alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from service.reconcile.model import Address, MailboxKey, OwnerKey


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterEntry:
    """An owner as the operator named them.

    Attributes:
        address: in normal form.
        delegates: addresses in normal form; None where they are to be discovered.
    """

    address: Address
    delegates: tuple[Address, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedOwner:
    """An owner as the directory and the calendar's permissions have it.

    Attributes:
        key: object id, or the address in normal form where the directory may not be read.
        roster_address: the roster entry it came from.
        address, name: as the directory gives them.
        aliases: every address of the owner, in normal form; the organizer's own answer is none.
        inboxes: mailboxes in which answers to this owner's meetings arrive.
        inbox_addresses: whose each of them is, in the same order; for people who read about a mailbox.
        is_baselined: the first full read is complete; before that, first sight is a snapshot.
        fault: why the owner's calendar cannot be watched, in words; empty where it can.
    """

    key: OwnerKey
    roster_address: Address
    address: str
    name: str
    aliases: tuple[Address, ...] = ()
    inboxes: tuple[MailboxKey, ...] = ()
    inbox_addresses: tuple[str, ...] = ()
    is_baselined: bool = False
    fault: str = ""


@dataclass(frozen=True, slots=True)
class WatchList:
    """All watched owners, and who is served by which inbox.

    Attributes:
        owners: by key.
    """

    owners: dict[OwnerKey, WatchedOwner] = field(default_factory=dict)

    def owners_served_by(self, mailbox: MailboxKey) -> tuple[WatchedOwner, ...]:
        """Give the owners whose answers may arrive in this mailbox, by key; may be empty."""
        return tuple(owner for _, owner in sorted(self.owners.items()) if mailbox in owner.inboxes)


def name_mailboxes(owners: Iterable[WatchedOwner]) -> dict[MailboxKey, str]:
    """Give the address of each mailbox that is read, as far as it is known."""
    names: dict[MailboxKey, str] = {}
    for owner in owners:
        names.update(zip(owner.inboxes, owner.inbox_addresses, strict=False))
        names[MailboxKey(owner.key)] = owner.address
    return names


_ENTRY: Final = msgspec.json.Decoder(RosterEntry)
_OWNER: Final = msgspec.json.Decoder(WatchedOwner)


def build_watch_list(owners: Iterable[WatchedOwner]) -> WatchList:
    """Put owners together by key."""
    return WatchList({owner.key: owner for owner in owners})


def encode_record(record: RosterEntry | WatchedOwner) -> str:
    """Give the JSON text in which a record is kept."""
    return msgspec.json.encode(record).decode()


def decode_roster_entry(text: str) -> RosterEntry:
    """Read a roster entry back.

    Raises:
        msgspec.DecodeError: the text is none.
    """
    return _ENTRY.decode(text)


def decode_watched_owner(text: str) -> WatchedOwner:
    """Read a watched owner back.

    Raises:
        msgspec.DecodeError: the text is none.
    """
    return _OWNER.decode(text)
