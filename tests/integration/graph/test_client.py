"""The HTTP client against a real host over TLS: what it sends, and what it makes of every kind of answer."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
import trustme
from aiohttp import web

from service.clock import SystemClock
from service.errors import (
    AccessError,
    ConfigError,
    GoneError,
    PayloadError,
    RefusedError,
    ThrottledError,
    UnavailableError,
)
from service.graph.client import GraphClient
from service.graph.requests import RequestKind, build_event_request, build_link_request
from service.graph.subscription_requests import build_renewal
from service.graph.trust import build_trust
from service.reconcile.model import EventId, OwnerKey
from tests.integration.graph.graph_host import GraphHost, saying, serve_graph
from tests.unit.graph.replies import NOW, RecordingObserver

EVENT = build_event_request(OwnerKey("alex@contoso.example"), EventId("AAMk/+=="))
CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
Respond = Callable[[], web.StreamResponse]


class Tokens:
    """Gives `token-1`, `token-2`, .. and remembers why.

    Attributes:
        asked: claims and rejected token of each call.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self._number = 1

    async def fetch_token(self, *, claims: str = "", rejected: str = "") -> str:
        self.asked.append((claims, rejected))
        if claims or rejected:
            self._number += 1
        return f"token-{self._number}"


def ok(body: object = None) -> Respond:
    return lambda: web.json_response({} if body is None else body)


def refuse(status: int, code: str, **headers: str) -> Respond:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: web.json_response({"error": {"code": code, "message": "no"}}, status=status, headers=named)


def challenge() -> web.StreamResponse:
    claims = base64.b64encode(CLAIMS.encode()).decode()
    header = f'Bearer realm="", error="insufficient_claims", claims="{claims}"'
    return web.json_response({}, status=401, headers={"WWW-Authenticate": header})


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


@pytest_asyncio.fixture
async def host(authority: trustme.CA) -> AsyncIterator[GraphHost]:
    async with serve_graph(authority, saying(ok())) as running:
        yield running


@pytest_asyncio.fixture
async def client(
    host: GraphHost, tokens: Tokens, observer: RecordingObserver, ca_file: Path
) -> AsyncIterator[GraphClient]:
    async with open_client(host, tokens, observer, ca_file) as opened:
        yield opened


@asynccontextmanager
async def open_client(
    host: GraphHost, tokens: Tokens, observer: RecordingObserver, ca_file: Path | None, **limits: float
) -> AsyncIterator[GraphClient]:
    async with GraphClient(
        base_url=f"{host.url}/v1.0",
        tokens=tokens,
        trust=build_trust(ca_file),
        clock=SystemClock(),
        observer=observer,
        **limits,  # type: ignore[arg-type]
    ) as opened:
        yield opened


async def test_a_request_arrives_encoded_once_with_its_token_and_a_request_id(
    host: GraphHost, client: GraphClient, observer: RecordingObserver
) -> None:
    await client.send(EVENT)
    [heard] = host.heard
    assert (heard.method, heard.target) == ("GET", f"/v1.0{EVENT.target}")
    assert heard.target.startswith("/v1.0/users/alex%40contoso.example/events/AAMk%2F%2B%3D%3D?$select=id,")
    assert heard.headers["authorization"] == "Bearer token-1"
    assert heard.headers["prefer"] == 'IdType="ImmutableId"'
    assert re.fullmatch(r"[0-9a-f-]{36}", heard.headers["client-request-id"])
    assert heard.headers["user-agent"] == "graph-response-sync"
    assert observer.requests == [("event", 200)]


async def test_a_body_travels_as_json(host: GraphHost, client: GraphClient) -> None:
    await client.send(build_renewal("s-1", NOW))
    [heard] = host.heard
    assert (heard.method, heard.target) == ("PATCH", "/v1.0/subscriptions/s-1")
    assert heard.headers["content-type"] == "application/json"
    assert json.loads(heard.body) == {"expirationDateTime": "2019-12-21T05:20:00Z"}


async def test_the_date_of_the_answer_is_when_it_was_seen(host: GraphHost, client: GraphClient) -> None:
    host.answer = saying(
        lambda: web.json_response({"id": "e"}, headers={"Date": "Sat, 21 Dec 2019 05:20:07 GMT"})
    )
    answer = await client.send(EVENT)
    assert (answer.at.to_utc_text(), answer.body) == ("2019-12-21T05:20:07Z", {"id": "e"})


