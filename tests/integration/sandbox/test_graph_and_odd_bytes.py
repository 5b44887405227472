"""Bytes that no client of good will sends: each is refused or taken, and what is held stays readable."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

import jwt
import pytest

from service.sandbox.command import Sandbox
from service.sandbox.keys import KeyRing
from tests.integration.sandbox.asking import Asking

HALF_A_PAIR = b'{"subject": "\\ud800", "start": {"dateTime": "2030-01-01T00:00:00", "timeZone": "UTC"}, \
"end": {"dateTime": "2030-01-01T01:00:00", "timeZone": "UTC"}}'


async def _send_bytes(sandbox: Sandbox, target: bytes, *headers: bytes) -> bytes:
    """Send a GET as it stands; give the status line and the rest of the answer."""
    origin = urlsplit(sandbox.ready.graph_url)
    context = ssl.create_default_context(cafile=sandbox.ready.ca_bundle)
    reader, writer = await asyncio.open_connection(origin.hostname, origin.port, ssl=context)
    lines = [b"GET " + target + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *headers, b"", b""]
    writer.write(b"\r\n".join(lines))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_half_of_a_surrogate_pair_is_refused_and_spoils_no_list(asking: Asking) -> None:
    headers = {"Authorization": f"Bearer {asking.token_of('alex')}", "Content-Type": "application/json"}
    url = f"{asking.sandbox.ready.graph_url}/me/events"
    answer = await asking.send("POST", url, data=HALF_A_PAIR, headers=headers)
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert (await asking.graph("GET", "/me/events", token=asking.token_of("alex"))).body["value"] == []


async def test_half_of_a_surrogate_pair_is_no_mail_either(asking: Asking) -> None:
    url = f"{asking.sandbox.ready.control_url}/mail"
    mail = b'{"to": "adelev@contoso.onmicrosoft.com", "from": "a@b.test", "subject": "\\udc00"}'
    answer = await asking.send("POST", url, data=mail, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.message) == (400, "the body is not JSON")


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"client-request-id: \xff\xfe", b"401"),
        (b"Authorization: Bearer \xff.\xff.\xff", b"401"),
        (b"X-Forwarded-Host: \xff", b"401"),
    ],
)
async def test_headers_may_hold_any_bytes(sandbox: Sandbox, header: bytes, status: bytes) -> None:
    answer = await _send_bytes(sandbox, b"/v1.0/me", header)
    assert answer.split()[1] == status
    assert b'"InvalidAuthenticationToken"' in answer


async def test_a_preference_may_hold_any_bytes(sandbox: Sandbox) -> None:
    token = sandbox.ready.personas["alex"].token.encode()
    bearer = b"Authorization: Bearer " + token
    answer = await _send_bytes(sandbox, b"/v1.0/me/events", bearer, b'Prefer: outlook.timezone="\xff"')
    assert answer.split()[1] == b"400"
    assert b"TimeZoneNotSupportedException" in answer


async def test_a_target_that_is_no_url_is_refused_in_graphs_shape(sandbox: Sandbox) -> None:
    answer = await _send_bytes(sandbox, b"//[")
    assert answer.split()[1] == b"400"
    assert b'"code": "BadRequest"' in answer


@pytest.mark.parametrize("names_its_key", [True, False])
async def test_a_token_of_a_key_that_nobody_shows_opens_nothing(asking: Asking, names_its_key: bool) -> None:
    claims = jwt.decode(asking.token_of("alex"), options={"verify_signature": False})
    stranger = KeyRing()
    forged = stranger.sign(claims)
    if not names_its_key:
        key = stranger._keys[-1].private_key
        forged = jwt.encode(claims, key, algorithm="RS256")
    answer = await asking.graph("GET", "/me", token=forged)
    assert (answer.status, answer.code) == (401, "InvalidAuthenticationToken")
    assert answer.headers["WWW-Authenticate"]


async def test_a_bug_of_the_sandbox_is_said_in_graphs_shape(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(asking.sandbox.parts.router, "_find", stumble)
    answer = await asking.graph("GET", "/users")
    assert (answer.status, answer.code) == (500, "InternalServerError")
    assert "request-id" in answer.headers
    assert "a bug" in caplog.text


async def test_a_body_that_is_framed_wrongly_is_refused(
    sandbox: Sandbox, asking: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    origin = urlsplit(sandbox.ready.graph_url)
    context = ssl.create_default_context(cafile=sandbox.ready.ca_bundle)
    reader, writer = await asyncio.open_connection(origin.hostname, origin.port, ssl=context)
    token = asking.token_of("alex").encode()
    lines = [b"POST /v1.0/me/events HTTP/1.1", b"Host: localhost", b"Authorization: Bearer " + token]
    lines += [b"Content-Type: application/json", b"Transfer-Encoding: chunked", b"", b"nonsense", b""]
    writer.write(b"\r\n".join(lines))
    answer = await reader.read(4096)
    writer.close()
    assert answer.split()[1] == b"400"
    assert "could not answer" not in caplog.text
