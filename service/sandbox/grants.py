"""What people granted: refresh tokens, device codes and authorization codes, in memory. No I/O.

Must never keep more than a bounded number of them: the oldest is forgotten first.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Generic, TypeVar

from service.sandbox.access_tokens import Person
from service.sandbox.entra_wire import EntraFault

HELD_MAX = 10_000
REFRESH_LIFETIME = timedelta(days=90)
CODE_LIFETIME = timedelta(minutes=10)
DEVICE_LIFETIME = timedelta(minutes=15)
DEVICE_INTERVAL_S = 5
_USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"

T = TypeVar("T")


class Shelf(Generic[T]):
    """Values under their secret names, at most `HELD_MAX` of them."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, T] = OrderedDict()

    def put(self, name: str, value: T) -> str:
        self._held[name] = value
        while len(self._held) > HELD_MAX:
            self._held.popitem(last=False)
        return name

    def get(self, name: str) -> T | None:
        return self._held.get(name)

    def list_names(self) -> tuple[str, ...]:
        """Give all names, the oldest first."""
        return tuple(self._held)

    def take(self, name: str) -> T | None:
        """Give the value and forget it."""
        return self._held.pop(name, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A person let the application act for them.

    Attributes:
        scopes: permissions, without `openid` and its kin.
        is_public: granted to a client without a credential, so redeemed without one.
        nonce: for the id token; None where the sign-in had none.
    """

    person: Person
    scopes: frozenset[str]
    is_public: bool
    expires_at: datetime
    nonce: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """What a redirect carries back to the client."""

    grant: Grant
    redirect_uri: str
    challenge: str | None


class Decision(StrEnum):
    """What the person did with a device code."""

    PENDING = "pending"
    APPROVED = "approved"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """A sign-in on another device.

    Attributes:
        person: who approved; None before.
        polled_at: when the client asked last.
    """

    user_code: str
    scopes: frozenset[str]
    expires_at: datetime
    decision: Decision = Decision.PENDING
    person: Person | None = None
    polled_at: datetime | None = None


class Grants:
    """Everything that people granted.

    Attributes:
        device_interval_s: how long whoever waits for a code to be entered is told to wait between two looks.
    """

    def __init__(self) -> None:
        self.device_interval_s = DEVICE_INTERVAL_S
        self._refresh: Shelf[Grant] = Shelf()
        self._revoked: dict[str, datetime] = {}
        self._codes: Shelf[AuthorizationCode] = Shelf()
        self._devices: Shelf[DeviceCode] = Shelf()
        self._device_codes: Shelf[str] = Shelf()

    def keep_refresh(self, grant: Grant, now: datetime) -> str:
        """Give a new refresh token; those given before go on working, as in Entra."""
        token = f"1.{secrets.token_urlsafe(48)}"
        return self._refresh.put(token, replace(grant, expires_at=now + REFRESH_LIFETIME, nonce=None))

    def find_refresh(self, token: str, now: datetime) -> Grant:
        """Find what a refresh token stands for.

        Raises:
            EntraFault: `invalid_grant`.
        """
        grant = self._refresh.get(token)
        if grant is None:
            raise EntraFault("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
        if grant.expires_at <= now:
            raise EntraFault("invalid_grant", 700082, "The refresh token has expired due to inactivity.")
        revoked_at = self._revoked.get(grant.person.id)
        if revoked_at is not None and grant.expires_at - REFRESH_LIFETIME <= revoked_at:
            raise EntraFault(
                "invalid_grant", 50173, "The provided grant has expired due to it being revoked."
            )
        return grant

    def revoke(self, person_id: str, now: datetime) -> None:
        """Refuse the refresh tokens that a person's sign-ins brought so far, as a new password does."""
        self._revoked[person_id] = now

    def list_refresh_tokens(self) -> tuple[str, ...]:
        """Give every refresh token that was ever given, to be looked for where none may be."""
        return self._refresh.list_names()

    def keep_code(self, code: AuthorizationCode) -> str:
        """Give a new authorization code."""
        return self._codes.put(f"0.{secrets.token_urlsafe(32)}", code)

    def redeem_code(self, code: str, *, redirect_uri: str, verifier: str | None, now: datetime) -> Grant:
        """Take an authorization code, once.

        Raises:
            EntraFault: `invalid_grant`.
        """
        kept = self._codes.take(code)
        if kept is None or kept.grant.expires_at <= now:
            raise EntraFault(
                "invalid_grant", 70008, "The provided authorization code or refresh token has expired."
            )
        if kept.redirect_uri != redirect_uri:
            raise EntraFault(
                "invalid_grant", 500112, "The reply address does not match the one of the sign-in."
            )
        if kept.challenge is not None and kept.challenge != build_challenge(verifier or ""):
            raise EntraFault("invalid_grant", 501481, "The Code_Verifier does not match the code_challenge.")
        return kept.grant

    def open_device(self, scopes: frozenset[str], now: datetime) -> tuple[str, DeviceCode]:
        """Begin a sign-in on another device; give the device code and what is known of it."""
        user_code = "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(9))
        device = DeviceCode(user_code=user_code, scopes=scopes, expires_at=now + DEVICE_LIFETIME)
        name = self._devices.put(secrets.token_urlsafe(64), device)
        self._device_codes.put(user_code, name)
        return name, device

    def decide_device(self, user_code: str, person: Person, *, is_approved: bool) -> bool:
        """Approve or decline as a person; False where there is no such code."""
        name = self._device_codes.take(user_code.strip().upper())
        device = self._devices.get(name) if name else None
        if name is None or device is None:
            return False
        decision = Decision.APPROVED if is_approved else Decision.DECLINED
        self._devices.put(name, replace(device, decision=decision, person=person))
        return True

    def poll_device(self, name: str, now: datetime) -> Grant:
        """Take what a device code brought.

        Raises:
            EntraFault: `authorization_pending`, `slow_down`, `authorization_declined`, `expired_token`,
                `bad_verification_code`.

        Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
        """
        device = self._devices.get(name)
        if device is None:
            raise EntraFault("bad_verification_code", 70018, "The device code is not known.")
        if device.expires_at <= now:
            raise EntraFault("expired_token", 70020, "The provided value for 'device_code' has expired.")
        if device.decision is Decision.DECLINED:
            raise EntraFault("authorization_declined", 70001, "The user declined the sign-in.")
        if device.decision is Decision.APPROVED and device.person is not None:
            self._devices.take(name)
            return Grant(person=device.person, scopes=device.scopes, is_public=True, expires_at=now)
        self._devices.put(name, replace(device, polled_at=now))
        if (
            device.polled_at is not None
            and (now - device.polled_at).total_seconds() < self.device_interval_s - 1
        ):
            raise EntraFault("slow_down", 70019, f"Poll at most once in {self.device_interval_s} seconds.")
        raise EntraFault(
            "authorization_pending", 70016, "The sign-in on the other device is not finished yet."
        )


def build_challenge(verifier: str) -> str:
    """Give the S256 challenge of a code verifier.

    Source: https://www.rfc-editor.org/rfc/rfc7636#section-4.2
    """
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
