"""What the authority says about itself: issuers and signing keys, kept, and fetched anew at a bounded rate.

Must never fetch because of each token that names an unknown key, and never follow anybody to another place
than the configured authority names.

Source: https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-signature
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa

from service.clock import Clock
from service.errors import SigningKeysError
from service.rich.validation_tokens import TENANT_PLACE, Issuers, find_tenant

DISCOVERY: Final = "/v2.0/.well-known/openid-configuration"
DISCOVERY_V1: Final = "/.well-known/openid-configuration"
ISSUER_V1: Final = f"https://sts.windows.net/{TENANT_PLACE}/"
"""Where the authority has no configuration of version 1."""
_KEYS_MAX: Final = 200
_BITS_MIN: Final = 2048
_log = structlog.get_logger("rich")


class Fetch(Protocol):
    """Gets a JSON document of the authority."""

    async def __call__(self, url: str) -> Mapping[str, Any] | None:
        """Give the document; None where the authority says that there is none.

        Raises:
            SigningKeysError: the authority did not answer, or not with JSON.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityLimits:
    """How often the authority is asked.

    Attributes:
        fresh_s: how long what it said is used without asking again.
        pause_s: between two fetches because of a key that is not known, and after a failure.
        kept_s: how long a key is honoured after the authority stopped showing it: tokens signed with it may
            have waited in a backlog.
    """

    fresh_s: float = 3600.0
    pause_s: float = 30.0
    kept_s: float = 14_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A key and when it was last shown, by the monotonic clock."""

    key: rsa.RSAPublicKey
    seen_at: float


class Authority:
    """Issuers and signing keys of one tenant; all who need them share one fetch.

    Args:
        url: ends in the tenant; without a slash.
        tenant: TENANT_ID where it is a GUID; else what the issuer names.
    """

    def __init__(
        self, url: str, *, tenant: str, fetch: Fetch, clock: Clock, limits: AuthorityLimits | None = None
    ) -> None:
        self._url = url
        self._tenant = tenant if find_tenant(tenant) == tenant.lower() else ""
        self._fetch = fetch
        self._clock = clock
        self._limits = limits or AuthorityLimits()
        self._issuers: Issuers | None = None
        self._keys: dict[str, _Shown] = {}
        self._tried_at: float | None = None
        self._fetched_at: float | None = None
        self._asked_at: datetime | None = None
        self._task: asyncio.Task[None] | None = None

    async def find_key(self, key_id: str, *, arrived_at: datetime) -> tuple[Issuers, rsa.RSAPublicKey | None]:
        """Give the issuers and a signing key; None for a key that the authority does not show.

        Args:
            arrived_at: when the token came: a key set that was fetched since holds the key that signed it.

        Raises:
            SigningKeysError: that cannot be told now; carries how long to wait.
        """
        if self._issuers is None or self._is_old():
            await self._refresh()
        if key_id not in self._keys and (self._asked_at is None or self._asked_at < arrived_at):
            await self._refresh(is_needed=True)
        assert self._issuers is not None, "a refresh raises or sets it"
        found = self._keys.get(key_id)
        return self._issuers, None if found is None else found.key

    async def _refresh(self, *, is_needed: bool = False) -> None:
        """Fetch, or wait for the fetch that is under way.

        Args:
            is_needed: what is held does not do; otherwise it may serve on while the authority is away.
        """
        if self._task is None:
            wait_s = self._pause_left()
            if wait_s > 0:
                if self._issuers is None or is_needed:
                    raise SigningKeysError("the signing keys were asked for just now", retry_after_s=wait_s)
                return
            self._tried_at = self._clock.monotonic()
            self._task = asyncio.create_task(self._fetch_all())
            self._task.add_done_callback(self._forget_task)
        try:
            await asyncio.shield(self._task)
        except SigningKeysError as error:
            if self._issuers is None or is_needed:
                raise
            _log.warning("authority.fetch_failed", error=str(error))

    def _forget_task(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled():
            task.exception()  # looked at: nobody may be waiting any more

    def _pause_left(self) -> float:
        if self._tried_at is None:
            return 0.0
        return self._tried_at + self._limits.pause_s - self._clock.monotonic()

    def _is_old(self) -> bool:
        if self._fetched_at is None:
            return True
        return self._clock.monotonic() - self._fetched_at >= self._limits.fresh_s

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- What the authority says ---

    async def _fetch_all(self) -> None:
        asked_at = self._clock.now()
        v2 = await self._fetch_document(self._url + DISCOVERY)
        v1 = await self._fetch(self._url + DISCOVERY_V1) or {}
        shown = await self._fetch_keys(v2["jwks_uri"])
        if (other := v1.get("jwks_uri")) and other != v2["jwks_uri"]:
            shown = await self._fetch_keys(other) | shown
        self._issuers = self._read_issuers(str(v2["issuer"]), str(v1.get("issuer") or ISSUER_V1))
        self._keep(shown)
        self._asked_at, self._fetched_at = asked_at, self._clock.monotonic()
        _log.info("authority.fetched", keys=len(shown))

    async def _fetch_document(self, url: str) -> Mapping[str, Any]:
        document = await self._fetch(url)
        if document is None or not all(
            isinstance(document.get(name), str) for name in ("issuer", "jwks_uri")
        ):
            raise SigningKeysError(f"{url} is no OpenID configuration: check AUTHORITY_URL")
        return document

    async def _fetch_keys(self, url: object) -> dict[str, rsa.RSAPublicKey]:
        document = await self._fetch(url) if isinstance(url, str) else None
        given = (document or {}).get("keys")
        if not isinstance(given, list):
            raise SigningKeysError("the authority shows no key set")
        read = [_read_key(one) for one in given[:_KEYS_MAX]]
        return dict(one for one in read if one is not None)

    def _read_issuers(self, v2: str, v1: str) -> Issuers:
        tenant = self._tenant.lower() or find_tenant(v2)
        if not tenant:
            raise SigningKeysError("the authority does not say which tenant it is: set TENANT_ID to its id")
        return Issuers(
            tenant=tenant, v1=v1.replace(TENANT_PLACE, tenant), v2=v2.replace(TENANT_PLACE, tenant)
        )

    def _keep(self, shown: Mapping[str, rsa.RSAPublicKey]) -> None:
        now = self._clock.monotonic()
        former = {
            key_id: one for key_id, one in self._keys.items() if now - one.seen_at < self._limits.kept_s
        }
        self._keys = former | {key_id: _Shown(key=key, seen_at=now) for key_id, key in shown.items()}


def _read_key(given: object) -> tuple[str, rsa.RSAPublicKey] | None:
    """Read one key of a key set; None for one that does not sign with RSA, or is too short.

    Source: https://www.rfc-editor.org/rfc/rfc7517
    """
    if not isinstance(given, dict) or given.get("kty") != "RSA" or given.get("use", "sig") != "sig":
        return None
    key_id = given.get("kid")
    try:
        key = jwt.PyJWK({"kty": "RSA", "n": given["n"], "e": given["e"]}, algorithm="RS256").key
    except (jwt.PyJWTError, KeyError, ValueError, TypeError):
        return None
    if not isinstance(key_id, str) or not isinstance(key, rsa.RSAPublicKey) or key.key_size < _BITS_MIN:
        return None
    return key_id, key
