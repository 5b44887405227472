"""Who has signed in, as this process knows it: followed in Redis, so that a login needs no restart.

Must never give one person's tokens for another's mailbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import structlog

from service.clock import Clock
from service.errors import StreamError
from service.sign_ins.record import SignIn, find_sign_in
from service.sign_ins.sealing import Sealer
from service.sign_ins.source import BuildTokens, PersonalTokens, SignInStore

_LOG: Final = structlog.get_logger("sign_ins")


class SignInTable:
    """All sign-ins with their tokens.

    Args:
        look_s: between two looks at whether somebody signed in or out.
    """

    def __init__(
        self, store: SignInStore, *, sealer: Sealer, build: BuildTokens, clock: Clock, look_s: float = 1.0
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._build = build
        self._clock = clock
        self._look_s = look_s
        self._counter: int | None = None
        self._sources: dict[str, PersonalTokens] = {}

    @property
    def logins(self) -> frozenset[tuple[str, str]]:
        """Give who signed in and when: differs once somebody did so anew."""
        return frozenset((one.person, one.sign_in.signed_in_at.isoformat()) for one in self._sources.values())

    @property
    def sign_ins(self) -> tuple[SignIn, ...]:
        """Give all, by person."""
        return tuple(one.sign_in for _, one in sorted(self._sources.items()))

    def find(self, mailbox: str) -> str | None:
        """Give the object id of whose mailbox it is; None where they have not signed in."""
        if mailbox in self._sources:
            return mailbox
        found = find_sign_in(self.sign_ins, mailbox)
        return None if found is None else found.person

    def list_people(self) -> tuple[str, ...]:
        """Give the object id of everybody who has signed in, in order."""
        return tuple(sorted(self._sources))

    def source_of(self, person: str) -> PersonalTokens:
        """Give the tokens of a person.

        Raises:
            KeyError: they have not signed in.
        """
        return self._sources[person]

    async def refresh(self) -> None:
        """Look whether somebody signed in or out, and follow.

        Raises:
            StreamError: Redis is away; what was known stays.
        """
        counter = await self._store.read_counter()
        if counter == self._counter:
            return
        texts = await self._store.read_all()
        for person in [one for one in self._sources if one not in texts]:
            self._sources.pop(person).close()
        for person, text in texts.items():
            await self._take(person, text)
        self._counter = counter

    async def _take(self, person: str, text: str) -> None:
        present = self._sources.get(person)
        if present is not None and present.learn(text):
            return
        try:
            source = PersonalTokens(
                text, build=self._build, sealer=self._sealer, store=self._store, clock=self._clock
            )
        except msgspec.DecodeError:
            _LOG.warning("login.not_read", person=person)
            return
        if present is not None:
            present.close()
        if source.person != person:  # a record under another's name is nobody's
            source.close()
            return
        self._sources[person] = source
        await source.keep()  # sealed again where a former SECRET_KEY sealed it

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow in the background, beginning at once."""
        await self._refresh_safely()
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            for source in self._sources.values():
                source.close()

    async def _follow(self) -> None:
        while True:
            await self._clock.sleep(self._look_s)
            await self._refresh_safely()

    async def _refresh_safely(self) -> None:
        try:
            await self.refresh()
        except StreamError as error:
            _LOG.debug("login.not_followed", error=str(error))
