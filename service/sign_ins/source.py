"""The token of one person, for that person's mailbox; what Entra ID renews is sealed and kept.

Must never put a token into a log line, and never write over a later sign-in of the same person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

import msgspec
import structlog

from service.clock import Clock
from service.errors import SealError, SignInError, StreamError, TokenError
from service.reconcile.model import MailboxKey
from service.sign_ins.record import SignIn, decode_sign_in, encode_sign_in
from service.sign_ins.sealing import Sealer

_LOG: Final = structlog.get_logger("sign_ins")
_FORMER: Final = "it was sealed with another SECRET_KEY, which FORMER_SECRET_KEYS does not hold"


class SignInStore(Protocol):
    """Where sign-ins are kept, by person. Every method raises `StreamError`."""

    async def read_all(self) -> dict[str, str]:
        """Give all; may be empty."""

    async def read_one(self, person: str) -> str | None:
        """Give one; None where there is none."""

    async def read_counter(self) -> int:
        """Give a number that differs after every change."""

    async def put(self, person: str, text: str) -> None:
        """Keep a sign-in, in place of an earlier one."""

    async def replace(self, person: str, expected: str, text: str) -> bool:
        """Put a text in the place of another; tells whether that one was still there."""

    async def drop(self, person: str) -> bool:
        """Forget a sign-in; tells whether there was one."""


class Tokens(Protocol):
    """Gives one person's access tokens, and keeps what Entra ID gave with them in a wallet."""

    async def fetch_token(self, *, claims: str = "", rejected: str = "") -> str:
        """Give a token; raises `TokenError`."""

    def close(self) -> None:
        """Close the connections to the authority."""


class Wallet:
    """MSAL's token cache in clear, in memory only; a thread may write into it.

    Attributes:
        is_changed: it holds what is not kept yet.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.is_changed = False

    def read(self) -> str:
        """Give the cache."""
        return self._text

    def keep(self, text: str) -> None:
        """Take what MSAL made of it."""
        self._text = text
        self.is_changed = True

    def fill(self, text: str) -> None:
        """Take what another process kept."""
        self._text = text
        self.is_changed = False


BuildTokens = Callable[[SignIn, Wallet], Tokens]


class PersonalTokens:
    """Tokens of one sign-in.

    Args:
        text: the sign-in as it is kept.
    """

    def __init__(
        self, text: str, *, build: BuildTokens, sealer: Sealer, store: SignInStore, clock: Clock
    ) -> None:
        self._text = text
        self._sealer = sealer
        self._store = store
        self._clock = clock
        self.sign_in = decode_sign_in(text)
        self._wallet: Wallet | None = None
        self._tokens: Tokens | None = None
        self._open(build)

    @property
    def person(self) -> MailboxKey:
        return self.sign_in.person

    def _open(self, build: BuildTokens) -> None:
        try:
            opened = self._sealer.open(self.sign_in.sealed, person=self.person)
        except SealError:
            return  # told to whoever asks for a token
        self._wallet = Wallet(opened.text)
        self._wallet.is_changed = not opened.is_current
        self._tokens = build(self.sign_in, self._wallet)

    async def fetch_token(self, *, claims: str = "", rejected: str = "") -> str:
        """Give a token of this person.

        Raises:
            SignInError: the person has to sign in again.
            TokenError: Entra ID gave none this time.
        """
        if self._tokens is None:
            raise build_sign_in_error(_FORMER, code="sealed")
        try:
            token = await self._tokens.fetch_token(claims=claims, rejected=rejected)
        except TokenError as error:
            if not error.needs_sign_in:
                raise
            await self._note_end(error)
            raise build_sign_in_error(error.code, code=error.code) from error
        await self.keep()
        return token

    async def keep(self) -> None:
        """Seal and keep what is not kept yet. Redis being away does no harm: what is kept is still good."""
        wallet = self._wallet
        if wallet is None or not wallet.is_changed:
            return
        text, wallet.is_changed = wallet.read(), False
        sealed = self._sealer.seal(text, person=self.person)
        try:
            await self._replace(replace(self.sign_in, sealed=sealed, used_at=self._clock.now(), fault=""))
        except StreamError as error:
            wallet.is_changed = True
            _LOG.warning("login.not_kept", person=self.person, error=str(error))

    async def _note_end(self, error: TokenError) -> None:
        """Write down that the sign-in is no longer good, once."""
        if self.sign_in.fault == error.code:
            return
        _LOG.error("login.ended", person=self.person, outcome=error.code)
        try:
            await self._replace(replace(self.sign_in, fault=error.code))
        except StreamError as away:
            _LOG.warning("login.not_kept", person=self.person, error=str(away))

    async def _replace(self, sign_in: SignIn) -> None:
        """Put a sign-in in the place of the one we know; where another process was first, learn from it."""
        text = encode_sign_in(sign_in)
        if await self._store.replace(self.person, self._text, text):
            self._text, self.sign_in = text, sign_in
            return
        present = await self._store.read_one(self.person)
        if present is not None:
            self.learn(present)

    def learn(self, text: str) -> bool:
        """Take over what another process kept of the same sign-in; tells whether it is the same."""
        try:
            sign_in = decode_sign_in(text)
        except msgspec.DecodeError:
            return False
        if sign_in.signed_in_at != self.sign_in.signed_in_at:
            return False
        if text == self._text:
            return True
        if self._wallet is not None and sign_in.sealed != self.sign_in.sealed:
            try:
                self._wallet.fill(self._sealer.open(sign_in.sealed, person=self.person).text)
            except SealError:
                return False
        self._text, self.sign_in = text, sign_in
        return True

    def close(self) -> None:
        """Close the connections to the authority."""
        if self._tokens is not None:
            self._tokens.close()


def build_sign_in_error(reason: str, *, code: str) -> SignInError:
    """Give the error that says what to do; it goes into logs, so it holds no address."""
    return SignInError(
        f"The sign-in of whose mailbox it is is not good ({reason}).",
        code=code,
        remedy="Run `response-sync login ADDRESS` with the address of that person.",
        is_permanent=True,
        needs_sign_in=True,
    )