@pytest.mark.parametrize(
    ("respond", "error", "wait_s"),
    [
        (refuse(429, "TooManyRequests", Retry_After="2.128"), ThrottledError, 2.128),
        (refuse(429, "TooManyRequests"), ThrottledError, None),
        (refuse(503, "ServiceUnavailable", Retry_After="9"), ThrottledError, 9.0),
        (refuse(503, "ServiceUnavailable"), UnavailableError, None),
        (refuse(504, "GatewayTimeout"), UnavailableError, None),
        (refuse(403, "ErrorAccessDenied"), AccessError, None),
        (refuse(404, "ErrorItemNotFound"), GoneError, None),
        (refuse(400, "ErrorInvalidIdMalformed"), GoneError, None),
        (refuse(400, "ErrorInvalidRequest"), RefusedError, None),
        (lambda: web.Response(text="<html>", status=502), UnavailableError, None),
        (lambda: web.Response(status=404), GoneError, None),
    ],
)
async def test_a_refusal_is_asked_for_once_and_told_with_its_wait(
    host: GraphHost, client: GraphClient, respond: Respond, error: type[Exception], wait_s: float | None
) -> None:
    host.answer = saying(respond)
    with pytest.raises(error) as raised:
        await client.send(EVENT)
    assert getattr(raised.value, "retry_after_s", None) == wait_s
    assert len(host.heard) == 1


async def test_a_401_is_answered_with_a_new_token_once(
    host: GraphHost, client: GraphClient, tokens: Tokens
) -> None:
    host.answer = saying(refuse(401, "InvalidAuthenticationToken"), ok())
    await client.send(EVENT)
    assert [heard.headers["authorization"] for heard in host.heard] == ["Bearer token-1", "Bearer token-2"]
    assert tokens.asked == [("", ""), ("", "token-1")]


async def test_a_401_that_stays_is_refused_access(host: GraphHost, client: GraphClient) -> None:
    host.answer = saying(refuse(401, "InvalidAuthenticationToken"))
    with pytest.raises(AccessError):
        await client.send(EVENT)
    assert len(host.heard) == 2


async def test_a_claims_challenge_is_decoded_and_honoured_once(
    host: GraphHost, client: GraphClient, tokens: Tokens
) -> None:
    host.answer = saying(challenge, ok())
    await client.send(EVENT)
    assert tokens.asked == [("", ""), (CLAIMS, "")]
    host.answer = saying(challenge)
    with pytest.raises(AccessError):
        await client.send(EVENT)
    assert len(host.heard) == 4


async def test_a_challenge_and_a_plain_401_may_follow_each_other_but_not_for_ever(
    host: GraphHost, client: GraphClient
) -> None:
    plain = refuse(401, "InvalidAuthenticationToken")
    host.answer = saying(plain, challenge, plain, challenge, plain)
    with pytest.raises(AccessError):
        await client.send(EVENT)
    assert len(host.heard) == 3


async def test_a_403_never_asks_for_a_token(host: GraphHost, client: GraphClient, tokens: Tokens) -> None:
    host.answer = saying(refuse(403, "ErrorAccessDenied"))
    with pytest.raises(AccessError):
        await client.send(EVENT)
    assert len(tokens.asked) == 1


async def test_a_redirect_is_not_followed_and_the_token_stays_here(
    host: GraphHost, client: GraphClient, authority: trustme.CA
) -> None:
    async with serve_graph(authority, saying(ok())) as thief:
        host.answer = saying(lambda: web.Response(status=307, headers={"Location": f"{thief.url}/v1.0/x"}))
        with pytest.raises(RefusedError):
            await client.send(EVENT)
        assert thief.heard == []


async def test_a_link_is_followed_as_it_is(host: GraphHost, client: GraphClient) -> None:
    target = "/v1.0/users/alex/messages/delta?$skiptoken=a%2Fb%3D+c&x='%41'"
    await client.send(build_link_request(RequestKind.DELTA, host.url + target, page_size=50))
    [heard] = host.heard
    assert heard.target == target
    assert heard.headers["prefer"] == 'IdType="ImmutableId", odata.maxpagesize=50'


async def test_no_link_leads_the_token_to_another_host(
    host: GraphHost, client: GraphClient, tokens: Tokens, authority: trustme.CA
) -> None:
    async with serve_graph(authority, saying(ok())) as thief:
        port = thief.url.rpartition(":")[2]
        own_port = host.url.rpartition(":")[2]
        links = [
            f"{thief.url}/v1.0/x",
            f"{host.url}@localhost:{port}/v1.0/x",
            f"https://token@localhost:{own_port}/v1.0/x",
            f"https://localhost:{own_port}.evil.example/v1.0/x",
            f"http://localhost:{own_port}/v1.0/x",
            f"https://127.0.0.1:{own_port}/v1.0/x",
            f"//localhost:{port}/v1.0/x",
            f"https://localhost\\@localhost:{port}/v1.0/x",
            "/v1.0/x",
            "not a link",
            "https://[/v1.0",
            "https://localhost:99999999/v1.0",
        ]
        for link in links:
            with pytest.raises(RefusedError):
                await client.send(build_link_request(RequestKind.DELTA, link))
        assert (thief.heard, host.heard, tokens.asked) == ([], [], [])


