"""A sign-in as it is kept, and how much time it has left. Pure.

The tokens are in it under a seal only; all else is what a person needs to know of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from service.reconcile.matching import normalize_address
from service.reconcile.model import Address, MailboxKey

_SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """One person's consent to have their own mailbox read.

    Attributes:
        person: object id.
        address: as they signed in.
        aliases: every address of theirs that is known, in normal form.
        scopes: permissions they gave, such as `Mail.Read`.
        signed_in_at: tells one sign-in from the next.
        used_at: when Entra ID last gave a new refresh token.
        sealed: MSAL's token cache without access tokens, sealed.
        fault: why Entra ID no longer takes it, as its code; empty where it does.
    """

    person: MailboxKey
    address: str
    aliases: tuple[Address, ...] = ()
    name: str = ""
    scopes: tuple[str, ...] = ()
    signed_in_at: datetime
    used_at: datetime
    sealed: str = field(repr=False)
    fault: str = ""

    def is_of(self, mailbox: str) -> bool:
        """Tell whether a mailbox, by object id or address, is this person's own."""
        wanted = normalize_address(mailbox)
        return mailbox == self.person or wanted == normalize_address(self.address) or wanted in self.aliases


class SignInState(StrEnum):
    """How a sign-in stands."""

    GOOD = "good"
    ENDING = "ending"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInTerms:
    """How long sign-ins last.

    Attributes:
        idle_days: Entra ID ends a refresh token that was not used for so long.
        warn_days: said so many days before the end.

    Source: https://learn.microsoft.com/entra/identity-platform/refresh-tokens
    """

    idle_days: float = 90.0
    warn_days: float = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInStatus:
    """How one sign-in stands at a moment.

    Attributes:
        ends_at: unless it is used before; a revocation may end it earlier.
        words: what is wrong or will be, with the remedy; empty where nothing is.
    """

    sign_in: SignIn
    state: SignInState
    ends_at: datetime
    left_s: float
    words: str

    @property
    def days_left(self) -> int:
        """Give the whole days that are left."""
        return int(self.left_s // _SECONDS_PER_DAY)


def judge_sign_in(sign_in: SignIn, *, now: datetime, terms: SignInTerms) -> SignInStatus:
    """Say how a sign-in stands."""
    ends_at = sign_in.used_at + timedelta(days=terms.idle_days)
    left_s = 0.0 if sign_in.fault else max((ends_at - now).total_seconds(), 0.0)
    state, words = SignInState.GOOD, ""
    if sign_in.fault:
        state, words = SignInState.ENDED, describe_end(sign_in.address, sign_in.fault)
    elif not left_s:
        state, words = SignInState.ENDED, describe_end(sign_in.address, "it was not used for too long")
    elif left_s < terms.warn_days * _SECONDS_PER_DAY:
        days = int(left_s // _SECONDS_PER_DAY)
        state = SignInState.ENDING
        words = f"The sign-in of {sign_in.address} ends in {days} days: run `{say_login(sign_in.address)}`."
    return SignInStatus(sign_in=sign_in, state=state, ends_at=ends_at, left_s=left_s, words=words)


def describe_end(address: str, reason: str) -> str:
    """Say that a sign-in has ended and what to do."""
    return f"The sign-in of {address} is no longer good ({reason}): run `{say_login(address)}`."


def say_login(address: str) -> str:
    """Give the command with which somebody signs in."""
    return f"response-sync login {address}"


def find_sign_in(sign_ins: Iterable[SignIn], mailbox: str) -> SignIn | None:
    """Give the sign-in of the person whose mailbox it is; None where they have not signed in."""
    return next((one for one in sign_ins if mailbox and one.is_of(mailbox)), None)


_SIGN_IN: Final = msgspec.json.Decoder(SignIn)


def encode_sign_in(sign_in: SignIn) -> str:
    """Give the text in which a sign-in is kept."""
    return msgspec.json.encode(sign_in).decode()


def decode_sign_in(text: str) -> SignIn:
    """Read a sign-in.

    Raises:
        msgspec.DecodeError: it was written by a release that we cannot read.
    """
    return _SIGN_IN.decode(text)
