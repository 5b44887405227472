"""Who is the client at the token endpoint: secret, certificate assertion or federated assertion. No I/O.

Must never take an assertion whose audience, time or signature was not checked.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote_plus

import jwt

from service.sandbox.entra_wire import EntraFault, EntraRequest
from service.sandbox.keys import KeyRing
from service.sandbox.registration import Application

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SKEW_S = 300
_UNJUDGED = {"verify_signature": False}


class ClientAuthentication:
    """Tells whether a request to the token endpoint is the registered application's."""

    def __init__(self, *, application: Application, now: Callable[[], datetime]) -> None:
        """Take the clock by which outside programs date their assertions: the machine's."""
        self._application = application
        self._now = now

    @cached_property
    def federation_keys(self) -> KeyRing:
        """The keys of the trusted issuer, made when somebody first asks for an assertion."""
        return KeyRing()

    def identify(self, request: EntraRequest) -> Application:
        """Find the application that `client_id` names; nothing is proved yet.

        Raises:
            EntraFault: no client id (AADSTS900144), or an unknown one (AADSTS700016).
        """
        client_id = request.form.get("client_id") or _read_basic(request.headers)[0]
        if not client_id:
            raise missing_parameter("client_id")
        if client_id.lower() != self._application.app_id.lower():
            raise EntraFault(
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id[:64]}' was not found in the directory 'Contoso'. "
                "This can happen if the application has not been installed by the administrator of the "
                "tenant or consented to by any user in the tenant. You may have sent your authentication "
                "request to the wrong tenant.",
            )
        return self._application

    def prove(self, request: EntraRequest, token_endpoints: frozenset[str]) -> Application:
        """Find the application, and check the credential that it shows.

        Args:
            token_endpoints: audiences that an assertion may be made for.

        Raises:
            EntraFault: `invalid_client` with the number that says what is wrong.
        """
        application = self.identify(request)
        form = request.form
        if "client_assertion" in form:
            self._check_assertion(form, token_endpoints)
        elif secret := form.get("client_secret") or _read_basic(request.headers)[1]:
            self._check_secret(secret)
        else:
            raise EntraFault(
                "invalid_client",
                7000218,
                "The request body must contain the following parameter: "
                "'client_assertion' or 'client_secret'.",
                status=401,
            )
        return application

    def _check_secret(self, secret: str) -> None:
        if not hmac.compare_digest(secret.encode(), self._application.secret.encode()):
            raise EntraFault(
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client "
                "secret value, not the client secret ID, for a secret added to app "
                f"'{self._application.app_id}'.",
                status=401,
            )

    def _check_assertion(self, form: Mapping[str, str], token_endpoints: frozenset[str]) -> None:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise missing_parameter("client_assertion_type")
        try:
            header = jwt.get_unverified_header(form["client_assertion"])
            claims = jwt.decode(form["client_assertion"], options=_UNJUDGED)  # type: ignore[arg-type]
        except jwt.InvalidTokenError as error:
            raise EntraFault("invalid_request", 50027, "JWT token is invalid or malformed.") from error
        self._check_times(claims)
        if claims.get("iss") == self._application.app_id:
            self._check_certificate(form["client_assertion"], header, claims, token_endpoints)
        else:
            self._check_federated(form["client_assertion"], claims)

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._now().timestamp()
        try:
            is_current = float(claims.get("nbf", 0)) - ASSERTION_SKEW_S <= now < float(claims["exp"])
        except (KeyError, TypeError, ValueError, OverflowError):
            is_current = False
        if not is_current:
            raise _refuse_client(700024, "Client assertion is not within its valid time range.")

    def _check_certificate(
        self,
        assertion: str,
        header: Mapping[str, Any],
        claims: Mapping[str, Any],
        token_endpoints: frozenset[str],
    ) -> None:
        """Check an assertion signed with the key of a registered certificate.

        Source: https://learn.microsoft.com/entra/identity-platform/certificate-credentials
        """
        if claims.get("sub") != self._application.app_id:
            raise _refuse_client(
                700021, "Client assertion application identifier does not match 'client_id'."
            )
        if str(claims.get("aud")) not in token_endpoints:
            raise _refuse_client(700023, "Client assertion audience claim does not match Realm issuer.")
        thumbprint = str(header.get("x5t#S256") or header.get("x5t") or "").rstrip("=")  # MSAL pads it
        certificate = self._application.certificates.get(thumbprint)
        algorithm = header.get("alg")
        if certificate is None or algorithm not in ("RS256", "PS256"):
            reason = "The key was not found." if certificate is None else "The algorithm is not supported."
            raise _refuse_signature(reason, thumbprint)
        try:
            jwt.decode(
                assertion,
                certificate.public_key(),  # type: ignore[arg-type]
                algorithms=[str(algorithm)],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, TypeError) as error:
            raise _refuse_signature("The key used is not the registered one.", thumbprint) from error

    def _check_federated(self, assertion: str, claims: Mapping[str, Any]) -> None:
        """Check an assertion of an issuer that the application trusts in place of a secret.

        Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation
        """
        trusted = [known for known in self._application.federated if known.issuer == claims.get("iss")]
        if not trusted:
            raise _refuse_client(
                700211,
                "No matching federated identity record found for presented assertion issuer "
                f"'{claims.get('iss')}'.",
            )
        trusted = [known for known in trusted if known.subject == claims.get("sub")]
        if not trusted:
            raise _refuse_client(
                700213,
                "No matching federated identity record found for presented assertion subject "
                f"'{claims.get('sub')}'.",
            )
        audiences = claims.get("aud") if isinstance(claims.get("aud"), list) else [claims.get("aud")]
        if not any(known.audience in audiences for known in trusted):  # type: ignore[operator]
            raise _refuse_client(
                700212, "No matching federated identity record found for presented assertion audience."
            )
        try:
            self.federation_keys.read(assertion)
        except jwt.InvalidTokenError as error:
            raise _refuse_client(50013, "Assertion failed signature validation.") from error


def missing_parameter(name: str) -> EntraFault:
    """Give the refusal of a request that lacks a parameter."""
    return EntraFault(
        "invalid_request", 900144, f"The request body must contain the following parameter: '{name}'."
    )


def _refuse_client(number: int, message: str) -> EntraFault:
    return EntraFault("invalid_client", number, message, status=401)


def _refuse_signature(reason: str, thumbprint: str) -> EntraFault:
    return _refuse_client(
        700027,
        f"The certificate with identifier used to sign the client assertion is not valid. "
        f"[Reason - {reason}, Thumbprint of key used by client: '{thumbprint[:64]}']",
    )


def _read_basic(headers: Mapping[str, str]) -> tuple[str, str]:
    """Read a client id and secret from HTTP Basic; two empty texts where there are none."""
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        client_id, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)