async def test_an_answer_that_is_too_large_is_not_read_to_its_end(
    host: GraphHost, tokens: Tokens, observer: RecordingObserver, ca_file: Path
) -> None:
    sent = 0

    async def flood(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 65_536)
                sent += 65_536
        except ConnectionError:
            return response

    host.answer = flood
    async with open_client(host, tokens, observer, ca_file, answer_bytes_max=100_000) as client:
        with pytest.raises(PayloadError):
            await client.send(EVENT)
    assert sent < 32 * 1024 * 1024


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a":', b"\xff\xfe\x00", b"[" * 100_000, b'{"a": 1' + b"0" * 5_000 + b"}"]
)
async def test_an_answer_that_is_no_json_is_a_payload_error(
    host: GraphHost, client: GraphClient, body: bytes
) -> None:
    host.answer = saying(lambda: web.Response(body=body))
    answer = await client.send(EVENT)
    with pytest.raises(PayloadError):
        answer.payload()


async def test_an_answer_that_breaks_off_is_unavailable(host: GraphHost, client: GraphClient) -> None:
    async def break_off(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        request.transport.abort()
        return response

    host.answer = break_off
    with pytest.raises(UnavailableError):
        await client.send(EVENT)


async def test_an_answer_that_takes_too_long_is_unavailable(
    host: GraphHost, tokens: Tokens, observer: RecordingObserver, ca_file: Path
) -> None:
    async def stall(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    host.answer = stall
    async with open_client(host, tokens, observer, ca_file, timeout_s=0.2) as client:
        with pytest.raises(UnavailableError) as raised:
            await client.send(EVENT)
    assert raised.value.code == "timeout"
    assert observer.requests == [("event", 0)]


async def test_a_host_that_is_away_is_unavailable(
    tokens: Tokens, observer: RecordingObserver, ca_file: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    away = GraphHost(url=f"https://localhost:{port}", answer=saying(ok()))
    async with open_client(away, tokens, observer, ca_file) as client:
        with pytest.raises(UnavailableError) as raised:
            await client.send(EVENT)
    assert raised.value.code == "unreachable"


async def test_a_host_whose_certificate_is_not_trusted_gets_no_token(
    host: GraphHost, tokens: Tokens, observer: RecordingObserver
) -> None:
    async with open_client(host, tokens, observer, None) as client:
        with pytest.raises(UnavailableError, match="CA_BUNDLE") as raised:
            await client.send(EVENT)
    assert raised.value.code == "certificate"
    assert host.heard == []


async def test_requests_in_flight_are_bounded_over_all_mailboxes(
    host: GraphHost, tokens: Tokens, observer: RecordingObserver, ca_file: Path
) -> None:
    under_way = most = 0
    as_many_as_may = asyncio.Event()

    async def linger(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if most == 3:
            as_many_as_may.set()
        await as_many_as_may.wait()
        await asyncio.sleep(0.01)
        under_way -= 1
        return web.json_response({})

    host.answer = linger
    async with open_client(host, tokens, observer, ca_file, requests_max=3) as client:
        await asyncio.gather(*(client.send(EVENT) for _ in range(12)))
    assert most == 3


async def test_cookies_are_neither_kept_nor_sent(host: GraphHost, client: GraphClient) -> None:
    host.answer = saying(lambda: web.json_response({}, headers={"Set-Cookie": "a=b; Path=/"}))
    await client.send(EVENT)
    await client.send(EVENT)
    assert "cookie" not in host.heard[1].headers


async def test_a_caller_who_gives_up_leaves_the_client_usable(host: GraphHost, client: GraphClient) -> None:
    arrived = asyncio.Event()

    async def stall(_: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await asyncio.Event().wait()
        return web.Response()

    host.answer = stall
    asked = asyncio.create_task(client.send(EVENT))
    await arrived.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    host.answer = saying(ok())
    assert (await client.send(EVENT)).status == 200


def test_a_bundle_that_cannot_be_read_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    for file in (tmp_path / "no.pem", tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match="CA_BUNDLE"):
            build_trust(file)
