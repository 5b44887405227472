"""The operator: takes owners off the roster and puts them back, as `response-sync owners` does."""

from __future__ import annotations

from typing import Final

from service.ports import Book
from service.roster import RosterEntry, encode_record
from service.sandbox.people import User
from service.streams.keys import KeyNames
from service.streams.link import RedisLink
from service.streams.records import RedisRecords
from tests.simulation.chance import Chance
from tests.simulation.people import People, entry_of
from tests.simulation.server import Line, Server
from tests.simulation.story import Story
from tests.simulation.vitals import Vitals

_TIMEOUT_S: Final = 60.0


class Operator:
    """Somebody with a shell.

    Attributes:
        removed: owners who are off the roster now, by object id.
        returned: owners who were off it at some time.
    """

    def __init__(self, server: Server, chance: Chance, keys: KeyNames, people: People, story: Story) -> None:
        self.removed: set[str] = set()
        self.returned: set[str] = set()
        line = Line(server, chance, Vitals("operator", chance))
        self._records = RedisRecords(RedisLink(line, command_timeout_s=_TIMEOUT_S), keys)
        self._chance = chance
        self._people = people
        self._story = story

    @property
    def watched(self) -> tuple[User, ...]:
        """The owners on the roster."""
        return tuple(owner for owner in self._people.owners if owner.id not in self.removed)

    async def change_roster(self) -> None:
        """Take an owner off, or put one back."""
        owner = self._chance.pick(self._people.owners)
        if owner.id in self.removed:
            await self._add(owner)
        else:
            await self._remove(owner)

    async def settle(self, *, keeps_all: bool) -> None:
        """Make the roster what it is to be, whatever a lost or restored Redis made of it.

        Args:
            keeps_all: nobody stays off it.
        """
        for owner in self._people.owners:
            if owner.id in self.removed and not keeps_all:
                await self._records.drop(Book.ROSTER, [entry_of(owner).address])
            else:
                await self._add(owner)

    async def _add(self, owner: User) -> None:
        entry: RosterEntry = entry_of(owner)
        await self._records.write(Book.ROSTER, {entry.address: encode_record(entry)})
        if owner.id in self.removed:
            self.removed.discard(owner.id)
            self._story.tell(f"{owner.name} is put back on the roster")

    async def _remove(self, owner: User) -> None:
        self.removed.add(owner.id)
        self.returned.add(owner.id)
        await self._records.drop(Book.ROSTER, [entry_of(owner).address])
        self._story.tell(f"{owner.name} is taken off the roster")
