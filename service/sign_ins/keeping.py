"""The loop that keeps sign-ins alive, and says in time which of them will end. Decides nothing else."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from service.clock import Clock, sleep_or_stop
from service.errors import TokenError
from service.sign_ins.record import SignIn, SignInState, SignInTerms, judge_sign_in
from service.sign_ins.table import SignInTable

_LOG: Final = structlog.get_logger("sign_ins")


class SignInKeeping:
    """Uses every sign-in now and then, also of a mailbox that nobody reads at the moment.

    Args:
        interval_s: between two rounds; a refresh token lives on while it is used.
    """

    def __init__(
        self, table: SignInTable, *, terms: SignInTerms, clock: Clock, interval_s: float = 3600.0
    ) -> None:
        self._table = table
        self._terms = terms
        self._clock = clock
        self._interval_s = interval_s

    async def run(self, stop: asyncio.Event) -> None:
        """Look after all sign-ins until `stop` is set."""
        while not stop.is_set():
            for person in self._table.list_people():
                await self._use(person)
            await sleep_or_stop(self._clock, stop, self._interval_s)

    async def _use(self, person: str) -> None:
        try:
            source = self._table.source_of(person)
        except KeyError:
            return  # signed out meanwhile
        try:
            await source.fetch_token()
        except TokenError as error:
            _LOG.warning("login.not_renewed", person=person, outcome=error.code)
        self._announce(source.sign_in)

    def _announce(self, sign_in: SignIn) -> None:
        status = judge_sign_in(sign_in, now=self._clock.now(), terms=self._terms)
        if status.state is not SignInState.GOOD:
            _LOG.warning(
                "login.warned",
                person=sign_in.person,
                state=str(status.state),
                days_left=status.days_left,
            )
