"""Entra's answers without a network: tenants, grants, credentials, and the life of what people granted."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64decode
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
import pytest

from service.sandbox.access_tokens import Order, Person, TokenMint
from service.sandbox.entra import Entra
from service.sandbox.entra_wire import EntraRequest, EntraResponse
from service.sandbox.grants import DEVICE_LIFETIME, REFRESH_LIFETIME
from service.sandbox.keys import KEYS_SHOWN_MAX, KeyRing
from service.sandbox.registration import Application
from service.sandbox.wire import GraphFault, SandboxClock
from tests.unit.sandbox.turning import NOON

TENANT = "11111111-2222-3333-4444-555555555555"
ORIGIN = "https://localhost:1"
SCOPE = "https://graph.microsoft.com/.default"
ALEX = Person(id="64339082-ed84-4b0b-b4ab-004ae54f3747", name="Alex Wilber", address="AlexW@contoso.com")
KEYS = KeyRing()


@dataclass(slots=True)
class Login:
    """One tenant, and the hand that turns its clock: Entra lives by the machine's."""

    ahead: timedelta
    entra: Entra
    mint: TokenMint
    application: Application

    def ask(self, path: str, method: str = "POST", headers: Any = None, **form: str) -> EntraResponse:
        return self.entra.answer(
            EntraRequest(
                method=method,
                segments=tuple(path.split("/")),
                form=form,
                headers=headers or {},
                origin=ORIGIN,
            )
        )

    def token(self, tenant: str = TENANT, headers: Any = None, **form: str) -> EntraResponse:
        known = {"client_id": "app", "scope": SCOPE}
        return self.ask(f"{tenant}/oauth2/v2.0/token", headers=headers, **(known | form))

    def refresh(self, token: str, **form: str) -> EntraResponse:
        known = {"grant_type": "refresh_token", "refresh_token": token, "client_secret": "secret"}
        return self.token(**(known | form))


@pytest.fixture
def login() -> Login:
    made: list[Login] = []
    clock = SandboxClock(lambda: NOON + (made[0].ahead if made else timedelta(0)))
    application = Application(app_id="app", object_id="principal", secret="secret")
    mint = TokenMint(keys=KEYS, clock=clock, tenant_id=TENANT)

    def find(address: str) -> Person | None:
        return ALEX if address.lower() == ALEX.address.lower() else None

    entra = Entra(mint=mint, keys=KEYS, application=application, clock=clock, find_person=find)
    made.append(Login(timedelta(0), entra, mint, application))
    return made[0]


def test_errors_have_entras_shape(login: Login) -> None:
    answer = login.token(grant_type="client_credentials", client_secret="wrong")
    assert answer.status == 401
    assert set(answer.body) == {
        *("error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id"),
        "error_uri",
    }
    assert answer.body["error_uri"] == f"{ORIGIN}/error?code=7000215"
    assert answer.body["timestamp"] == "2026-03-02 12:00:00Z"
    assert "wrong" not in json.dumps(answer.body)


@pytest.mark.parametrize(
    ("form", "error", "number", "status"),
    [
        ({"grant_type": ""}, "invalid_request", 900144, 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 70003, 400),
        ({"client_id": ""}, "invalid_request", 900144, 400),
        ({"client_id": "other"}, "unauthorized_client", 700016, 400),
        ({"client_secret": ""}, "invalid_client", 7000218, 401),
        ({"client_secret": "Secret"}, "invalid_client", 7000215, 401),
        ({"scope": ""}, "invalid_request", 900144, 400),
        ({"scope": "https://graph.microsoft.com/Mail.Read"}, "invalid_scope", 1002012, 400),
        ({"scope": f"{SCOPE} {SCOPE}"}, "invalid_scope", 1002012, 400),
        ({"scope": "https://vault.azure.net/.default"}, "invalid_resource", 500011, 400),
        ({"claims": "{"}, "invalid_request", 50146, 400),
        ({"claims": "[]"}, "invalid_request", 50146, 400),
        ({"client_assertion": "x", "client_secret": "secret"}, "invalid_request", 900144, 400),
    ],
)
def test_every_fault_of_a_request_has_its_number(
    login: Login, form: dict[str, str], error: str, number: int, status: int
) -> None:
    known = {"grant_type": "client_credentials", "client_secret": "secret"}
    answer = login.token(**(known | form))
    assert (answer.body["error"], answer.body["error_codes"], answer.status) == (error, [number], status)


