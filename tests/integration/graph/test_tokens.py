"""Real MSAL against the sandbox's Entra ID, and against a login server that is ill."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
import trustme
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from service.clock import Clock, SystemClock
from service.errors import TokenError
from service.graph.credentials import (
    ClientCertificate,
    ClientSecret,
    ClientSecretFile,
    Credential,
    FederatedToken,
    ManagedIdentity,
    Registration,
)
from service.graph.tokens import MsalTokens
from service.graph.trust import build_trust
from service.sandbox.command import Sandbox
from service.sandbox.keys import KeyRing
from service.sandbox.options import SandboxOptions
from service.sandbox.registration import FederatedCredential
from tests.integration.graph.graph_host import GraphHost, serve_graph
from tests.integration.waiting import PATIENCE_S, wait_until
from tests.unit.graph.held_clock import HeldClock
from tests.unit.graph.replies import RecordingObserver

GRAPH = "https://graph.microsoft.com"


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


def register(sandbox: Sandbox, credential: Credential) -> Registration:
    """Give the sandbox's application, with this credential."""
    return Registration(
        authority=sandbox.ready.authority_url,
        client_id=sandbox.ready.client_id,
        resource=GRAPH,
        credential=credential,
    )


@asynccontextmanager
async def open_tokens(
    registration: Registration,
    ca_file: Path,
    observer: RecordingObserver,
    *,
    clock: Clock | None = None,
    **limits: float,
) -> AsyncIterator[MsalTokens]:
    tokens = MsalTokens(
        registration,
        trust=build_trust(ca_file),
        clock=clock or SystemClock(),
        observer=observer,
        **limits,  # type: ignore[arg-type]
    )
    try:
        yield tokens
    finally:
        tokens.close()


@pytest_asyncio.fixture
async def tokens(sandbox: Sandbox, observer: RecordingObserver) -> AsyncIterator[MsalTokens]:
    registration = register(sandbox, ClientSecret(sandbox.ready.client_secret))
    async with open_tokens(registration, sandbox.ca_file, observer, renew_pause_s=0) as opened:
        yield opened


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


# --- credentials ---


async def test_a_secret_gives_a_token_for_graph(sandbox: Sandbox, tokens: MsalTokens) -> None:
    claims = claims_of(await tokens.fetch_token())
    assert claims["aud"] == GRAPH
    assert claims["tid"] == sandbox.ready.tenant_id
    assert claims["xms_cc"] == ["cp1"]


