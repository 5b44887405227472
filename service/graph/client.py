"""Sends one request to Graph and gives the answer. Never waits to try again: only the caller decides on that.

The bearer token goes to the configured host and to no other, whatever a link or a redirect says.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import uuid
from typing import Final, Protocol, Self

import aiohttp
from yarl import URL

from service.clock import Clock
from service.errors import GraphError, PayloadError, RefusedError, UnavailableError
from service.graph.answer import Answer, build_answer, build_refusal, parse_claims_challenge
from service.graph.observer import GraphObserver
from service.graph.requests import GraphRequest

_CHUNK_BYTES: Final = 65_536
_USER_AGENT: Final = "graph-response-sync"


class TokenSource(Protocol):
    """Gives bearer tokens for Graph."""

    async def fetch_token(self, *, claims: str = "", rejected: str = "") -> str:
        """Give a token.

        Args:
            claims: JSON text of a claims challenge that the token must satisfy.
            rejected: a token that Graph refused; another one is given where that may help.

        Raises:
            TokenError: none was to be had.
        """


class TokenChoice(Protocol):
    """Says with whose token a request goes."""

    def source_of(self, request: GraphRequest) -> TokenSource:
        """Give the tokens.

        Raises:
            SignInError: whose mailbox it is has to sign in first.
            AccessError: there is nobody in whose name it could be asked.
        """


class GraphClient:
    """One HTTP session with Graph, used as an asynchronous context manager.

    Args:
        base_url: ends in the version, such as `https://graph.microsoft.com/v1.0`.
        choice: with whose token each request goes; None where all go with `tokens`.
        trust: which certificates are believed.
        requests_max: HTTP requests in flight at one time, all mailboxes together.
        timeout_s: for a whole request, from the first byte sent to the last byte read.
        connect_timeout_s: for the connection alone, TLS included.
        answer_bytes_max: a larger body is not read to its end.
        uses_proxy_environment: go through the proxy that HTTPS_PROXY names.
    """

    def __init__(
        self,
        *,
        base_url: str,
        tokens: TokenSource,
        choice: TokenChoice | None = None,
        trust: ssl.SSLContext,
        clock: Clock,
        observer: GraphObserver,
        requests_max: int = 64,
        timeout_s: float = 30,
        connect_timeout_s: float = 10,
        answer_bytes_max: int = 16 * 1024 * 1024,
        uses_proxy_environment: bool = False,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._origin = URL(self._base).origin()
        self._tokens = tokens
        self._choice = choice
        self._trust = trust
        self._clock = clock
        self._observer = observer
        self._places = asyncio.Semaphore(requests_max)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=connect_timeout_s)
        self._answer_bytes_max = answer_bytes_max
        self._uses_proxy_environment = uses_proxy_environment
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trust, limit=0),  # `requests_max` is the limit
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _USER_AGENT, "Accept": "application/json"},
            trust_env=self._uses_proxy_environment,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def exchange(self, request: GraphRequest) -> Answer:
        """Send a request and give the answer, whatever its status.

        A 401 is answered with a new token, and a claims challenge with a token that satisfies it, once each.

        Raises:
            UnavailableError: no answer.
            RefusedError: the link leads to another host, or the answer does.
            PayloadError: the answer is too large.
            TokenError: no token.
        """
        url = self._resolve(request)
        tokens = self._tokens if self._choice is None else self._choice.source_of(request)
        token = await tokens.fetch_token()
        answer = await self._send(request, url, token)
        was_renewed = was_challenged = False
        while answer.status == 401:
            claims = parse_claims_challenge(answer.headers)
            if claims and not was_challenged:
                was_challenged = True
                token = await tokens.fetch_token(claims=claims)
            elif not claims and not was_renewed:
                was_renewed = True
                token = await tokens.fetch_token(rejected=token)
            else:
                break
            answer = await self._send(request, url, token)
        return answer

    async def send(self, request: GraphRequest) -> Answer:
        """Send a request and give its 2xx answer.

        Raises:
            GraphError: Graph refused, or did not answer; see `answer.build_refusal`.
            TokenError: no token.
        """
        answer = await self.exchange(request)
        if not answer.is_ok:
            raise build_refusal(answer, request.kind)
        return answer

    def _resolve(self, request: GraphRequest) -> URL:
        """Give the address of a request; a link must lead to the configured host, in clear and exactly."""
        if not request.link:
            return URL(self._base + request.target, encoded=True)
        try:
            url = URL(request.link, encoded=True)
            is_ours = url.is_absolute() and url.user is None and url.origin() == self._origin
        except ValueError:
            is_ours = False
        if not is_ours:
            raise RefusedError("a link leads to another host than Graph's", code="foreignLink")
        return url

    async def _send(self, request: GraphRequest, url: URL, token: str) -> Answer:
        async with self._places:
            started = self._clock.monotonic()
            status = 0
            self._observer.request_sent()
            try:
                answer = await self._exchange_once(request, url, token)
                status = answer.status
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise _build_unavailable(error) from error
            finally:
                duration_s = self._clock.monotonic() - started
                self._observer.request_answered(kind=request.kind, status=status, duration_s=duration_s)
        return answer

    async def _exchange_once(self, request: GraphRequest, url: URL, token: str) -> Answer:
        assert self._session is not None, "the client is used outside its context"
        headers = {
            **request.headers,
            "Authorization": f"Bearer {token}",
            "client-request-id": str(uuid.uuid4()),
        }
        data = None
        if request.body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(request.body).encode()
        async with self._session.request(
            request.method, url, headers=headers, data=data, allow_redirects=False
        ) as response:
            if 300 <= response.status < 400:
                raise RefusedError(
                    "Graph sent a redirect, which is not followed", status=response.status, code="redirect"
                )
            raw = await self._read_bounded(response)
        now = self._clock.now()
        answer = build_answer(response.status, response.headers.items(), raw, now=now)
        if "Date" in response.headers:
            self._observer.clock_read(ahead_s=(answer.at.to_datetime() - now).total_seconds())
        return answer

    async def _read_bounded(self, response: aiohttp.ClientResponse) -> bytes:
        parts = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            parts += chunk
            if len(parts) > self._answer_bytes_max:
                response.close()
                raise PayloadError("$", f"at most {self._answer_bytes_max} bytes")
        return bytes(parts)


def _build_unavailable(error: Exception) -> GraphError:
    """Turn a failure of the connection into ours; its text names hosts and no more."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return UnavailableError(
                f"Graph's certificate is not trusted (CA_BUNDLE adds to what is): {error.certificate_error}",
                code="certificate",
            )
        case aiohttp.InvalidURL():
            return RefusedError("the address of the request is not valid", code="badUrl")
        case TimeoutError():
            return UnavailableError("Graph did not answer in time", code="timeout")
        case _:
            reason = getattr(error, "strerror", None) or type(error).__name__
            return UnavailableError(f"no answer from Graph: {reason}", code="unreachable")
