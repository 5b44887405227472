"""Entra ID for one tenant: discovery, keys, the token endpoint and its grants. No I/O.

Must never issue a token for a permission that was not consented to.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from service.sandbox.access_tokens import Order, Person, TokenMint
from service.sandbox.client_auth import ClientAuthentication, missing_parameter
from service.sandbox.discovery import (
    SHARED_TENANTS,
    describe_endpoints,
    describe_endpoints_v1,
    resolve_tenant,
)
from service.sandbox.entra_wire import EntraFault, EntraRequest, EntraResponse
from service.sandbox.grants import (
    CODE_LIFETIME,
    DEVICE_LIFETIME,
    AuthorizationCode,
    Grant,
    Grants,
)
from service.sandbox.keys import KeyRing
from service.sandbox.registration import GRAPH_ROOTS, Application
from service.sandbox.token_request import read_capabilities, read_resource, read_scopes, shows_credential
from service.sandbox.wire import SandboxClock

_DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"

FindPerson = Callable[[str], Person | None]
Flow = Callable[[EntraRequest], EntraResponse]


class Entra:
    """Answers requests to the login origin.

    Attributes:
        grants: what people granted; the control API approves device codes in it.
    """

    def __init__(
        self,
        *,
        mint: TokenMint,
        keys: KeyRing,
        application: Application,
        clock: SandboxClock,
        find_person: FindPerson,
    ) -> None:
        self._mint = mint
        self._keys = keys
        self._application = application
        self._clock = clock
        self._find_person = find_person
        self.clients = ClientAuthentication(application=application, now=clock.machine_now)
        self.grants = Grants()
        self._routes: dict[tuple[str, ...], tuple[str, Flow]] = {
            ("v2.0", ".well-known", "openid-configuration"): ("GET", self._show_discovery),
            (".well-known", "openid-configuration"): ("GET", self._show_discovery_v1),
            ("discovery", "v2.0", "keys"): ("GET", self._show_keys),
            ("discovery", "keys"): ("GET", self._show_keys),
            ("oauth2", "v2.0", "token"): ("POST", self._issue),
            ("oauth2", "v2.0", "devicecode"): ("POST", self._open_device),
            ("oauth2", "v2.0", "authorize"): ("GET", self._authorize),
        }
        self._flows: dict[str, Flow] = {
            "client_credentials": self._issue_for_app,
            "refresh_token": self._refresh,
            "authorization_code": self._redeem_code,
            _DEVICE_GRANT: self._poll_device,
        }

    def answer(self, request: EntraRequest) -> EntraResponse:
        """Answer a request; a refusal becomes an error in Entra's shape, never an exception."""
        try:
            return self._find(request)(request)
        except EntraFault as fault:
            return fault.build_response(self._clock.machine_now(), request.origin)

    def keep_refresh_token(self, person: Person, scopes: frozenset[str]) -> str:
        """Give a refresh token as if that person had signed in with the application's credential."""
        grant = Grant(person=person, scopes=scopes, is_public=False, expires_at=self._clock.machine_now())
        return self.grants.keep_refresh(grant, self._clock.machine_now())

    def _find(self, request: EntraRequest) -> Flow:
        route = self._routes.get(request.segments[1:])
        if route is None:
            raise EntraFault("invalid_request", 90015, "The requested path is not served.", status=404)
        self._resolve_tenant(request)
        method, flow = route
        if request.method != method:
            raise EntraFault(
                "invalid_request",
                900561,
                f"The endpoint only accepts {method} requests. Received a {request.method} request.",
            )
        return flow

    def _resolve_tenant(self, request: EntraRequest) -> str:
        return resolve_tenant(request.segments[0], self._mint.tenant_id)

    def _show_discovery(self, request: EntraRequest) -> EntraResponse:
        return EntraResponse(body=describe_endpoints(request.origin, self._resolve_tenant(request)))

    def _show_discovery_v1(self, request: EntraRequest) -> EntraResponse:
        return EntraResponse(body=describe_endpoints_v1(request.origin, self._resolve_tenant(request)))

    def _show_keys(self, request: EntraRequest) -> EntraResponse:
        return EntraResponse(body=self._keys.build_jwks())

    # --- the token endpoint ---

    def _issue(self, request: EntraRequest) -> EntraResponse:
        grant_type = request.form.get("grant_type")
        if not grant_type:
            raise missing_parameter("grant_type")
        flow = self._flows.get(grant_type)
        if flow is None:
            raise EntraFault(
                "unsupported_grant_type",
                70003,
                f"The app requested an unsupported grant type '{grant_type[:64]}'.",
            )
        return flow(request)

    def _issue_for_app(self, request: EntraRequest) -> EntraResponse:
        if self._resolve_tenant(request) in SHARED_TENANTS:
            raise EntraFault(
                "invalid_request",
                50059,
                "No tenant-identifying information found in either the request or implied by any provided "
                "credentials.",
            )
        application = self.clients.prove(request, self._token_endpoints(request))
        audience = read_resource(request.form.get("scope", ""))
        order = Order(
            audience=audience,
            permissions=application.roles,
            origin=request.origin,
            capabilities=read_capabilities(request.form.get("claims")),
        )
        return EntraResponse(body=self._describe_token(self._mint.issue_for_app(application, order)))

    def _refresh(self, request: EntraRequest) -> EntraResponse:
        token = request.form.get("refresh_token")
        if not token:
            raise missing_parameter("refresh_token")
        self.clients.identify(request)
        try:
            grant = self.grants.find_refresh(token, self._clock.machine_now())
        except EntraFault:
            if shows_credential(request):
                self.clients.prove(request, self._token_endpoints(request))
            raise
        if not grant.is_public:
            self.clients.prove(request, self._token_endpoints(request))
        return self._issue_for_person(request, grant)

    def _redeem_code(self, request: EntraRequest) -> EntraResponse:
        form = request.form
        if shows_credential(request):
            self.clients.prove(request, self._token_endpoints(request))
        self.clients.identify(request)
        grant = self.grants.redeem_code(
            form.get("code", ""),
            redirect_uri=form.get("redirect_uri", ""),
            verifier=form.get("code_verifier"),
            now=self._clock.machine_now(),
        )
        if not grant.is_public and not shows_credential(request):
            self.clients.prove(request, self._token_endpoints(request))
        return self._issue_for_person(request, grant)

    def _poll_device(self, request: EntraRequest) -> EntraResponse:
        self.clients.identify(request)
        grant = self.grants.poll_device(request.form.get("device_code", ""), self._clock.machine_now())
        return self._issue_for_person(request, grant)

    def _issue_for_person(self, request: EntraRequest, grant: Grant) -> EntraResponse:
        asked = request.form.get("scope")
        scopes = grant.scopes if not asked else read_scopes(asked, self._application) or grant.scopes
        order = Order(
            audience=GRAPH_ROOTS[0],
            permissions=scopes,
            origin=request.origin,
            capabilities=read_capabilities(request.form.get("claims")),
        )
        access = self._mint.issue_for_person(grant.person, self._application, order)
        body = self._describe_token(access) | {
            "scope": " ".join(f"{GRAPH_ROOTS[0]}/{scope}" for scope in sorted(scopes)),
            "refresh_token": self.grants.keep_refresh(grant, self._clock.machine_now()),
            "id_token": self._mint.issue_id_token(
                grant.person, self._application, request.origin, grant.nonce
            ),
        }
        if request.form.get("client_info") == "1":
            body["client_info"] = self._describe_client(grant.person)
        return EntraResponse(body=body)

    def _describe_token(self, access_token: str) -> dict[str, Any]:
        lifetime_s = self._mint.lifetime_s - 1  # Entra counts the second that the answer takes
        return {
            "token_type": "Bearer",
            "expires_in": lifetime_s,
            "ext_expires_in": lifetime_s,
            "access_token": access_token,
        }

    def _describe_client(self, person: Person) -> str:
        told = json.dumps({"uid": person.id, "utid": self._mint.tenant_id}).encode()
        return urlsafe_b64encode(told).rstrip(b"=").decode()

    def _token_endpoints(self, request: EntraRequest) -> frozenset[str]:
        tenants = {request.segments[0], self._mint.tenant_id}
        return frozenset(f"{request.origin}/{tenant}/oauth2/v2.0/token" for tenant in tenants)

    # --- people signing in ---

    def _open_device(self, request: EntraRequest) -> EntraResponse:
        self.clients.identify(request)
        name, device = self.grants.open_device(
            read_scopes(request.form.get("scope", ""), self._application), self._clock.machine_now()
        )
        page = f"{request.origin}/common/oauth2/deviceauth"
        return EntraResponse(body={
            "user_code": device.user_code,
            "device_code": name,
            "verification_uri": page,
            "expires_in": int(DEVICE_LIFETIME.total_seconds()),
            "interval": self.grants.device_interval_s,
            "message": f"To sign in, use a web browser to open the page {page} and enter the code "
            f"{device.user_code} to authenticate.",
        })  # fmt: skip

    def _authorize(self, request: EntraRequest) -> EntraResponse:
        """Sign in the person whom `login_hint` names, without asking, and send them back with a code."""
        form = request.form
        self.clients.identify(request)
        person = self._find_person(form.get("login_hint", ""))
        is_whole = form.get("response_type") == "code" and _is_target(form.get("redirect_uri", ""))
        if not is_whole or person is None:
            raise EntraFault(
                "invalid_request",
                90014,
                "The sandbox signs people in by itself: it needs response_type=code, redirect_uri, and the "
                "address of a user of the tenant as login_hint.",
            )
        grant = Grant(
            person=person,
            scopes=read_scopes(form.get("scope", ""), self._application),
            is_public=False,
            expires_at=self._clock.machine_now() + CODE_LIFETIME,
            nonce=form.get("nonce"),
        )
        code = self.grants.keep_code(
            AuthorizationCode(
                grant=grant, redirect_uri=form["redirect_uri"], challenge=form.get("code_challenge")
            )
        )
        back = {"code": code, "state": form.get("state", ""), "session_state": self._mint.tenant_id}
        joint = "&" if "?" in form["redirect_uri"] else "?"
        return EntraResponse(
            status=302, headers={"Location": f"{form['redirect_uri']}{joint}{urlencode(back)}"}
        )


def _is_target(redirect_uri: str) -> bool:
    """Tell whether a browser could be sent there: a header holds no line break and nothing unprintable."""
    return bool(redirect_uri) and redirect_uri.isascii() and redirect_uri.isprintable()
