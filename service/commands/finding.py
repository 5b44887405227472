"""Finds what an operator names: an owner by address, alias or object id, a meeting by a part of its key."""

from __future__ import annotations

from collections.abc import Sequence

from service.errors import CommandError
from service.ports import Book, Records, StateStore
from service.reconcile.matching import normalize_address
from service.reconcile.model import MeetingKey
from service.roster import WatchedOwner, decode_watched_owner
from service.subscriptions.ledger import decode_book


async def read_owners(records: Records) -> tuple[WatchedOwner, ...]:
    """Give every watched owner, by address."""
    owners = decode_book(await records.read_all(Book.OWNERS), decode_watched_owner)
    return tuple(sorted(owners.values(), key=lambda owner: owner.address.casefold()))


async def find_owner(records: Records, given: str) -> WatchedOwner:
    """Give the owner of that address, alias or object id.

    Raises:
        CommandError: nobody of that name is watched.
    """
    owners = await read_owners(records)
    wanted = normalize_address(given)
    for owner in owners:
        if wanted in (normalize_address(owner.key), owner.roster_address, *owner.aliases):
            return owner
    known = ", ".join(owner.address for owner in owners) or "nobody yet"
    raise CommandError(f"No owner {given!r} is watched. Watched: {known}.")


async def choose_owners(records: Records, given: str | None) -> Sequence[WatchedOwner]:
    """Give the one that was named, else all.

    Raises:
        CommandError: nobody of that name is watched.
    """
    return await read_owners(records) if given is None else (await find_owner(records, given),)


async def find_meeting(states: StateStore, owner: WatchedOwner, given: str) -> MeetingKey:
    """Give the meeting whose key is, or begins or ends with, what was given.

    Raises:
        CommandError: there is none, or more than one.
    """
    held = await states.list_meetings(owner.key)
    wanted = given.casefold()
    exact = [meeting for meeting in held if meeting.casefold() == wanted]
    alike = exact or [
        meeting
        for meeting in held
        if meeting.casefold().startswith(wanted) or meeting.casefold().endswith(wanted)
    ]
    if len(alike) == 1:
        return alike[0]
    problem = f"{len(alike)} meetings are like {given!r}" if alike else f"No meeting {given!r} is held"
    raise CommandError(f"{problem} of {owner.address}: `response-sync show {owner.address}` lists them.")
