"""Access tokens for Graph: got by MSAL off the event loop, once for all who wait, kept until near their end.

A token is never logged, and never put into an error.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from service.clock import Clock
from service.errors import TokenError
from service.graph.credentials import Acquire, Registration, TokenSession, build_acquire
from service.graph.msal_errors import told_as_token_errors
from service.graph.observer import GraphObserver
from service.graph.personal import PersonalRegistration, build_personal_acquire
from service.graph.token_remedies import build_token_error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    """A token; instants are of the monotonic clock."""

    text: str = field(repr=False)
    acquired_at: float
    renew_at: float
    expires_at: float
    is_denied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Acquisition:
    claims: str
    task: asyncio.Task[_Token]


class MsalTokens:
    """The token of one application or of one person, shared by all who call Graph with it.

    Args:
        renew_margin_s: how long before its end a token is renewed; half its lifetime if that is shorter.
        renew_pause_s: a token younger than this is not renewed because Graph refused it: it is not the fault.
        denied_pause_s: a token older than this is renewed where Graph denies access: a permission that was
            given since is in a new one only.
        error_memory_s: how long a refusal is repeated without asking again.
        timeout_s: for the connection to the authority, and for each wait for bytes.
        uses_proxy_environment: go through the proxy that HTTPS_PROXY names.
    """

    def __init__(
        self,
        registration: Registration | PersonalRegistration,
        *,
        trust: ssl.SSLContext,
        clock: Clock,
        observer: GraphObserver,
        renew_margin_s: float = 300,
        renew_pause_s: float = 5,
        denied_pause_s: float = 60,
        error_memory_s: float = 5,
        timeout_s: float = 15,
        uses_proxy_environment: bool = False,
    ) -> None:
        self._registration = registration
        self._session = TokenSession(
            trust=trust, timeout_s=timeout_s, uses_proxy_environment=uses_proxy_environment
        )
        self._clock = clock
        self._observer = observer
        self._renew_margin_s = renew_margin_s
        self._renew_pause_s = renew_pause_s
        self._denied_pause_s = denied_pause_s
        self._error_memory_s = error_memory_s
        self._acquire: Acquire | None = None
        self._token: _Token | None = None
        self._acquisition: _Acquisition | None = None
        self._refusal: tuple[float, TokenError] | None = None

    async def fetch_token(self, *, claims: str = "", rejected: str = "") -> str:
        """Give a token.

        Args:
            claims: JSON text of a claims challenge; the token at hand is passed by.
            rejected: a token that Graph refused; another one is given, unless it came just now.

        Raises:
            TokenError: none was to be had; carries the remedy.
        """
        if rejected:
            self._reject(rejected)
        present = self._token if not claims and self._is_valid() else None
        if present is not None and not self._must_renew(present):
            return present.text
        try:
            return (await self._acquire_once(claims)).text
        except TokenError:
            # A token that is renewed early is good until its end, whatever the authority says meanwhile.
            if present is not None and self._is_valid():
                return present.text
            raise

    def note_repaired(self) -> None:
        """Let the next who asks renew a token with which Graph denied access, also a rather new one.

        Somebody says that the cause is repaired, and asks for another try at once.
        """
        token, now = self._token, self._clock.monotonic()
        if token is not None and token.is_denied and now - token.acquired_at >= self._renew_pause_s:
            self._renew(token, now)

    def note_denied(self) -> None:
        """Let the next who asks renew the token, if it is not a new one: Graph denied access with it.

        The present one serves whoever asks until then, since all else that it opens it opens still.

        Source: https://learn.microsoft.com/graph/permissions-overview
        """
        token, now = self._token, self._clock.monotonic()
        if token is None:
            return
        self._token = replace(token, is_denied=True)
        if now - token.acquired_at >= self._denied_pause_s:
            self._renew(self._token, now)

    def _renew(self, token: _Token, now: float) -> None:
        if token.renew_at > now:
            self._token = replace(token, renew_at=now)
            self._acquire = None  # MSAL's own cache would give the same one again

    def close(self) -> None:
        """Close the connections to the authority."""
        self._session.close()

    def _reject(self, text: str) -> None:
        """Drop the token everywhere, if it is the one at hand; MSAL's own cache would give it again."""
        token = self._token
        if token is None or token.text != text:
            return
        if self._clock.monotonic() - token.acquired_at >= self._renew_pause_s:
            self._token = None
            self._acquire = None

    def _is_valid(self) -> bool:
        return self._token is not None and self._clock.monotonic() < self._token.expires_at

    def _must_renew(self, token: _Token) -> bool:
        """Tell whether this caller must see to a new token; while one is on its way, the old one serves."""
        return self._clock.monotonic() >= token.renew_at and self._acquisition is None

    async def _acquire_once(self, claims: str) -> _Token:
        """Acquire a token; all who ask meanwhile share the answer."""
        while self._acquisition is not None and self._acquisition.claims != claims:
            await asyncio.wait([self._acquisition.task])
        if self._acquisition is None:
            self._raise_remembered(claims)
            task = asyncio.get_running_loop().create_task(self._acquire_and_keep(claims))
            task.add_done_callback(_mark_seen)
            self._acquisition = _Acquisition(claims=claims, task=task)
        # A caller who gives up must not end the acquisition that others wait for.
        return await asyncio.shield(self._acquisition.task)

    def _raise_remembered(self, claims: str) -> None:
        if self._refusal is not None and not claims and self._clock.monotonic() < self._refusal[0]:
            raise self._refusal[1]

    async def _acquire_and_keep(self, claims: str) -> _Token:
        started = self._clock.monotonic()
        fault = "broken"
        try:
            result = await asyncio.to_thread(self._acquire_blocking, claims)
            token = self._read_result(result, started)
            self._token, self._refusal, fault = token, None, ""
        except TokenError as error:
            self._refusal, fault = (self._clock.monotonic() + self._error_memory_s, error), error.code
            if error.is_permanent:
                self._acquire = None  # a credential that was replaced on disk is read next time
            raise
        finally:
            self._acquisition = None
            self._tell(fault, self._clock.monotonic() - started)
        return token

    def _tell(self, fault: str, duration_s: float) -> None:
        if fault or self._token is None:
            self._observer.token_refused(outcome=fault, duration_s=duration_s)
            return
        left_s = self._token.expires_at - self._clock.monotonic()
        expires_at_s = self._clock.now().timestamp() + left_s
        self._observer.token_acquired(duration_s=duration_s, expires_at_s=expires_at_s)

    def _acquire_blocking(self, claims: str) -> Mapping[str, object]:
        acquire = self._acquire
        with told_as_token_errors():
            if acquire is None:
                acquire = self._acquire = self._build_acquire()
            return acquire(claims)

    def _build_acquire(self) -> Acquire:
        if isinstance(self._registration, PersonalRegistration):
            return build_personal_acquire(self._registration, self._session)
        return build_acquire(self._registration, self._session)

    def _read_result(self, result: Mapping[str, object] | None, started: float) -> _Token:
        text = (result or {}).get("access_token")
        if not isinstance(text, str) or not text:
            raise build_token_error(result or {})
        lifetime_s = _seconds((result or {}).get("expires_in"))
        renew_in_s = lifetime_s - min(self._renew_margin_s, lifetime_s / 2)
        if refresh_on := _seconds((result or {}).get("refresh_on")):  # MSAL makes it of Entra's refresh_in
            asked_s = refresh_on - self._clock.now().timestamp()
            renew_in_s = min(renew_in_s, max(asked_s, self._error_memory_s))
        return _Token(
            text=text,
            acquired_at=self._clock.monotonic(),
            renew_at=started + renew_in_s,
            expires_at=started + lifetime_s,
        )


def _seconds(given: object) -> float:
    return float(given) if isinstance(given, str | int | float) and str(given).isdigit() else 0.0


def _mark_seen(task: asyncio.Task[_Token]) -> None:
    """Take note of an error nobody waits for any more, so that asyncio does not complain."""
    if not task.cancelled():
        task.exception()
