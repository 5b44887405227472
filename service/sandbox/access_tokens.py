"""Access tokens and id tokens: what is in them, and which of them Graph takes.

Must never judge a signature by anything but our own keys. Tokens live by the clock of the machine, which
`POST /clock` does not move: whoever holds or checks one has no other.
"""

from __future__ import annotations

import secrets
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from service.sandbox.discovery import build_issuer
from service.sandbox.keys import KeyRing
from service.sandbox.registration import GRAPH_APP_ID, GRAPH_ROOTS, Application
from service.sandbox.wire import Caller, GraphFault, SandboxClock

SKEW_S = 300  # Entra dates its tokens five minutes back
_AUDIENCES = frozenset({GRAPH_APP_ID, *GRAPH_ROOTS, *(f"{root}/" for root in GRAPH_ROOTS)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of the tenant as tokens name them."""

    id: str
    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a token is asked for.

    Attributes:
        audience: the resource, such as `https://graph.microsoft.com`.
        permissions: `roles` of an application, `scp` of a person.
        origin: where the caller reached Entra; part of the issuer.
        capabilities: `xms_cc`, such as `("cp1",)`.
    """

    audience: str
    permissions: frozenset[str]
    origin: str
    capabilities: tuple[str, ...] = ()


class TokenMint:
    """Issues tokens and reads them back."""

    def __init__(self, *, keys: KeyRing, clock: SandboxClock, tenant_id: str, lifetime_s: int = 3600) -> None:
        self._keys = keys
        self._clock = clock
        self._count = 0
        self._revoked: dict[str, int] = {}
        self.tenant_id = tenant_id
        self.lifetime_s = lifetime_s

    def build_issuer(self, origin: str) -> str:
        """Give the issuer that the discovery document at that origin names."""
        return build_issuer(origin, self.tenant_id)

    def issue_for_app(self, application: Application, order: Order) -> str:
        """Give an application's token (`idtyp` app, permissions in `roles`)."""
        return self._sign(order, self.lifetime_s, {
            "azp": application.app_id,
            "appid": application.app_id,
            "azpacr": "1",
            "idtyp": "app",
            "oid": application.object_id,
            "sub": application.object_id,
            "roles": sorted(order.permissions),
        })  # fmt: skip

    def issue_for_person(
        self, person: Person, application: Application, order: Order, *, lifetime_s: int | None = None
    ) -> str:
        """Give a person's token (`idtyp` user, permissions in `scp`)."""
        return self._sign(order, lifetime_s or self.lifetime_s, {
            "azp": application.app_id,
            "appid": application.app_id,
            "azpacr": "0",
            "idtyp": "user",
            "oid": person.id,
            "sub": person.id,
            "scp": " ".join(sorted(order.permissions)),
            "name": person.name,
            "upn": person.address,
            "unique_name": person.address,
            "preferred_username": person.address,
        })  # fmt: skip

    def issue_id_token(self, person: Person, application: Application, origin: str, nonce: str | None) -> str:
        """Give the id token of a sign-in.

        Source: https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference
        """
        claims = {
            "oid": person.id,
            "sub": person.id,
            "name": person.name,
            "preferred_username": person.address,
            **({} if nonce is None else {"nonce": nonce}),
        }
        order = Order(audience=application.app_id, permissions=frozenset(), origin=origin)
        return self._sign(order, self.lifetime_s, claims)

    def revoke(self, subject: str) -> None:
        """Refuse every token issued so far for this object id, as continuous access evaluation does."""
        self._revoked[subject] = self._count

    def read_bearer(self, authorization: str | None, origin: str) -> Caller:
        """Tell who calls Graph.

        Args:
            authorization: the header as it came; None where there was none.
            origin: for the challenge of a refusal.

        Raises:
            GraphFault: 401 with `WWW-Authenticate`.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise build_challenge(origin, "Access token is empty.")
        try:
            claims = self._keys.read(token.strip())
        except jwt.InvalidTokenError as error:
            raise build_challenge(origin, "Access token validation failure. Invalid signature.") from error
        self._judge(claims, origin)
        is_app = claims.get("idtyp") == "app"
        return Caller(
            user_id=None if is_app else str(claims["oid"]),
            app_id=str(claims["azp"]),
            permissions=frozenset(claims["roles"] if is_app else str(claims["scp"]).split()),
            authority=str(claims["iss"]),
        )

    def _judge(self, claims: Mapping[str, Any], origin: str) -> None:
        is_access = claims.get("idtyp") in ("app", "user")  # our keys sign id and validation tokens, too
        if not is_access or claims.get("aud") not in _AUDIENCES or claims.get("tid") != self.tenant_id:
            raise build_challenge(origin, "Access token validation failure. Invalid audience.")
        if claims["exp"] <= self._clock.machine_now().timestamp():
            raise build_challenge(origin, "Lifetime validation failed, the token is expired.")
        if _read_number(claims) <= self._revoked.get(str(claims["oid"]), 0):
            raise self._build_revocation(claims, origin)

    def _build_revocation(self, claims: Mapping[str, Any], origin: str) -> GraphFault:
        """Challenge a client that can answer (capability cp1); refuse any other plainly.

        Source: https://learn.microsoft.com/entra/identity-platform/claims-challenge
        """
        if "cp1" not in [str(item).lower() for item in claims.get("xms_cc", ())]:
            return build_challenge(origin, "Access token has been revoked.")
        wanted = int(self._clock.machine_now().timestamp())
        return build_challenge(
            origin,
            "Continuous access evaluation resulted in challenge with result: InteractionRequired "
            "and code: TokenIssuedBeforeRevocationTimestamp",
            claims=f'{{"access_token":{{"nbf":{{"essential":true,"value":"{wanted}"}}}}}}',
        )

    def _sign(self, order: Order, lifetime_s: int, claims: Mapping[str, Any]) -> str:
        self._count += 1
        now_s = int(self._clock.machine_now().timestamp())
        return self._keys.sign({
            "aud": order.audience,
            "iss": self.build_issuer(order.origin),
            "iat": now_s - SKEW_S,
            "nbf": now_s - SKEW_S,
            "exp": now_s + lifetime_s,
            "tid": self.tenant_id,
            "uti": _build_uti(self._count),
            "ver": "2.0",
            **({"xms_cc": list(order.capabilities)} if order.capabilities else {}),
            **claims,
        })  # fmt: skip


def build_challenge(origin: str, message: str, *, claims: str | None = None) -> GraphFault:
    """Give the 401 that sends a client back to Entra, with a claims challenge if there is one."""
    challenge = (
        f'Bearer realm="", authorization_uri="{origin}/common/oauth2/authorize", client_id="{GRAPH_APP_ID}"'
    )
    if claims is not None:
        encoded = b64encode(claims.encode()).decode()
        challenge += f', error="insufficient_claims", claims="{encoded}"'
    return GraphFault(401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": challenge})


def _build_uti(number: int) -> str:
    return urlsafe_b64encode(number.to_bytes(8, "big") + secrets.token_bytes(7)).decode()


def _read_number(claims: Mapping[str, Any]) -> int:
    return int.from_bytes(urlsafe_b64decode(str(claims["uti"]))[:8], "big")
