"""Gets the authority's documents over HTTPS: bounded in time and size, never redirected."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from service.errors import SigningKeysError

_BYTES_MAX: Final = 1_048_576


class AuthorityClient:
    """An HTTP session with the authority, used as an asynchronous context manager.

    Args:
        trust: which certificates are believed.
        timeout_s: for a whole request.
        uses_proxy_environment: go through the proxy that HTTPS_PROXY names.
    """

    def __init__(
        self, *, trust: ssl.SSLContext, timeout_s: float, uses_proxy_environment: bool = False
    ) -> None:
        self._trust = trust
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._uses_proxy_environment = uses_proxy_environment
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trust),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self._uses_proxy_environment,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __call__(self, url: str) -> Mapping[str, Any] | None:
        """Give a JSON document; None where there is none (400 or 404).

        Raises:
            SigningKeysError: no answer, or none that can be used.
        """
        assert self._session is not None, "the client is used outside its context"
        if not url.startswith("https://"):
            raise SigningKeysError("the authority's documents are read over https alone")
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                return None if answer.status in (400, 404) else await _read(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SigningKeysError(f"no answer from the authority ({type(error).__name__})") from error


async def _read(answer: aiohttp.ClientResponse) -> Mapping[str, Any]:
    if answer.status != 200:
        raise SigningKeysError(f"the authority answered {answer.status}")
    raw = await answer.content.read(_BYTES_MAX + 1)
    while len(raw) <= _BYTES_MAX and (more := await answer.content.read(_BYTES_MAX + 1)):
        raw += more
    if len(raw) > _BYTES_MAX:
        raise SigningKeysError("the authority's document is too large")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise SigningKeysError("the authority's document is no JSON") from error
    if not isinstance(document, dict):
        raise SigningKeysError("the authority's document is no object")
    return document
