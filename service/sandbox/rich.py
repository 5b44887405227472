"""Resource data: annotated in full, encrypted for the subscriber, vouched for by validation tokens. No I/O.

Must never use a symmetric key twice.
Source: https://learn.microsoft.com/graph/change-notifications-with-resource-data
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import timedelta
from random import Random
from typing import Any, Final, Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from service.sandbox.access_tokens import SKEW_S
from service.sandbox.discovery import build_issuer_v1
from service.sandbox.keys import KeyRing
from service.sandbox.notifications import Recipient
from service.sandbox.schema import Member, members_of
from service.sandbox.schema_types import ENUMS, SHAPES
from service.sandbox.subscription_request import EncryptionKey
from service.sandbox.wire import SandboxClock

PUBLISHER: Final = "0bf30f3b-4a52-48df-9a82-234910c4a086"
"""Application id of Microsoft Graph Change Tracking."""
TOKEN_LIFETIME: Final = timedelta(hours=1)
TOKEN_REUSE: Final = timedelta(minutes=5)
KEY_BYTES: Final = 32
_SIGNED_MAX: Final = 1_000
_PLAIN: Final = frozenset({"String", "Boolean"})
TokenVersion = Literal["1.0", "2.0"]


def encrypt(resource: Mapping[str, Any], key: EncryptionKey) -> dict[str, str]:
    """Give `encryptedContent`: AES-256-CBC under a fresh key, which travels under RSA-OAEP with SHA-1.

    The signature is an HMAC of the ciphertext; the initialization vector is the first half of the key.
    """
    public_key = key.certificate.public_key()
    assert isinstance(public_key, rsa.RSAPublicKey)  # checked when the subscription was made
    symmetric = secrets.token_bytes(KEY_BYTES)
    padder = PKCS7(128).padder()
    plain = padder.update(json.dumps(resource, ensure_ascii=False).encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(symmetric), modes.CBC(symmetric[:16])).encryptor()
    data = encryptor.update(plain) + encryptor.finalize()
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303
    der = key.certificate.public_bytes(serialization.Encoding.DER)
    return {
        "data": b64encode(data).decode(),
        "dataKey": b64encode(public_key.encrypt(symmetric, oaep)).decode(),
        "dataSignature": b64encode(hmac.new(symmetric, data, "sha256").digest()).decode(),
        "encryptionCertificateId": key.certificate_id,
        "encryptionCertificateThumbprint": hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(),
    }


def annotate(resource: Mapping[str, Any], type_name: str) -> dict[str, Any]:
    """Give a resource with the annotations of full metadata, for every member whose type JSON does not show.

    Source: https://learn.microsoft.com/graph/outlook-change-notifications-overview
    """
    members = members_of(type_name)
    annotated: dict[str, Any] = {}
    for name, value in resource.items():
        member = members.get(name)
        if member is None:
            annotated[name] = value
            continue
        label = _label(member)
        if label is not None:
            annotated[f"{name}@odata.type"] = label
        annotated[name] = _annotate_value(value, member)
    return annotated


def _label(member: Member) -> str | None:
    """Name the type beside the member: primitives and enums always, entities and complex values inside."""
    name = member.type
    if member.type in SHAPES or member.type in ENUMS:
        name = f"microsoft.graph.{member.type}"
    if member.is_collection:
        return f"#Collection({name})"
    return None if member.type in _PLAIN or member.type in SHAPES else f"#{name}"


def _annotate_value(value: Any, member: Member) -> Any:
    if member.type not in SHAPES:
        return value
    if isinstance(value, list):
        return [_annotate_value(item, member) for item in value]
    if isinstance(value, Mapping):
        return {"@odata.type": f"#microsoft.graph.{member.type}"} | annotate(value, member.type)
    return value


class ValidationTokens:
    """Signs the tokens that go along with resource data, one for each recipient."""

    def __init__(
        self,
        *,
        keys: KeyRing,
        clock: SandboxClock,
        tenant_id: str,
        random: Random,
        version: TokenVersion | None = None,
    ) -> None:
        """Take the version of the tokens; None leaves it to chance, as a subscriber must take both."""
        self._keys = keys
        self._clock = clock
        self._tenant_id = tenant_id
        self._random = random
        self._version = version
        self._signed: dict[Recipient, tuple[float, str]] = {}

    def sign_for(self, recipients: Iterable[Recipient]) -> list[str]:
        """Give a token for each; one is used again for some minutes."""
        return [self._sign_for(recipient) for recipient in recipients]

    def forget(self) -> None:
        """Sign anew next time: the keys have changed."""
        self._signed.clear()

    def _sign_for(self, recipient: Recipient) -> str:
        now_s = self._clock.machine_now().timestamp()
        kept = self._signed.get(recipient)
        if kept is None or kept[0] + TOKEN_REUSE.total_seconds() <= now_s:
            kept = (now_s, self._keys.sign(self._build_claims(recipient, int(now_s))))
            if len(self._signed) >= _SIGNED_MAX:  # subscribers name their audiences as they like
                self._signed.clear()
            self._signed[recipient] = kept
        return kept[1]

    def _build_claims(self, recipient: Recipient, now_s: int) -> dict[str, Any]:
        version = self._version or self._random.choice(("1.0", "2.0"))
        issuer = build_issuer_v1(self._tenant_id) if version == "1.0" else recipient.authority
        publisher = (
            {"appid": PUBLISHER, "appidacr": "2"} if version == "1.0" else {"azp": PUBLISHER, "azpacr": "2"}
        )
        return {
            "aud": recipient.audience,
            "iss": issuer,
            "iat": now_s - SKEW_S,
            "nbf": now_s - SKEW_S,
            "exp": now_s + int(TOKEN_LIFETIME.total_seconds()),
            **publisher,
            "idp": build_issuer_v1(self._tenant_id),
            "tid": self._tenant_id,
            "uti": b64encode(self._random.randbytes(15)).decode(),
            "ver": version,
        }
