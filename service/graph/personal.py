"""A person's own sign-in, as MSAL keeps it: a public client and a cache. Blocking: never on the event loop.

Access tokens never leave the process: what is kept of a cache is the refresh token and whose it is.

Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msal  # type: ignore[import-untyped]
import requests

from service.graph.credentials import CAPABILITIES, Acquire, choose_discovery

_KEPT: Final = ("RefreshToken", "Account", "AppMetadata")
_NO_ACCOUNT: Final = {"error": "invalid_grant", "error_description": "nothing is kept of the sign-in"}


class Wallet(Protocol):
    """Holds a serialized cache; both methods may be called by a thread."""

    def read(self) -> str:
        """Give the cache."""

    def keep(self, text: str) -> None:
        """Take a changed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalRegistration:
    """The application as a person uses it: without any credential of its own.

    Attributes:
        authority, client_id, resource: as for `Registration`.
        scopes: permissions that the person gave, such as `Mail.Read`.
    """

    authority: str
    client_id: str
    resource: str
    scopes: tuple[str, ...]
    wallet: Wallet = field(repr=False)


def open_public_client(
    authority: str, client_id: str, session: requests.Session, cache: msal.SerializableTokenCache
) -> Any:
    """Build MSAL's application; asks the authority for its endpoints.

    Raises:
        ValueError, LookupError, requests.RequestException, MsalServiceError: as MSAL raises them.
    """
    return msal.PublicClientApplication(
        client_id,
        authority=authority,
        client_capabilities=CAPABILITIES,
        instance_discovery=choose_discovery(authority),
        token_cache=cache,
        http_client=session,
    )


def build_personal_acquire(registration: PersonalRegistration, session: requests.Session) -> Acquire:
    """Build what asks for this person's tokens; raises as `open_public_client` does."""
    cache = msal.SerializableTokenCache()
    cache.deserialize(registration.wallet.read())
    application = open_public_client(registration.authority, registration.client_id, session, cache)
    scopes = spell_scopes(registration.resource, registration.scopes)

    def acquire(claims: str) -> Mapping[str, object]:
        accounts = application.get_accounts()
        if not accounts:
            return _NO_ACCOUNT
        result: Mapping[str, object] | None = application.acquire_token_silent_with_error(
            scopes, accounts[0], force_refresh=True, claims_challenge=claims or None
        )
        if cache.has_state_changed:
            registration.wallet.keep(strip_cache(cache.serialize()))
        return result or _NO_ACCOUNT

    return acquire


def spell_scopes(resource: str, scopes: Iterable[str]) -> list[str]:
    """Give scopes as Entra ID wants them; MSAL adds what a sign-in needs beside."""
    return [f"{resource.rstrip('/')}/{scope}" for scope in scopes]


def strip_cache(text: str) -> str:
    """Leave only what a later process needs of a serialized cache."""
    held = json.loads(text)
    return json.dumps({name: held[name] for name in _KEPT if name in held})