def test_a_secret_may_come_by_http_basic(login: Login) -> None:
    basic = {"authorization": f"Basic {b64encode(b'app:secret').decode()}"}
    answer = login.token(headers=basic, grant_type="client_credentials", client_id="")
    assert answer.status == 200


@pytest.mark.parametrize("tenant", [TENANT, TENANT.upper(), "contoso.onmicrosoft.com", "Contoso.com"])
def test_a_tenant_has_several_names_and_one_realm(login: Login, tenant: str) -> None:
    document = login.ask(f"{tenant}/v2.0/.well-known/openid-configuration", "GET").body
    assert document["token_endpoint"] == f"{ORIGIN}/{TENANT}/oauth2/v2.0/token"
    assert document["issuer"] == f"{ORIGIN}/{TENANT}/v2.0"
    assert login.token(tenant, grant_type="client_credentials", client_secret="secret").status == 200


def test_all_tenants_have_a_document_of_their_own_and_no_application_tokens(login: Login) -> None:
    document = login.ask("common/v2.0/.well-known/openid-configuration", "GET").body
    assert document["issuer"] == f"{ORIGIN}/{{tenantid}}/v2.0"
    assert document["token_endpoint"] == f"{ORIGIN}/common/oauth2/v2.0/token"
    answer = login.token("common", grant_type="client_credentials", client_secret="secret")
    assert answer.body["error_codes"] == [50059]


def test_version_one_has_the_issuer_of_old(login: Login) -> None:
    document = login.ask(f"{TENANT}/.well-known/openid-configuration", "GET").body
    assert document["issuer"] == f"https://sts.windows.net/{TENANT}/"
    assert login.ask(f"{TENANT}/discovery/keys", "GET").body == KEYS.build_jwks()


def test_a_wrong_method_or_path_is_said(login: Login) -> None:
    assert login.ask(f"{TENANT}/oauth2/v2.0/token", "GET").body["error_codes"] == [900561]
    assert login.ask(f"{TENANT}/oauth2/v9/token").status == 404
    assert login.ask("nowhere/oauth2/v2.0/token").body["error"] == "invalid_tenant"


