"""Finds what an operator names: an owner by address, name or object id, a meeting by key, id or subject."""

from __future__ import annotations

from collections.abc import Sequence

from service.errors import CommandError
from service.pipeline.committer import read_state
from service.ports import Book, Records, StateStore
from service.reconcile.matching import normalize_address, parse_ical_uid
from service.reconcile.model import EventId, MeetingKey
from service.roster import WatchedOwner, decode_watched_owner
from service.subscriptions.ledger import decode_book

SHOWN_MAX = 5


async def read_owners(records: Records) -> tuple[WatchedOwner, ...]:
    """Give every watched owner, by address."""
    owners = decode_book(await records.read_all(Book.OWNERS), decode_watched_owner)
    return tuple(sorted(owners.values(), key=lambda owner: owner.address.casefold()))


async def find_owner(records: Records, given: str) -> WatchedOwner:
    """Give the owner of that address, alias or object id, else the only one of that name.

    Raises:
        CommandError: nobody of that name is watched, or more than one.
    """
    owners = await read_owners(records)
    wanted = normalize_address(given)
    for owner in owners:
        if wanted in (normalize_address(owner.key), owner.roster_address, *owner.aliases):
            return owner
    namesakes = [owner for owner in owners if given.strip().casefold() == owner.name.strip().casefold()]
    if len(namesakes) == 1:
        return namesakes[0]
    if namesakes:
        raise CommandError(f"{given!r} is the name of {', '.join(owner.address for owner in namesakes)}.")
    known = ", ".join(owner.address for owner in owners) or "nobody yet"
    raise CommandError(f"No owner {given!r} is watched. Watched: {known}.")


async def choose_owners(records: Records, given: str | None) -> Sequence[WatchedOwner]:
    """Give the one that was named, else all.

    Raises:
        CommandError: nobody of that name is watched.
    """
    return await read_owners(records) if given is None else (await find_owner(records, given),)


async def find_meeting(states: StateStore, owner: WatchedOwner, given: str) -> MeetingKey:
    """Give the meeting with that key, event id or iCalUId, else the only one that is like it.

    A meeting is like what was given when its key begins or ends with it, or its subject holds it.

    Raises:
        CommandError: there is none, or more than one.
    """
    held = await states.list_meetings(owner.key)
    named = await _find_by_id(states, owner, held, given)
    if named is not None:
        return named
    wanted = given.strip().casefold()
    alike = [meeting for meeting in held if _is_part_of_key(wanted, meeting)]
    if not alike and wanted:
        subjects = {meeting: await _read_subjects(states, owner, meeting) for meeting in held}
        alike = [meeting for meeting in held if any(wanted in subject for subject in subjects[meeting])]
    if len(alike) == 1:
        return alike[0]
    raise CommandError(_say_what_was_found(owner, given, alike))


async def _find_by_id(
    states: StateStore, owner: WatchedOwner, held: Sequence[MeetingKey], given: str
) -> MeetingKey | None:
    """Give the meeting of that very key, iCalUId or event id."""
    names = {given.casefold(), parse_ical_uid(given).meeting.casefold()}
    exact = [meeting for meeting in held if meeting.casefold() in names]
    if len(exact) == 1:
        return exact[0]
    known = await states.find_event(owner.key, EventId(given))
    return known[0] if known is not None and known[0] in held else None


def _is_part_of_key(wanted: str, meeting: MeetingKey) -> bool:
    key = meeting.casefold()
    return bool(wanted) and (key.startswith(wanted) or key.endswith(wanted))


async def _read_subjects(states: StateStore, owner: WatchedOwner, meeting: MeetingKey) -> set[str]:
    """Give the subjects under which a meeting and its occurrences stand in the calendar, folded."""
    state = await read_state(states, owner.key, meeting)
    heads = [instance.head for instance in state.facts.instances.values() if instance.head is not None]
    return {head.details.subject.casefold() for head in heads if head.details.subject}


def _say_what_was_found(owner: WatchedOwner, given: str, alike: Sequence[MeetingKey]) -> str:
    where = f"`response-sync show {owner.address}` lists them."
    if not alike:
        return f"No meeting {given!r} is held of {owner.address}: {where}"
    shown = ", ".join(alike[:SHOWN_MAX]) + (", .." if len(alike) > SHOWN_MAX else "")
    return f"{len(alike)} meetings are like {given!r} of {owner.address} ({shown}): {where}"
