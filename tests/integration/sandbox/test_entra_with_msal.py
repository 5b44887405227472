"""Microsoft's MSAL against the sandbox's Entra ID: every way to a token, as the library really goes it."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import jwt
import msal  # type: ignore[import-untyped]
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from service.sandbox.command import Sandbox
from tests.integration.sandbox.asking import SCOPE, Asking

DELEGATED = "https://graph.microsoft.com/Mail.Read"


class Http(requests.Session):
    """Trusts the sandbox in every request: an environment variable would beat a session-wide `verify`."""

    def __init__(self, ca_file: str) -> None:
        super().__init__()
        self._ca_file = ca_file
        self.calls: list[str] = []

    def request(self, method: str, url: str, *args: Any, **more: Any) -> requests.Response:  # type: ignore[override]
        self.calls.append(url)
        more["verify"] = self._ca_file
        more.setdefault("timeout", 15)
        return super().request(method, url, *args, **more)


def build_app(sandbox: Sandbox, credential: Any, **more: Any) -> msal.ConfidentialClientApplication:
    ready = sandbox.ready
    return msal.ConfidentialClientApplication(
        ready.client_id,
        client_credential=credential,
        authority=more.pop("authority", ready.authority_url),
        instance_discovery=False,
        http_client=more.pop("http", None) or Http(ready.ca_bundle),
        **more,
    )


async def off_loop(step: Callable[[], Any]) -> Any:
    """Run something that blocks; the sandbox serves on this loop meanwhile."""
    return await asyncio.to_thread(step)


def read(sandbox: Sandbox, token: str) -> dict[str, Any]:
    """Give the claims of a token that a key of the JWKS signed."""
    http = Http(sandbox.ready.ca_bundle)
    keys = http.get(f"{sandbox.ready.authority_url}/discovery/v2.0/keys").json()["keys"]
    kid = jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWK(next(key for key in keys if key["kid"] == kid)).key
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience="https://graph.microsoft.com"
    )
    return claims


async def acquire(sandbox: Sandbox, credential: Any, **more: Any) -> dict[str, Any]:
    def step() -> dict[str, Any]:
        return dict(build_app(sandbox, credential).acquire_token_for_client([SCOPE], **more))

    return dict(await off_loop(step))


async def opens_graph(asking: Asking, token: str) -> bool:
    return (await asking.graph("GET", "/subscriptions", token=token)).status == 200


async def test_a_secret_brings_a_token_that_verifies_and_opens_graph(asking: Asking) -> None:
    sandbox = asking.sandbox
    result = await acquire(sandbox, sandbox.ready.client_secret)
    assert result["token_type"] == "Bearer"
    assert result["expires_in"] == 3599
    claims = await off_loop(lambda: read(sandbox, result["access_token"]))
    assert claims["iss"] == f"{sandbox.ready.authority_url}/v2.0"
    assert claims["tid"] == sandbox.ready.tenant_id
    assert claims["azp"] == claims["appid"] == sandbox.ready.client_id
    assert {"Mail.Read", "Calendars.Read"} <= set(claims["roles"])
    assert await opens_graph(asking, result["access_token"])


async def test_msal_serves_the_second_call_from_its_cache(asking: Asking) -> None:
    http = Http(asking.sandbox.ready.ca_bundle)

    def step() -> tuple[int, dict[str, Any]]:
        app = build_app(asking.sandbox, asking.sandbox.ready.client_secret, http=http)
        app.acquire_token_for_client([SCOPE])
        before = len(http.calls)
        return before, app.acquire_token_for_client([SCOPE])

    before, again = await off_loop(step)
    assert again["token_source"] == "cache"
    assert len(http.calls) == before


async def test_a_claims_challenge_brings_another_token(asking: Asking) -> None:
    challenge = json.dumps({"access_token": {"nbf": {"essential": True, "value": "1700000000"}}})

    def step() -> tuple[str, str]:
        app = build_app(asking.sandbox, asking.sandbox.ready.client_secret, client_capabilities=["CP1"])
        first = app.acquire_token_for_client([SCOPE])
        second = app.acquire_token_for_client([SCOPE], claims_challenge=challenge)
        return first["access_token"], second["access_token"]

    first, second = await off_loop(step)
    assert first != second
    claims = await off_loop(lambda: read(asking.sandbox, second))
    assert claims["xms_cc"] == ["cp1"]


@pytest.mark.parametrize(
    ("credential", "scope", "error", "number"),
    [
        ("wrong", SCOPE, "invalid_client", "AADSTS7000215"),
        (None, "https://graph.microsoft.com/Mail.Read", "invalid_scope", "AADSTS1002012"),
        (None, "https://elsewhere.example/.default", "invalid_resource", "AADSTS500011"),
    ],
)
async def test_what_is_wrong_is_said_in_entras_words(
    asking: Asking, credential: str | None, scope: str, error: str, number: str
) -> None:
    def step() -> dict[str, Any]:
        app = build_app(asking.sandbox, credential or asking.sandbox.ready.client_secret)
        return dict(app.acquire_token_for_client([scope]))

    result = await off_loop(step)
    assert result["error"] == error
    assert result["error_description"].startswith(f"{number}: ")
    assert result["error_codes"] == [int(number.removeprefix("AADSTS"))]


async def test_an_unknown_tenant_has_no_discovery_document(asking: Asking) -> None:
    origin = asking.sandbox.ready.authority_url.rsplit("/", 1)[0]
    document = await asking.send("GET", f"{origin}/no-such-tenant/v2.0/.well-known/openid-configuration")
    assert (document.status, document.code) == (400, "invalid_tenant")
    with pytest.raises(ValueError, match="Unable to get authority configuration"):
        await off_loop(lambda: build_app(asking.sandbox, "x", authority=f"{origin}/no-such-tenant"))


async def test_an_unknown_client_is_told_so(asking: Asking) -> None:
    answer = await asking.token(grant_type="client_credentials", client_id="nobody", client_secret="x")
    assert (answer.status, answer.code) == (400, "unauthorized_client")
    assert answer.body["error_codes"] == [700016]


# --- assertions ---


async def test_a_registered_certificate_serves_in_both_forms(asking: Asking) -> None:
    made = await asking.control("/certificates", {})
    for credential in (
        {"private_key": made["private_key"], "public_certificate": made["certificate"]},
        {"private_key": made["private_key"], "thumbprint": made["thumbprint"]},
    ):
        result = await acquire(asking.sandbox, credential)
        assert await opens_graph(asking, result["access_token"])


async def test_a_certificate_of_ones_own_may_be_registered(asking: Asking) -> None:
    made = await asking.control("/certificates", {})
    told = await asking.control("/certificates", {"certificate": made["certificate"]})
    assert told == {"certificate": made["certificate"], "thumbprint": made["thumbprint"]}


async def test_an_assertion_signed_with_another_key_is_refused(asking: Asking) -> None:
    made = await asking.control("/certificates", {})
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    result = await acquire(
        asking.sandbox, {"private_key": other.decode(), "public_certificate": made["certificate"]}
    )
    assert (result["error"], result["error_codes"]) == ("invalid_client", [700027])


async def test_an_assertion_made_for_another_endpoint_is_refused(asking: Asking) -> None:
    made = await asking.control("/certificates", {})
    key = serialization.load_pem_private_key(made["private_key"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    now = int(asking.sandbox.clock.machine_now().timestamp())
    client_id = asking.sandbox.ready.client_id
    claims = {"iss": client_id, "sub": client_id, "aud": "https://elsewhere.example", "exp": now + 600}
    x5t = urlsafe_b64encode(bytes.fromhex(made["thumbprint"])).decode()
    answer = await asking.token(
        grant_type="client_credentials",
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion=jwt.encode(claims, key, algorithm="RS256", headers={"x5t": x5t}),
    )
    assert (answer.status, answer.body["error_codes"]) == (401, [700023])


async def test_a_federated_assertion_serves_in_place_of_a_secret(asking: Asking) -> None:
    made = await asking.control("/assertions", {})
    result = await acquire(asking.sandbox, {"client_assertion": lambda: made["assertion"]})
    assert await opens_graph(asking, result["access_token"])


async def test_an_assertion_of_a_stranger_is_refused(asking: Asking) -> None:
    now = int(asking.sandbox.clock.machine_now().timestamp())
    forged = asking.sandbox.parts.tenant.keys.sign({
        "iss": "https://elsewhere.example",
        "sub": "x",
        "aud": "api://AzureADTokenExchange",
        "exp": now + 600,
    })  # fmt: skip
    result = await acquire(asking.sandbox, {"client_assertion": lambda: forged})
    assert result["error_codes"] == [700211]


# --- people ---


async def test_a_refresh_token_brings_a_persons_token_and_another_refresh_token(asking: Asking) -> None:
    made = await asking.control("/refresh-tokens", {"user": "adelev@contoso.onmicrosoft.com"})

    def step() -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
        app = build_app(asking.sandbox, asking.sandbox.ready.client_secret)
        first = app.acquire_token_by_refresh_token(made["refresh_token"], [DELEGATED])
        accounts = app.get_accounts()
        return first, accounts, app.acquire_token_silent([DELEGATED], accounts[0], force_refresh=True)

    first, accounts, second = await off_loop(step)
    assert accounts[0]["username"] == "AdeleV@contoso.OnMicrosoft.com"
    claims = await off_loop(lambda: read(asking.sandbox, first["access_token"]))
    assert (claims["scp"], claims["oid"]) == ("Mail.Read", asking.id_of("adele"))
    assert second["access_token"] != first["access_token"]
    me = await asking.graph("GET", "/me/messages", token=second["access_token"])
    assert me.status == 200


async def test_a_false_refresh_token_is_an_invalid_grant(asking: Asking) -> None:
    def step() -> dict[str, Any]:
        app = build_app(asking.sandbox, asking.sandbox.ready.client_secret)
        return dict(app.acquire_token_by_refresh_token("no-such-token", [DELEGATED]))

    assert (await off_loop(step))["error"] == "invalid_grant"


async def test_a_device_code_waits_for_the_person_and_then_brings_a_token(asking: Asking) -> None:
    ready = asking.sandbox.ready

    def begin() -> tuple[msal.PublicClientApplication, dict[str, Any]]:
        app = msal.PublicClientApplication(
            ready.client_id,
            authority=ready.authority_url,
            instance_discovery=False,
            http_client=Http(ready.ca_bundle),
        )
        return app, app.initiate_device_flow([DELEGATED])

    app, flow = await off_loop(begin)
    assert flow["user_code"] in flow["message"]
    pending = await poll_device(asking, flow["device_code"])
    assert (pending.status, pending.code) == (400, "authorization_pending")
    assert (await poll_device(asking, flow["device_code"])).code == "slow_down"
    told = {"user_code": flow["user_code"], "user": "alexw@contoso.onmicrosoft.com"}
    await asking.control("/device-codes", told)
    result = await off_loop(lambda: app.acquire_token_by_device_flow(flow))
    claims = await off_loop(lambda: read(asking.sandbox, result["access_token"]))
    assert claims["oid"] == asking.id_of("alex")
    renewed = await asking.token(
        grant_type="refresh_token", refresh_token=result["refresh_token"], scope=DELEGATED
    )
    assert renewed.status == 200, "granted to a public client, so redeemed without a secret"


async def poll_device(asking: Asking, device_code: str) -> Any:
    return await asking.token(
        grant_type="urn:ietf:params:oauth:grant-type:device_code", device_code=device_code
    )


async def test_a_device_code_may_be_declined(asking: Asking) -> None:
    url = f"{asking.sandbox.ready.authority_url}/oauth2/v2.0/devicecode"
    form = {"client_id": asking.sandbox.ready.client_id, "scope": DELEGATED}
    flow = (await asking.send("POST", url, data=form)).body
    told = {"user_code": flow["user_code"], "user": "alexw@contoso.onmicrosoft.com", "approve": False}
    await asking.control("/device-codes", told)
    assert (await poll_device(asking, flow["device_code"])).code == "authorization_declined"


@pytest.mark.filterwarnings("ignore:response_mode")
async def test_an_authorization_code_brings_an_id_token_with_its_nonce(asking: Asking) -> None:
    def begin() -> tuple[msal.ConfidentialClientApplication, dict[str, Any]]:
        app = build_app(asking.sandbox, asking.sandbox.ready.client_secret)
        flow = app.initiate_auth_code_flow(
            [DELEGATED], redirect_uri="http://localhost/back", login_hint="alexw@contoso.onmicrosoft.com"
        )
        return app, flow

    app, flow = await off_loop(begin)
    sent_back = await asking.send("GET", flow["auth_uri"])
    assert sent_back.status == 302
    query = dict(part.split("=", 1) for part in sent_back.headers["Location"].split("?")[1].split("&"))
    result = await off_loop(lambda: app.acquire_token_by_auth_code_flow(flow, query))
    assert result["id_token_claims"]["preferred_username"] == "AlexW@contoso.OnMicrosoft.com"


# --- what Graph makes of tokens ---


async def test_revoked_tokens_are_refused_and_those_made_later_are_not(asking: Asking) -> None:
    await asking.control("/revocations", {"user": "app"})
    refused = await asking.graph("GET", "/subscriptions")
    assert (refused.status, refused.code) == (401, "InvalidAuthenticationToken")
    assert "insufficient_claims" not in refused.headers["WWW-Authenticate"]
    result = await acquire(asking.sandbox, asking.sandbox.ready.client_secret)
    assert await opens_graph(asking, result["access_token"])


async def test_a_client_that_can_answer_is_challenged_for_claims(asking: Asking) -> None:
    def step(challenge: str | None = None) -> str:
        app = build_app(asking.sandbox, asking.sandbox.ready.client_secret, client_capabilities=["cp1"])
        return str(app.acquire_token_for_client([SCOPE], claims_challenge=challenge)["access_token"])

    token = await off_loop(step)
    await asking.control("/revocations", {"user": "app"})
    refused = await asking.graph("GET", "/subscriptions", token=token)
    parts = dict(part.strip().split("=", 1) for part in refused.headers["WWW-Authenticate"].split(","))
    assert parts["error"] == '"insufficient_claims"'
    challenge = b64decode(parts["claims"].strip('"')).decode()
    assert json.loads(challenge)["access_token"]["nbf"]["essential"] is True
    assert await opens_graph(asking, await off_loop(lambda: step(challenge)))


async def test_tokens_of_the_keys_before_go_on_working_after_a_rotation(asking: Asking) -> None:
    sandbox = asking.sandbox
    before = await acquire(sandbox, sandbox.ready.client_secret)
    await asking.control("/signing-keys", {})
    after = await acquire(sandbox, sandbox.ready.client_secret)
    kids = {jwt.get_unverified_header(result["access_token"])["kid"] for result in (before, after)}
    assert len(kids) == 2
    for result in (before, after):
        assert await opens_graph(asking, result["access_token"])
        await off_loop(lambda: read(sandbox, result["access_token"]))  # noqa: B023 - used at once


async def test_managed_identity_of_app_service_and_of_a_virtual_machine(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = await asking.control("/managed-identity", {})
    ready = asking.sandbox.ready

    def step() -> dict[str, Any]:
        client = msal.ManagedIdentityClient(
            msal.SystemAssignedManagedIdentity(), http_client=Http(ready.ca_bundle)
        )
        return dict(client.acquire_token_for_client(resource="https://graph.microsoft.com"))

    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", told["AZURE_POD_IDENTITY_AUTHORITY_HOST"])
    assert await opens_graph(asking, (await off_loop(step))["access_token"])
    monkeypatch.setenv("IDENTITY_ENDPOINT", told["IDENTITY_ENDPOINT"])
    monkeypatch.setenv("IDENTITY_HEADER", told["IDENTITY_HEADER"])
    assert await opens_graph(asking, (await off_loop(step))["access_token"])
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    assert "error" in await off_loop(step)


async def test_a_bare_or_broken_token_is_a_401_with_a_challenge(asking: Asking) -> None:
    url = f"{asking.sandbox.ready.graph_url}/subscriptions"
    for headers in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic eA=="}):
        answer = await asking.send("GET", url, headers=headers)
        assert (answer.status, answer.code) == (401, "InvalidAuthenticationToken")
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="", authorization_uri="https://')
        inner = answer.body["error"]["innerError"]
        assert inner["request-id"] == answer.headers["request-id"]


async def test_a_token_signed_by_somebody_else_opens_nothing(asking: Asking) -> None:
    kid = jwt.get_unverified_header(asking.app_token)["kid"]
    claims = jwt.decode(asking.app_token, options={"verify_signature": False})
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": kid})
    assert not await opens_graph(asking, forged)
    bare = jwt.encode(claims, "", algorithm="none", headers={"kid": kid})
    assert not await opens_graph(asking, bare)