async def test_a_secret_replaced_on_disk_is_taken_up_after_a_refusal(
    sandbox: Sandbox, observer: RecordingObserver, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("the one before")
    registration = register(sandbox, ClientSecretFile(file))
    async with open_tokens(registration, sandbox.ca_file, observer, error_memory_s=0) as tokens:
        with pytest.raises(TokenError) as raised:
            await tokens.fetch_token()
        assert raised.value.code == "AADSTS7000215"
        file.write_text(f"{sandbox.ready.client_secret}\n")
        assert claims_of(await tokens.fetch_token())["aud"] == GRAPH


async def test_a_secret_file_that_is_not_there_names_its_setting(
    sandbox: Sandbox, observer: RecordingObserver, tmp_path: Path
) -> None:
    registration = register(sandbox, ClientSecretFile(tmp_path / "absent"))
    async with open_tokens(registration, sandbox.ca_file, observer) as tokens:
        with pytest.raises(TokenError) as raised:
            await tokens.fetch_token()
    assert "CLIENT_SECRET_FILE" in raised.value.remedy


def make_certificate(folder: Path, *, name: str = "app") -> tuple[Path, x509.Certificate]:
    """Write a PEM file with key and certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{name}.pem"
    file.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return file, certificate


async def test_a_certificate_gives_a_token(
    sandbox: Sandbox, observer: RecordingObserver, tmp_path: Path
) -> None:
    file, certificate = make_certificate(tmp_path)
    sandbox.parts.tenant.application.register(certificate)
    registration = register(sandbox, ClientCertificate(file))
    async with open_tokens(registration, sandbox.ca_file, observer) as tokens:
        assert claims_of(await tokens.fetch_token())["aud"] == GRAPH


async def test_a_certificate_replaced_on_disk_is_taken_up_after_a_refusal(
    sandbox: Sandbox, observer: RecordingObserver, tmp_path: Path
) -> None:
    file, _ = make_certificate(tmp_path)
    registration = register(sandbox, ClientCertificate(file))
    async with open_tokens(registration, sandbox.ca_file, observer, error_memory_s=0) as tokens:
        with pytest.raises(TokenError) as raised:
            await tokens.fetch_token()
        assert raised.value.code == "AADSTS700027"
        file, certificate = make_certificate(tmp_path)
        sandbox.parts.tenant.application.register(certificate)
        assert await tokens.fetch_token()


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "key alone", "certificate alone", "two strangers", "passphrase"]
)
async def test_a_certificate_file_that_cannot_serve_names_its_setting(
    sandbox: Sandbox, observer: RecordingObserver, tmp_path: Path, kind: str
) -> None:
    file, _ = make_certificate(tmp_path)
    whole = file.read_text()
    key, _, certificate = whole.partition("-----BEGIN CERTIFICATE-----")
    other = make_certificate(tmp_path, name="other")[0].read_text().partition("-----BEGIN CERT")[0]
    contents = {
        "empty": "",
        "key alone": key,
        "certificate alone": "-----BEGIN CERTIFICATE-----" + certificate,
        "two strangers": other + "-----BEGIN CERTIFICATE-----" + certificate,
        "passphrase": whole.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
    }
    if kind == "missing":
        file.unlink()
    else:
        file.write_text(contents[kind])
    registration = register(sandbox, ClientCertificate(file))
    async with open_tokens(registration, sandbox.ca_file, observer) as tokens:
        with pytest.raises(TokenError) as raised:
            await tokens.fetch_token()
    assert (raised.value.code, raised.value.is_permanent) == ("credential", True)
    assert "CLIENT_CERTIFICATE_FILE" in raised.value.remedy


def assert_identity(sandbox: Sandbox, file: Path, number: int) -> None:
    """Write an assertion of the trusted issuer into the file."""
    claims = {
        "iss": "https://issuer.example",
        "sub": "service",
        "aud": "api://AzureADTokenExchange",
        "exp": int(time.time()) + 600,
        "jti": str(number),
    }
    file.write_text(sandbox.parts.tenant.entra.clients.federation_keys.sign(claims) + "\n")


async def test_a_federated_token_is_read_from_its_file_at_each_acquisition(
    sandbox: Sandbox, observer: RecordingObserver, tmp_path: Path
) -> None:
    sandbox.parts.tenant.application.federated.append(
        FederatedCredential(issuer="https://issuer.example", subject="service")
    )
    file = tmp_path / "token"
    registration = register(sandbox, FederatedToken(file))
    async with open_tokens(
        registration, sandbox.ca_file, observer, error_memory_s=0, renew_pause_s=0
    ) as tokens:
        with pytest.raises(TokenError, match="cannot be read") as raised:
            await tokens.fetch_token()
        assert "FEDERATED_TOKEN_FILE" in raised.value.remedy
        assert_identity(sandbox, file, 1)
        first = await tokens.fetch_token()
        file.write_text("stale")
        with pytest.raises(TokenError):
            await tokens.fetch_token(rejected=first)
        assert_identity(sandbox, file, 2)
        assert await tokens.fetch_token() != first


@pytest.mark.parametrize("is_named", [False, True])
async def test_a_managed_identity_gives_a_token(
    sandbox: Sandbox, observer: RecordingObserver, monkeypatch: pytest.MonkeyPatch, is_named: bool
) -> None:
    origin = sandbox.ready.graph_url.removesuffix("/v1.0")
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{origin}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", sandbox.parts.tenant.managed_identity.header)
    identity = ManagedIdentity(sandbox.ready.client_id if is_named else "")
    async with open_tokens(register(sandbox, identity), sandbox.ca_file, observer, renew_pause_s=0) as tokens:
        first = await tokens.fetch_token()
        assert claims_of(first)["aud"] == GRAPH
        assert await tokens.fetch_token(rejected=first) != first


async def test_secrets_stay_out_of_what_is_printed(sandbox: Sandbox) -> None:
    registration = register(sandbox, ClientSecret(sandbox.ready.client_secret))
    assert sandbox.ready.client_secret not in repr(registration)


# --- refusals ---


@pytest.mark.parametrize(
    ("change", "code", "setting"),
    [
        ({"credential": ClientSecret("wrong")}, "AADSTS7000215", "CLIENT_SECRET"),
        ({"client_id": "11111111-1111-1111-1111-111111111111"}, "AADSTS700016", "CLIENT_ID"),
        ({"resource": "https://graph.example"}, "AADSTS500011", "CLOUD"),
    ],
)
async def test_a_refusal_carries_its_code_and_its_remedy(
    sandbox: Sandbox, observer: RecordingObserver, change: dict[str, Any], code: str, setting: str
) -> None:
    registration = replace(register(sandbox, ClientSecret(sandbox.ready.client_secret)), **change)
    async with open_tokens(registration, sandbox.ca_file, observer) as tokens:
        with pytest.raises(TokenError) as raised:
            await tokens.fetch_token()
    assert raised.value.code == code
    assert setting in raised.value.remedy
    assert raised.value.is_permanent
    assert "Trace ID" not in str(raised.value)
    assert observer.tokens == [code]


async def test_a_tenant_that_is_not_there_is_named(sandbox: Sandbox, observer: RecordingObserver) -> None:
    elsewhere = "22222222-2222-2222-2222-222222222222"
    registration = register(sandbox, ClientSecret(sandbox.ready.client_secret))
    authority = registration.authority.replace(sandbox.ready.tenant_id, elsewhere)
    async with open_tokens(replace(registration, authority=authority), sandbox.ca_file, observer) as tokens:
        with pytest.raises(TokenError) as raised:
            await tokens.fetch_token()
    assert "TENANT_ID" in raised.value.remedy
    assert raised.value.is_permanent


# --- one acquisition, renewal, claims ---


async def test_however_many_wait_a_token_is_asked_for_once(
    tokens: MsalTokens, observer: RecordingObserver
) -> None:
    given = await asyncio.gather(*(tokens.fetch_token() for _ in range(50)))
    assert len(set(given)) == 1
    assert observer.tokens == ["ok"]


async def test_a_caller_who_gives_up_does_not_end_the_acquisition(
    tokens: MsalTokens, observer: RecordingObserver
) -> None:
    first = asyncio.create_task(tokens.fetch_token())
    await asyncio.sleep(0)
    first.cancel()
    assert await tokens.fetch_token()
    assert observer.tokens == ["ok"]


async def test_however_many_were_refused_the_token_is_renewed_once(
    tokens: MsalTokens, observer: RecordingObserver
) -> None:
    old = await tokens.fetch_token()
    given = await asyncio.gather(*(tokens.fetch_token(rejected=old) for _ in range(20)))
    assert len(set(given)) == 1
    assert old not in given
    assert await tokens.fetch_token(rejected=old) == given[0]
    assert observer.tokens == ["ok", "ok"]


async def test_a_token_that_came_just_now_is_not_renewed_because_graph_refused_it(
    server: GraphHost, ca_file: Path, observer: RecordingObserver
) -> None:
    clock, given = HeldClock(), iter(["t-1", "t-2"])
    server.answer = login(lambda: token_answer(next(given)))
    async with open_tokens(registered_at(server), ca_file, observer, clock=clock) as tokens:
        assert await tokens.fetch_token() == "t-1"
        await clock.advance(4.9)
        assert await tokens.fetch_token(rejected="t-1") == "t-1"
        await clock.advance(0.1)
        assert await tokens.fetch_token(rejected="t-1") == "t-2"


async def test_a_token_with_which_graph_denied_access_is_renewed_unless_it_is_a_new_one(
    server: GraphHost, ca_file: Path, observer: RecordingObserver
) -> None:
    clock, given = HeldClock(), iter(["t-1", "t-2"])
    server.answer = login(lambda: token_answer(next(given)))
    async with open_tokens(registered_at(server), ca_file, observer, clock=clock) as tokens:
        tokens.note_denied()  # nothing is at hand yet
        assert await tokens.fetch_token() == "t-1"
        await clock.advance(59)
        tokens.note_denied()
        assert await tokens.fetch_token() == "t-1"
        await clock.advance(1)
        for _ in range(9):
            tokens.note_denied()
        assert "t-2" in await asyncio.gather(*(tokens.fetch_token() for _ in range(9)))
        tokens.note_denied()
        assert await tokens.fetch_token() == "t-2"


async def test_who_says_that_a_denial_is_repaired_gets_a_new_token_at_once(
    server: GraphHost, ca_file: Path, observer: RecordingObserver
) -> None:
    clock, given = HeldClock(), iter(["t-1", "t-2"])
    server.answer = login(lambda: token_answer(next(given)))
    async with open_tokens(registered_at(server), ca_file, observer, clock=clock) as tokens:
        assert await tokens.fetch_token() == "t-1"
        await clock.advance(5)
        tokens.note_repaired()  # nothing was denied with it
        assert await tokens.fetch_token() == "t-1"
        tokens.note_denied()
        assert await tokens.fetch_token() == "t-1"
        tokens.note_repaired()
        assert await tokens.fetch_token() == "t-2"
        tokens.note_denied()
        for _ in range(9):  # it came just now
            tokens.note_repaired()
        assert await tokens.fetch_token() == "t-2"


async def test_a_token_with_which_graph_denied_access_serves_on_while_the_authority_is_away(
    server: GraphHost, ca_file: Path, observer: RecordingObserver
) -> None:
    clock, given = HeldClock(), iter([token_answer("t-1"), web.json_response({}, status=503)])
    server.answer = login(lambda: next(given))
    async with open_tokens(registered_at(server), ca_file, observer, clock=clock) as tokens:
        await tokens.fetch_token()
        await clock.advance(60)
        tokens.note_denied()
        assert await tokens.fetch_token() == "t-1"
    assert observer.tokens[0] == "ok"
    assert len(observer.tokens) == 2


async def test_a_claims_challenge_brings_another_token_that_serves_from_then_on(tokens: MsalTokens) -> None:
    old = await tokens.fetch_token()
    claims = json.dumps({"access_token": {"nbf": {"essential": True, "value": "1700000000"}}})
    new = await tokens.fetch_token(claims=claims)
    assert new != old
    assert await tokens.fetch_token() == new


async def test_a_token_is_renewed_before_its_end(keys: KeyRing, observer: RecordingObserver) -> None:
    clock = HeldClock()
    async with Sandbox.start(SandboxOptions(seed=7, keys=keys, token_lifetime_s=200)) as sandbox:
        registration = register(sandbox, ClientSecret(sandbox.ready.client_secret))
        async with open_tokens(registration, sandbox.ca_file, observer, clock=clock) as tokens:
            first = await tokens.fetch_token()
            await clock.advance(99)
            assert await tokens.fetch_token() == first
            await clock.advance(1)
            assert await tokens.fetch_token() != first


async def test_the_environment_does_not_change_who_is_trusted(
    sandbox: Sandbox,
    tokens: MsalTokens,
    monkeypatch: pytest.MonkeyPatch,
    authority: trustme.CA,
    ca_file: Path,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(ca_file))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert await tokens.fetch_token()


# --- a login server that is ill ---

Login = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def login(answer: Callable[[], web.StreamResponse | Awaitable[web.StreamResponse]]) -> Login:
    """Answer discovery well, and the token endpoint as told."""

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        root = f"https://{request.headers['Host']}/tenant"
        if request.path.endswith("openid-configuration"):
            return web.json_response(
                {
                    "issuer": f"{root}/v2.0",
                    "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{root}/oauth2/v2.0/token",
                    "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
                }
            )
        given = answer()
        return given if isinstance(given, web.StreamResponse) else await given

    return serve


def token_answer(text: str, **more: object) -> web.StreamResponse:
    return web.json_response({"token_type": "Bearer", "expires_in": 3600, "access_token": text, **more})


@pytest_asyncio.fixture
async def server(authority: trustme.CA) -> AsyncIterator[GraphHost]:
    async with serve_graph(authority, login(lambda: token_answer("t-1"))) as running:
        yield running


def registered_at(server: GraphHost) -> Registration:
    return Registration(
        authority=f"{server.url}/tenant", client_id="app", resource=GRAPH, credential=ClientSecret("secret")
    )


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_an_authority_that_is_ill_is_no_permanent_fault(
    server: GraphHost, ca_file: Path, observer: RecordingObserver, status: int
) -> None:
    server.answer = login(lambda: web.json_response({"error": "temporarily_unavailable"}, status=status))
    async with open_tokens(registered_at(server), ca_file, observer) as tokens:
        with pytest.raises(TokenError) as raised:
            await tokens.fetch_token()
    assert not raised.value.is_permanent
    assert raised.value.remedy


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"issuer": "x"}'])
async def test_a_discovery_that_makes_no_sense_names_the_settings(
    server: GraphHost, ca_file: Path, observer: RecordingObserver, body: bytes
) -> None:
    async def serve(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body)

    server.answer = serve
    async with open_tokens(registered_at(server), ca_file, observer) as tokens:
        with pytest.raises(TokenError) as raised:
            await tokens.fetch_token()
    assert "AUTHORITY_URL" in raised.value.remedy


@pytest.mark.parametrize("body", [{}, {"access_token": ""}, {"access_token": 7}, {"error": "x"}, []])
async def test_a_token_answer_without_token_is_an_error(
    server: GraphHost, ca_file: Path, observer: RecordingObserver, body: object
) -> None:
    server.answer = login(lambda: web.json_response(body))
    async with open_tokens(registered_at(server), ca_file, observer) as tokens:
        with pytest.raises(TokenError):
            await tokens.fetch_token()


async def test_a_refusal_is_repeated_for_a_while_without_asking_again(
    server: GraphHost, ca_file: Path, observer: RecordingObserver
) -> None:
    clock = HeldClock()
    server.answer = login(lambda: web.json_response({"error": "invalid_client"}, status=401))
    async with open_tokens(registered_at(server), ca_file, observer, clock=clock) as tokens:
        for _ in range(10):
            with pytest.raises(TokenError):
                await tokens.fetch_token()
        assert observer.tokens == ["invalid_client"]
        await clock.advance(5)
        server.answer = login(lambda: token_answer("t-2"))
        assert await tokens.fetch_token() == "t-2"


async def test_a_good_token_outlives_an_authority_that_is_away(
    server: GraphHost, ca_file: Path, observer: RecordingObserver
) -> None:
    clock = HeldClock()
    server.answer = login(lambda: token_answer("t-1", expires_in=250))
    async with open_tokens(registered_at(server), ca_file, observer, clock=clock) as tokens:
        assert await tokens.fetch_token() == "t-1"
        server.answer = login(lambda: web.json_response({"error": "invalid_client"}, status=401))
        await clock.advance(249)
        assert await tokens.fetch_token() == "t-1"
        assert await tokens.fetch_token() == "t-1"
        assert observer.tokens == ["ok", "invalid_client"]
        await clock.advance(1)
        with pytest.raises(TokenError):
            await tokens.fetch_token()


async def test_a_token_is_renewed_when_the_authority_asks_for_it(
    server: GraphHost, ca_file: Path, observer: RecordingObserver
) -> None:
    server.answer = login(lambda: token_answer("t-1", expires_in=86_400, refresh_in=1))
    async with open_tokens(registered_at(server), ca_file, observer, error_memory_s=0.05) as tokens:
        assert await tokens.fetch_token() == "t-1"
        server.answer = login(lambda: token_answer("t-2", expires_in=86_400, refresh_in=80_000))

        async def is_renewed() -> bool:
            return await tokens.fetch_token() == "t-2"

        await wait_until(is_renewed)


async def test_while_one_caller_renews_the_others_go_on_with_the_old_token(
    server: GraphHost, ca_file: Path, observer: RecordingObserver
) -> None:
    clock, release = HeldClock(), asyncio.Event()

    async def answer_slowly() -> web.StreamResponse:
        await release.wait()
        return token_answer("t-2")

    server.answer = login(lambda: token_answer("t-1", expires_in=250))
    async with open_tokens(registered_at(server), ca_file, observer, clock=clock) as tokens:
        await tokens.fetch_token()
        server.answer = login(answer_slowly)
        await clock.advance(200)
        renewing = asyncio.create_task(tokens.fetch_token())
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            assert await tokens.fetch_token() == "t-1"
        release.set()
        assert await renewing == "t-2"


async def test_an_authority_that_never_answers_times_out_and_the_loop_goes_on(
    server: GraphHost, ca_file: Path, observer: RecordingObserver
) -> None:
    asked = asyncio.Event()

    async def stall() -> web.StreamResponse:
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    server.answer = login(stall)
    async with open_tokens(
        registered_at(server), ca_file, observer, timeout_s=0.3, error_memory_s=0
    ) as tokens:
        # The authority is served by the same loop: it could not hear of a loop that waits. On a machine that
        # stands still its discovery may be given up before anything stalls; then it is asked once more.
        while not asked.is_set():
            with pytest.raises(TokenError) as raised:
                await tokens.fetch_token()
            assert raised.value.code == "unreachable"
            assert not raised.value.is_permanent


async def test_an_authority_whose_certificate_is_not_trusted_gets_no_secret(
    server: GraphHost, sandbox: Sandbox, observer: RecordingObserver
) -> None:
    async with open_tokens(registered_at(server), sandbox.ca_file, observer) as tokens:
        with pytest.raises(TokenError) as raised:
            await tokens.fetch_token()
    assert "CA_BUNDLE" in raised.value.remedy
    assert server.heard == []
