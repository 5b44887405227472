"""Reads what a client sends to create or change a subscription. Pure.

Must never ignore a member: what Graph would refuse is refused, in Graph's words where they are known.
"""

from __future__ import annotations

import base64
import ipaddress
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from service.sandbox.moments import parse_instant
from service.sandbox.subscription_resource import ResourcePath, check_rich, parse_resource
from service.sandbox.wire import GraphFault

CHANGE_TYPES: Final = ("created", "updated", "deleted")
CLIENT_STATE_MAX: Final = 128
CERTIFICATE_ID_MAX: Final = 128
RSA_BITS: Final = range(2048, 4097)
_TLS_VERSIONS: Final = frozenset({"v1_0", "v1_1", "v1_2", "v1_3"})
_REQUIRED: Final = ("changeType", "notificationUrl", "resource", "expirationDateTime")
_TEXTS: Final = frozenset({
    *_REQUIRED,
    "clientState",
    "encryptionCertificate",
    "encryptionCertificateId",
    "latestSupportedTlsVersion",
    "lifecycleNotificationUrl",
    "notificationUrlAppId",
})  # fmt: skip
_READ_ONLY: Final = frozenset({"id", "applicationId", "creatorId"})
_ELSEWHERE: Final = frozenset({
    "notificationQueryOptions",
    "vapidPublicKey",
    "webPushEncryptionP256dhPublicKey",
    "webPushEncryptionSecret",
})  # fmt: skip
_CHANGEABLE: Final = frozenset({"expirationDateTime", "encryptionCertificate", "encryptionCertificateId"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKey:
    """The certificate for resource data, and the client's own name for it."""

    certificate: x509.Certificate
    certificate_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """A subscription that a client asks for.

    Attributes:
        resource: as it was spelt.
        change_types: in Graph's order, each once.
        encryption: set where resource data is asked for.
    """

    resource: str
    path: ResourcePath
    change_types: tuple[str, ...]
    notification_url: str
    lifecycle_url: str | None
    client_state: str | None
    expires_at: datetime
    encryption: EncryptionKey | None
    tls_version: str
    audience: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What a PATCH changes; at least one member is set."""

    expires_at: datetime | None
    encryption: EncryptionKey | None


def refuse(message: str) -> GraphFault:
    """Give the subscription service's own refusal."""
    return GraphFault(400, "InvalidRequest", message)


def read_creation(body: Any) -> Creation:
    """Read the body of POST /subscriptions.

    Raises:
        GraphFault: 400.

    Source: https://learn.microsoft.com/graph/api/subscription-post-subscriptions
    """
    members = _read_members(body)
    for name in _REQUIRED:
        if not members.get(name):
            raise refuse(f"{name} is a required property for subscription creation.")
    path = parse_resource(members["resource"])
    encryption = _read_encryption(members)
    if members.get("includeResourceData"):
        if encryption is None:
            raise refuse("encryptionCertificate and encryptionCertificateId are required with resource data.")
        check_rich(path)
    elif encryption is not None:
        raise refuse("An encryption certificate may be given only with includeResourceData.")
    return Creation(
        resource=members["resource"],
        path=path,
        change_types=_read_change_types(members["changeType"]),
        notification_url=_check_url("notificationUrl", members["notificationUrl"]),
        lifecycle_url=_read_lifecycle_url(members),
        client_state=_read_client_state(members),
        expires_at=read_expiry(members["expirationDateTime"]),
        encryption=encryption,
        tls_version=_read_tls_version(members),
        audience=members.get("notificationUrlAppId"),
    )


def read_amendment(body: Any) -> Amendment:
    """Read the body of PATCH /subscriptions/{id}.

    Raises:
        GraphFault: 400: nothing to change, or something that cannot be changed.

    Source: https://learn.microsoft.com/graph/api/subscription-update
    """
    members = _read_members(body)
    given = {name for name, value in members.items() if value is not None}
    if fixed := sorted(given - _CHANGEABLE):
        raise refuse(f"The property '{fixed[0]}' of a subscription cannot be updated.")
    if not given:
        raise refuse("expirationDateTime is a required property for subscription renewal.")
    expiry = members.get("expirationDateTime")
    return Amendment(
        expires_at=None if expiry is None else read_expiry(expiry), encryption=_read_encryption(members)
    )


def read_expiry(text: str) -> datetime:
    """Read an expirationDateTime; an offset or `Z` is needed.

    Raises:
        GraphFault: 400.
    """
    try:
        return parse_instant(text, path="expirationDateTime")
    except GraphFault as fault:
        raise refuse(
            "Could not process subscription creation payload. Are all property names spelled and camelCased "
            "properly? Also are the DateTime values in UTC?"
        ) from fault


def _read_members(body: Any) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        raise refuse("The request must have a JSON body with a subscription.")
    members = {name: value for name, value in body.items() if "@odata." not in name}
    for name, value in members.items():
        _check_member(name, value)
    return members


def _check_member(name: str, value: Any) -> None:
    if name in _TEXTS:
        if value is not None and not isinstance(value, str):
            raise _refuse_type(name, "Edm.String")
    elif name == "includeResourceData":
        if value is not None and not isinstance(value, bool):
            raise _refuse_type(name, "Edm.Boolean")
    elif name in _READ_ONLY or name in _ELSEWHERE:
        if value is not None:
            raise refuse(f"The property '{name}' cannot be set on a subscription to this resource.")
    else:
        raise GraphFault(
            400,
            "BadRequest",
            f"The property '{name[:64]}' does not exist on type 'microsoft.graph.subscription'. "
            "Make sure to only use property names that are defined by the type.",
        )


def _refuse_type(name: str, type_name: str) -> GraphFault:
    return GraphFault(
        400,
        "BadRequest",
        f"Cannot convert the literal of property '{name}' to the expected type '{type_name}'.",
    )


def _read_change_types(text: str) -> tuple[str, ...]:
    asked = [word.strip().lower() for word in text.split(",")]
    if unknown := [word for word in asked if word not in CHANGE_TYPES]:
        raise refuse(f"The changeType '{unknown[0][:64]}' is not supported.")
    return tuple(word for word in CHANGE_TYPES if word in asked)


def _check_url(name: str, text: str) -> str:
    """Take https everywhere; http on loopback alone, which no real Graph would."""
    try:
        parts = urlsplit(text)
        is_good = bool(parts.hostname) and (parts.port is None or parts.port > 0) and "@" not in parts.netloc
    except ValueError as error:
        raise refuse(f"The {name} is not a valid URL.") from error
    if not is_good or not text.isascii() or any(letter.isspace() for letter in text) or parts.fragment:
        raise refuse(f"The {name} is not a valid absolute URL.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise refuse(f"The {name} must use the https scheme.")
    return text


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_lifecycle_url(members: Mapping[str, Any]) -> str | None:
    given = members.get("lifecycleNotificationUrl")
    return None if given is None else _check_url("lifecycleNotificationUrl", given)


def _read_client_state(members: Mapping[str, Any]) -> str | None:
    given = members.get("clientState")
    if given is not None and len(given) > CLIENT_STATE_MAX:
        raise refuse(f"The clientState may be at most {CLIENT_STATE_MAX} characters long.")
    return None if given is None else str(given)


def _read_tls_version(members: Mapping[str, Any]) -> str:
    version = members.get("latestSupportedTlsVersion") or "v1_2"
    if version not in _TLS_VERSIONS:
        raise refuse("latestSupportedTlsVersion must be one of v1_0, v1_1, v1_2 and v1_3.")
    return str(version)


def _read_encryption(members: Mapping[str, Any]) -> EncryptionKey | None:
    """Read the certificate: base64 of DER, RSA of 2048 to 4096 bits; its issuer and dates do not matter."""
    encoded = members.get("encryptionCertificate")
    certificate_id = members.get("encryptionCertificateId")
    if not encoded and not certificate_id:
        return None
    if not encoded or not certificate_id or len(certificate_id) > CERTIFICATE_ID_MAX:
        raise refuse(
            "encryptionCertificate and encryptionCertificateId belong together; the id has at most "
            f"{CERTIFICATE_ID_MAX} characters."
        )
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(encoded, validate=True))
    except (ValueError, Base64Error) as error:
        raise refuse("The encryptionCertificate is not a base64-encoded X.509 certificate.") from error
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size not in RSA_BITS:
        raise refuse("The encryptionCertificate must hold an RSA key of 2048 to 4096 bits.")
    return EncryptionKey(certificate=certificate, certificate_id=str(certificate_id))
