"""How requests reach the sandbox without a socket: bytes in, bytes out, and the failures of a network.

The service's own client runs unchanged; only its HTTP session is another. Must never read a request's
meaning.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import parse_qsl, unquote

import aiohttp
from yarl import URL

from service.clock import Clock
from service.graph.client import GraphClient
from service.graph.observer import SilentObserver
from service.graph.trust import build_trust
from service.sandbox.routing import Router
from service.sandbox.wire import Caller, GraphRequest
from tests.simulation.chance import Chance
from tests.simulation.vitals import Vitals

ORIGIN: Final = "https://graph.sandbox.test"
BASE_URL: Final = f"{ORIGIN}/v1.0"
_TRUST: Final = build_trust(None)
_JSON: Final = "application/json"


class GraphSession:
    """Stands in for an HTTP session: hands requests to the sandbox's router.

    Attributes:
        fails: how likely a request gets no answer, before Graph got it or after.
    """

    def __init__(self, router: Router, caller: Caller, chance: Chance, vitals: Vitals) -> None:
        self.fails = 0.0
        self._router = router
        self._caller = caller
        self._chance = chance
        self._vitals = vitals

    def request(
        self, method: str, url: URL, *, headers: Mapping[str, str], data: bytes | None, **_: Any
    ) -> Exchange:
        return Exchange(lambda: self._exchange(method, url, headers, data))

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], data: bytes | None
    ) -> Answered:
        await self._vitals.step(is_long_way=True)
        self._fail()
        answer = await self._router.dispatch(build_request(method, url, headers, data, self._caller))
        await self._vitals.step(is_long_way=True)
        self._fail()
        raw = b"" if answer.body is None else json.dumps(answer.body, ensure_ascii=False).encode()
        return Answered(answer.status, answer.headers, raw)

    def _fail(self) -> None:
        if self._chance.happens(self.fails):
            raise self._chance.pick(
                (aiohttp.ServerDisconnectedError(), TimeoutError(), ConnectionResetError())
            )

    async def close(self) -> None: ...


def build_request(
    method: str, url: URL, headers: Mapping[str, str], data: bytes | None, caller: Caller
) -> GraphRequest:
    """Read a request as the sandbox's HTTP face does."""
    path = url.raw_path.removeprefix("/v1.0/")
    return GraphRequest(
        method=method,
        segments=tuple(unquote(segment) for segment in path.strip("/").split("/")),
        query=tuple(parse_qsl(url.raw_query_string, keep_blank_values=True)),
        headers={name.lower(): value for name, value in headers.items()},
        body=json.loads(data) if data else None,
        caller=caller,
        base_url=BASE_URL,
        url=str(url),
    )


class Answered:
    """What the client reads of a response: a status, headers, and chunks of bytes."""

    def __init__(
        self, status: int, headers: Mapping[str, str], raw: bytes, content_type: str = _JSON
    ) -> None:
        self.status = status
        self.headers = headers
        self.content_type = content_type
        self._raw = raw

    @property
    def content(self) -> Self:
        return self

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        for at in range(0, len(self._raw), size):
            yield self._raw[at : at + size]

    async def iter_any(self) -> AsyncIterator[bytes]:
        if self._raw:
            yield self._raw

    def close(self) -> None: ...


class Exchange:
    """What `async with` opens: the request goes out on the way in."""

    def __init__(self, begin: Callable[[], Any]) -> None:
        self._begin = begin

    async def __aenter__(self) -> Answered:
        return cast(Answered, await self._begin())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ClientWithoutSockets(GraphClient):
    """The service's client over a session of ours."""

    def __init__(self, session: GraphSession, clock: Clock) -> None:
        super().__init__(
            base_url=BASE_URL, tokens=_Tokens(), trust=_TRUST, clock=clock, observer=SilentObserver()
        )
        self._session = cast(aiohttp.ClientSession, session)


class _Tokens:
    """Any token will do: who calls is known."""

    async def fetch_token(self, *, claims: str = "", rejected: str = "") -> str:
        return "token"
