"""Validation tokens: who says that resource data comes from Graph. Judges texts and claims. Pure.

Only RS256 is taken, whatever a token says of itself, and only keys that the authority shows. Times are
compared with the instant of arrival, so that a backlog does not turn good tokens into bad ones.

Source: https://learn.microsoft.com/graph/change-notifications-with-resource-data#validation-tokens-in-the-change-notification
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from service.errors import ForgedError

ALGORITHM: Final = "RS256"
TENANT_PLACE: Final = "{tenantid}"
_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEY_ID_CHARS_MAX: Final = 200
_UNJUDGED: Final = {
    f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
}  # judged below, by our rules


class Forgery(StrEnum):
    """Why a token vouches for nothing. Closed: each is a label of a metric."""

    MALFORMED = "malformed"
    OTHER_ALGORITHM = "other_algorithm"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SIGNATURE = "wrong_signature"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_PUBLISHER = "wrong_publisher"
    NOT_IN_TIME = "not_in_time"
    OTHER_TENANT = "other_tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuers:
    """Who signs tokens for the tenant that is served.

    Attributes:
        tenant: object id of the tenant, lower case.
        v1, v2: the issuer of tokens of either version.
    """

    tenant: str
    v1: str
    v2: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What a token must say.

    Attributes:
        audience: our application's id.
        publisher: application id of Graph's own change tracking.
        skew_s: by how much the clock of the authority may differ from ours.
    """

    audience: str
    publisher: str
    skew_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """A token whose signature and claims are good, but for its times.

    Attributes:
        tenant: for whose items it vouches.
        begins_s, ends_s: Unix time.
    """

    tenant: str
    begins_s: float
    ends_s: float

    def covers(self, arrived_at: datetime, skew_s: float) -> bool:
        """Tell whether it was good at that instant."""
        at_s = arrived_at.timestamp()
        return self.begins_s - skew_s <= at_s <= self.ends_s + skew_s


def read_key_id(token: str) -> str:
    """Give the id of the key that signed a token; nothing is believed yet.

    Raises:
        ForgedError: the reason is a `Forgery`: it is no JWT, or is signed in another way than Graph signs.
    """
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise ForgedError(Forgery.MALFORMED) from error
    if header.get("alg") != ALGORITHM or "crit" in header or "b64" in header:
        raise ForgedError(Forgery.OTHER_ALGORITHM)
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= _KEY_ID_CHARS_MAX:
        raise ForgedError(Forgery.MALFORMED)
    return key_id


def judge_token(token: str, key: rsa.RSAPublicKey, issuers: Issuers, rules: TokenRules) -> Vouched:
    """Check signature and claims; the times are for `Vouched.covers`.

    Raises:
        ForgedError: it vouches for nothing; the reason is a `Forgery`.
    """
    claims = _verify(token, key)
    _judge_issuer(claims, issuers)
    if claims.get("aud") != rules.audience:
        raise ForgedError(Forgery.WRONG_AUDIENCE)
    publisher = claims.get("appid" if claims["ver"] == "1.0" else "azp")
    if publisher != rules.publisher:
        raise ForgedError(Forgery.WRONG_PUBLISHER)
    return Vouched(tenant=issuers.tenant, begins_s=_seconds(claims, "nbf"), ends_s=_seconds(claims, "exp"))


def find_tenant(issuer: str) -> str:
    """Give the tenant that an issuer names; empty where it names none, as those for all tenants do."""
    found = _GUID.search(issuer.lower())
    return found[0] if found else ""


def _verify(token: str, key: rsa.RSAPublicKey) -> Mapping[str, Any]:
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            options=_UNJUDGED,  # type: ignore[arg-type]
        )
    except jwt.InvalidSignatureError as error:
        raise ForgedError(Forgery.WRONG_SIGNATURE) from error
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise ForgedError(Forgery.MALFORMED) from error
    return claims


def _judge_issuer(claims: Mapping[str, Any], issuers: Issuers) -> None:
    """Check that the tenant's own issuer of the token's version made it.

    Source: https://learn.microsoft.com/entra/identity-platform/access-tokens#token-formats
    """
    expected = {"1.0": issuers.v1, "2.0": issuers.v2}.get(str(claims.get("ver")))
    if expected is None or claims.get("iss") != expected:
        raise ForgedError(Forgery.WRONG_ISSUER)
    tenant = claims.get("tid")
    if not isinstance(tenant, str) or tenant.lower() != issuers.tenant:
        raise ForgedError(Forgery.OTHER_TENANT)


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e11:
        raise ForgedError(Forgery.MALFORMED)
    return float(value)
