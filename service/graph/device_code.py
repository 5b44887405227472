"""Signing in on another device: a code is shown, and somebody enters it in a browser.

Must never show anything but the code and where to enter it.

Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msal  # type: ignore[import-untyped]

from service.errors import TokenError
from service.graph.credentials import TokenSession
from service.graph.msal_errors import told_as_token_errors
from service.graph.personal import open_public_client, spell_scopes, strip_cache
from service.graph.token_remedies import build_token_error

_NOBODY: Final = "Entra ID did not say who signed in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What to show to who signs in.

    Attributes:
        message: a sentence of Entra ID that says the same.
        flow: MSAL's own; holds the device code, which is a secret.
    """

    user_code: str
    url: str
    message: str
    expires_in_s: int
    flow: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Who signed in.

    Attributes:
        person: object id.
        tenant: whose account it is.
        cache: MSAL's, without access tokens; a secret.
    """

    person: str
    tenant: str
    address: str
    name: str
    cache: str = field(repr=False)


class DeviceCode:
    """One sign-in.

    Args:
        scopes: permissions that are asked for, such as `Mail.Read`.
    """

    def __init__(
        self, *, authority: str, client_id: str, resource: str, scopes: tuple[str, ...], session: TokenSession
    ) -> None:
        self._authority = authority
        self._client_id = client_id
        self._scopes = spell_scopes(resource, scopes)
        self._session = session
        self._cache = msal.SerializableTokenCache()
        self._application: Any = None
        self._given_up = threading.Event()

    async def invite(self) -> Invitation:
        """Ask for a code.

        Raises:
            TokenError: Entra ID gave none.
        """
        flow = await asyncio.to_thread(self._begin)
        if "user_code" not in flow:
            raise build_token_error(flow)
        return Invitation(
            user_code=str(flow["user_code"]),
            url=str(flow.get("verification_uri") or ""),
            message=str(flow.get("message") or ""),
            expires_in_s=int(flow.get("expires_in") or 0),
            flow=flow,
        )

    async def wait(self, invitation: Invitation) -> Arrival:
        """Wait until somebody has entered the code, at most until it ends.

        Raises:
            TokenError: they declined, or nobody came in time.
        """
        try:
            result = await asyncio.to_thread(self._finish, invitation)
        finally:
            self._given_up.set()  # a thread cannot be cancelled: it looks at this
        if "access_token" not in result:
            raise build_token_error(result)
        return self._read(result)

    def _begin(self) -> Mapping[str, Any]:
        with told_as_token_errors():
            self._application = open_public_client(
                self._authority, self._client_id, self._session, self._cache
            )
            flow: Mapping[str, Any] = self._application.initiate_device_flow(self._scopes)
            return flow

    def _finish(self, invitation: Invitation) -> Mapping[str, Any]:
        with told_as_token_errors():
            result: Mapping[str, Any] = self._application.acquire_token_by_device_flow(
                dict(invitation.flow), exit_condition=self._is_over
            )
            return result

    def _is_over(self, flow: Mapping[str, Any]) -> bool:
        expires_at = flow.get("expires_at", 0)
        return self._given_up.is_set() or time.time() > float(expires_at)

    def _read(self, result: Mapping[str, Any]) -> Arrival:
        claims = result.get("id_token_claims") or {}
        person, tenant = str(claims.get("oid") or ""), str(claims.get("tid") or "")
        address = str(claims.get("preferred_username") or claims.get("upn") or claims.get("email") or "")
        if not person or not address:
            raise TokenError(_NOBODY, code="noIdentity", remedy="Sign in with an account of the tenant.")
        return Arrival(
            person=person,
            tenant=tenant,
            address=address,
            name=str(claims.get("name") or ""),
            cache=strip_cache(self._cache.serialize()),
        )
