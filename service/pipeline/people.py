"""Finds out whose row an answer speaks for, asking the directory where it may be read. Commits nothing.

The rules are in `reconcile/identities.py`. What is found becomes a fact, so that it also holds for the row
that appears later, and for the answer that comes later. What the directory said is remembered for a while,
its refusal too; the memory is bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from service.clock import Clock, SystemClock
from service.errors import AccessError, GoneError, PayloadError, RefusedError
from service.ports import Directory, StoredMeeting
from service.reconcile.facts import MeetingFacts, join_all
from service.reconcile.identities import (
    Known,
    Listing,
    Match,
    Stranger,
    are_different,
    find_by_directory,
    find_second_rows,
    guess,
    list_doubtful,
    list_guesses,
    list_meeting,
    list_strangers,
    make_alias,
)
from service.reconcile.matching import normalize_address
from service.reconcile.model import Address, AliasFact, Fact, MeetingKey, ResponseFact
from service.reconcile.state import decode_state
from service.roster import WatchedOwner

_NO_PAIRS: Final[Mapping[Address, Address]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleLimits:
    """Bounds of looking people up.

    Attributes:
        kept_max: people remembered; those not asked for the longest go first.
        kept_s: how long an answer of the directory is believed, a refusal too.
        lookups_max: people asked for in one meeting because of one entry.
    """

    kept_max: int = 10_000
    kept_s: float = 900
    lookups_max: int = 20


class KnownPeople:
    """The directory, remembered.

    Args:
        directory: None where there is none to ask.
    """

    def __init__(self, directory: Directory | None, clock: Clock, limits: PeopleLimits) -> None:
        self._directory = directory
        self._clock = clock
        self._limits = limits
        self._kept: OrderedDict[Address, tuple[float, Known | None]] = OrderedDict()
        self._closed_until = float("-inf")

    async def find(self, address: Address) -> Known | None:
        """Give who has an address; None where nobody has, or the directory may not be read.

        Raises:
            GraphError, TokenError: the directory could not be asked this time.
        """
        now = self._clock.monotonic()
        kept = self._kept.get(address)
        if kept is not None and now < kept[0]:
            self._kept.move_to_end(address)
            return kept[1]
        if self._directory is None or now < self._closed_until:
            return None
        try:
            known = await self._ask(self._directory, address)
        except AccessError:
            self._closed_until = now + self._limits.kept_s
            return None
        self._keep(address, now + self._limits.kept_s, known)
        return known

    async def _ask(self, directory: Directory, address: Address) -> Known | None:
        try:
            person = await directory.find_person(address)
        except (GoneError, RefusedError, PayloadError):  # nobody, or nothing that could be looked up
            return None
        primary = normalize_address(person.address)
        return Known(key=person.key, addresses=frozenset(person.aliases), primary=primary)

    def _keep(self, address: Address, until: float, known: Known | None) -> None:
        self._kept[address] = (until, known)
        self._kept.move_to_end(address)
        while len(self._kept) > self._limits.kept_max:
            self._kept.popitem(last=False)


class People:
    """Matches addresses that no event lists with those that it does."""

    def __init__(
        self,
        directory: Directory | None = None,
        *,
        clock: Clock | None = None,
        limits: PeopleLimits | None = None,
    ) -> None:
        self._limits = limits or PeopleLimits()
        self._known = KnownPeople(directory, clock or SystemClock(), self._limits)

    async def find_aliases(
        self,
        owner: WatchedOwner,
        meeting: MeetingKey,
        facts: Iterable[Fact],
        *,
        stored: StoredMeeting,
        paired: Mapping[Address, Address] = _NO_PAIRS,
        is_thorough: bool = False,
    ) -> list[AliasFact]:
        """Give what is newly known of who is who, once these facts have joined.

        Args:
            stored: what is held of the meeting.
            paired: a second address of whom a message came from, by the first.
            is_thorough: look whoever answers up for a second row, at the price of a request for each.

        Raises:
            GraphError, TokenError: the directory could not be asked this time.
        """
        state = decode_state(stored.fields)
        facts = tuple(facts)
        joined = join_all(state.facts, facts)
        listing = list_meeting(joined)
        found = []
        for stranger in list_strangers(joined, listing)[: self._limits.lookups_max]:
            match = _match_pair(stranger, listing, paired) or await self._match(stranger, listing)
            if match is not None:
                found.append(make_alias(owner.key, meeting, stranger.address, match))
        answering = [fact.attendee for fact in facts if isinstance(fact, ResponseFact)]
        doubtful = list_doubtful(listing, answering, is_thorough=is_thorough)
        for address, match in (await self._find_second_rows(listing, doubtful)).items():
            found.append(make_alias(owner.key, meeting, address, match))
        return [*found, *await self._deny_guesses(owner, meeting, joined)]

    async def _find_second_rows(self, listing: Listing, doubtful: Sequence[Address]) -> dict[Address, Match]:
        """Give the rows whose person has another row."""
        found: dict[Address, Match] = {}
        for address in doubtful[: self._limits.lookups_max]:
            known = await self._known.find(address)
            if known is not None:
                found |= find_second_rows(known, listing)
        return found

    async def _deny_guesses(
        self, owner: WatchedOwner, meeting: MeetingKey, joined: MeetingFacts
    ) -> list[AliasFact]:
        """Withdraw what was guessed while the directory could not be read, and is not so."""
        denied = []
        for alias, person in list_guesses(joined)[: self._limits.lookups_max]:
            if are_different(await self._known.find(alias), await self._known.find(person)):
                denied.append(
                    AliasFact(owner=owner.key, meeting=meeting, alias=alias, person=person, is_denied=True)
                )
        return denied

    async def _match(self, stranger: Stranger, listing: Listing) -> Match | None:
        known = await self._look_up(stranger, listing)
        match = find_by_directory(stranger, listing, known)
        if match is not None:
            return match
        guessed = guess(stranger, listing)
        if guessed is None or not known.get(stranger.address):
            return guessed
        other = await self._known.find(guessed.address)
        return None if are_different(known[stranger.address], other) else guessed

    async def _look_up(self, stranger: Stranger, listing: Listing) -> dict[Address, Known | None]:
        """Ask for the stranger; where that address cannot be looked up, for whom the rows name."""
        if not stranger.is_opaque:
            return {stranger.address: await self._known.find(stranger.address)}
        rows = [row.address for row in listing.others(stranger)][: self._limits.lookups_max]
        return {address: await self._known.find(address) for address in rows}


def _match_pair(stranger: Stranger, listing: Listing, paired: Mapping[Address, Address]) -> Match | None:
    second = paired.get(stranger.address)
    return Match(address=second) if second is not None and second in listing.rows else None