def test_tokens_of_other_clouds_name_their_own_audience(login: Login) -> None:
    form = {"grant_type": "client_credentials", "client_secret": "secret"}
    answer = login.token(scope="https://graph.microsoft.us/.default", **form)
    claims = jwt.decode(answer.body["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://graph.microsoft.us"


# --- refresh tokens ---


def test_refresh_tokens_rotate_and_narrow_but_never_widen(login: Login) -> None:
    token = login.entra.keep_refresh_token(ALEX, frozenset({"Mail.Read", "Calendars.Read"}))
    answer = login.refresh(token, scope="openid https://graph.microsoft.com/Mail.Read", client_info="1")
    assert answer.body["scope"] == "https://graph.microsoft.com/Mail.Read"
    assert answer.body["refresh_token"] != token
    padded = answer.body["client_info"] + "=" * (-len(answer.body["client_info"]) % 4)
    assert json.loads(urlsafe_b64decode(padded)) == {"uid": ALEX.id, "utid": TENANT}
    assert login.refresh(answer.body["refresh_token"]).status == 200
    assert login.refresh(token).status == 200, "Entra lets the one before live on"
    assert login.refresh(token, scope="Fly.ToMoon").body["error_codes"] == [70011]
    assert login.refresh(token, scope="User.Read.All").body["error_codes"] == [65001]


def test_a_refresh_token_needs_the_credential_it_was_granted_with(login: Login) -> None:
    token = login.entra.keep_refresh_token(ALEX, frozenset({"Mail.Read"}))
    assert login.refresh(token, client_secret="").body["error_codes"] == [7000218]
    assert login.refresh(token, client_secret="wrong").body["error_codes"] == [7000215]


def test_a_refresh_token_ends_after_ninety_days(login: Login) -> None:
    token = login.entra.keep_refresh_token(ALEX, frozenset({"Mail.Read"}))
    login.ahead = REFRESH_LIFETIME - timedelta(seconds=1)
    assert login.refresh(token).status == 200
    login.ahead = REFRESH_LIFETIME
    assert login.refresh(token).body["error_codes"] == [700082]


# --- device codes ---


def poll(login: Login, device_code: str) -> str:
    answer = login.token(
        grant_type="urn:ietf:params:oauth:grant-type:device_code", device_code=device_code, scope=""
    )
    return "granted" if answer.status == 200 else str(answer.body["error"])


def open_device(login: Login) -> dict[str, Any]:
    answer = login.ask(f"{TENANT}/oauth2/v2.0/devicecode", client_id="app", scope="Mail.Read offline_access")
    return dict(answer.body)


def test_polling_too_often_is_told_to_slow_down(login: Login) -> None:
    flow = open_device(login)
    assert poll(login, flow["device_code"]) == "authorization_pending"
    login.ahead = timedelta(seconds=2)
    assert poll(login, flow["device_code"]) == "slow_down"
    login.ahead = timedelta(seconds=7)
    assert poll(login, flow["device_code"]) == "authorization_pending"


def test_a_device_code_is_redeemed_once_and_decided_once(login: Login) -> None:
    flow = open_device(login)
    grants = login.entra.grants
    assert grants.decide_device(flow["user_code"].lower(), ALEX, is_approved=True)
    assert not grants.decide_device(flow["user_code"], ALEX, is_approved=False)
    assert poll(login, flow["device_code"]) == "granted"
    assert poll(login, flow["device_code"]) == "bad_verification_code"


def test_a_device_code_expires(login: Login) -> None:
    flow = open_device(login)
    login.ahead = DEVICE_LIFETIME
    assert poll(login, flow["device_code"]) == "expired_token"


# --- authorization codes ---


def authorize(login: Login, **form: str) -> EntraResponse:
    known = {
        "client_id": "app",
        "response_type": "code",
        "redirect_uri": "http://localhost/back?x=1",
        "scope": "Mail.Read",
        "login_hint": ALEX.address,
        "state": "a b",
    }
    return login.ask(f"{TENANT}/oauth2/v2.0/authorize", "GET", **(known | form))


def redeem(login: Login, code: str, **form: str) -> EntraResponse:
    known = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "http://localhost/back?x=1",
        "client_secret": "secret",
        "scope": "",
    }
    return login.token(**(known | form))


def read_code(answer: EntraResponse) -> str:
    assert answer.status == 302
    location = answer.headers["Location"]
    assert location.startswith("http://localhost/back?x=1&code=")
    assert "state=a+b" in location
    return location.split("code=")[1].split("&")[0]


def test_a_code_is_redeemed_once_at_the_address_it_was_sent_to(login: Login) -> None:
    code = read_code(authorize(login, nonce="n"))
    answer = redeem(login, code)
    claims = jwt.decode(answer.body["id_token"], options={"verify_signature": False})
    assert (claims["nonce"], claims["aud"], claims["oid"]) == ("n", "app", ALEX.id)
    assert redeem(login, code).body["error_codes"] == [70008]
    assert redeem(login, read_code(authorize(login)), redirect_uri="x").body["error_codes"] == [500112]


def test_a_code_with_a_challenge_needs_its_verifier(login: Login) -> None:
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636, appendix B
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    code = read_code(authorize(login, code_challenge=challenge))
    assert redeem(login, code, code_verifier="wrong").body["error_codes"] == [501481]
    code = read_code(authorize(login, code_challenge=challenge))
    assert redeem(login, code, code_verifier=verifier).status == 200


@pytest.mark.parametrize("target", ["", "http://localhost/\r\nX-Injected: y", "http://localhost/\u00e9"])
def test_nobody_is_sent_to_what_no_header_can_hold(login: Login, target: str) -> None:
    assert authorize(login, redirect_uri=target).body["error_codes"] == [90014]


def test_nobody_is_signed_in_who_is_not_of_the_tenant(login: Login) -> None:
    assert authorize(login, login_hint="stranger@x.org").body["error_codes"] == [90014]


# --- tokens at Graph's door ---


def order(**members: Any) -> Order:
    known: dict[str, Any] = {
        "audience": "https://graph.microsoft.com",
        "permissions": frozenset({"Mail.Read"}),
        "origin": ORIGIN,
    }
    return Order(**(known | members))


def refusal_of(login: Login, token: str) -> str:
    with pytest.raises(GraphFault) as caught:
        login.mint.read_bearer(f"Bearer {token}", ORIGIN)
    assert caught.value.status == 401
    return caught.value.message


def test_callers_are_told_apart(login: Login) -> None:
    app = login.mint.read_bearer(f"Bearer {login.mint.issue_for_app(login.application, order())}", ORIGIN)
    assert (app.user_id, app.app_id, app.permissions) == (None, "app", frozenset({"Mail.Read"}))
    person = login.mint.read_bearer(
        f"bearer {login.mint.issue_for_person(ALEX, login.application, order())}", ORIGIN
    )
    assert (person.user_id, person.authority) == (ALEX.id, f"{ORIGIN}/{TENANT}/v2.0")


def test_a_token_ends_with_its_lifetime_by_the_machines_clock(login: Login) -> None:
    token = login.mint.issue_for_app(login.application, order())
    login.ahead = timedelta(seconds=3599)
    login.mint.read_bearer(f"Bearer {token}", ORIGIN)
    login.ahead = timedelta(seconds=3600)
    assert "the token is expired" in refusal_of(login, token)


def test_a_token_for_somebody_else_is_refused(login: Login) -> None:
    token = login.mint.issue_for_app(login.application, order(audience="https://vault.azure.net"))
    assert "Invalid audience" in refusal_of(login, token)
    id_token = login.mint.issue_id_token(ALEX, login.application, ORIGIN, None)
    assert "Invalid audience" in refusal_of(login, id_token)
    vouching = KEYS.sign({"aud": "https://graph.microsoft.com", "tid": TENANT, "uti": "x", "exp": 2**40})
    assert "Invalid audience" in refusal_of(login, vouching)  # as a validation token is


def test_an_assertion_may_name_any_number_as_its_end(login: Login) -> None:
    assertion = jwt.encode({"iss": "app", "exp": 10**400}, "k" * 32, algorithm="HS256")
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    answer = login.token(
        grant_type="client_credentials", client_assertion=assertion, client_assertion_type=kind
    )
    assert answer.body["error_codes"] == [700024]


def test_revoking_strikes_one_subject_and_only_what_was_issued_before(login: Login) -> None:
    app = login.mint.issue_for_app(login.application, order())
    person = login.mint.issue_for_person(ALEX, login.application, order())
    login.mint.revoke("principal")
    assert "revoked" in refusal_of(login, app)
    login.mint.read_bearer(f"Bearer {person}", ORIGIN)
    login.mint.read_bearer(f"Bearer {login.mint.issue_for_app(login.application, order())}", ORIGIN)


def test_old_keys_are_forgotten_after_some_rotations() -> None:
    ring = KeyRing()
    token = ring.sign({"a": 1})
    for _ in range(KEYS_SHOWN_MAX - 1):
        ring.rotate()
    assert ring.read(token) == {"a": 1}
    ring.rotate()
    with pytest.raises(jwt.InvalidSignatureError):
        ring.read(token)
    assert len(ring.build_jwks()["keys"]) == KEYS_SHOWN_MAX
