"""A publisher and a reader of rich notifications, written from Microsoft's description alone.

RSA, OAEP and the signature of tokens are done by hand over whole numbers, so that no choice of a library
(which hash, which mask) is shared with what is tested. Must never import the service or the sandbox.

Source: https://learn.microsoft.com/graph/change-notifications-with-resource-data, RFC 8017, RFC 7515
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding

SHA1_BYTES = 20
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
PUBLISHER = "0bf30f3b-4a52-48df-9a82-234910c4a086"


# --- RSA, by hand ---


def apply_public(number: int, numbers: rsa.RSAPublicNumbers) -> int:
    return pow(number, numbers.e, numbers.n)


def apply_private(number: int, key: rsa.RSAPrivateKey) -> int:
    private = key.private_numbers()
    return pow(number, private.d, private.public_numbers.n)


def mask(seed: bytes, length: int) -> bytes:
    """MGF1 with SHA-1."""
    blocks = (
        hashlib.sha1(seed + counter.to_bytes(4, "big")).digest()
        for counter in range(length // SHA1_BYTES + 1)
    )
    return b"".join(blocks)[:length]


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def wrap_key(symmetric_key: bytes, numbers: rsa.RSAPublicNumbers) -> bytes:
    """Encrypt with OAEP: SHA-1 for the label and for the mask."""
    size = (numbers.n.bit_length() + 7) // 8
    padding = bytes(size - len(symmetric_key) - 2 * SHA1_BYTES - 2)
    block = hashlib.sha1(b"").digest() + padding + b"\x01" + symmetric_key
    seed = os.urandom(SHA1_BYTES)
    masked_block = xor(block, mask(seed, len(block)))
    masked_seed = xor(seed, mask(masked_block, SHA1_BYTES))
    whole = int.from_bytes(b"\x00" + masked_seed + masked_block, "big")
    return apply_public(whole, numbers).to_bytes(size, "big")


def unwrap_key(wrapped: bytes, key: rsa.RSAPrivateKey) -> bytes:
    size = key.key_size // 8
    whole = apply_private(int.from_bytes(wrapped, "big"), key).to_bytes(size, "big")
    assert whole[0] == 0
    masked_seed, masked_block = whole[1 : 1 + SHA1_BYTES], whole[1 + SHA1_BYTES :]
    seed = xor(masked_seed, mask(masked_block, SHA1_BYTES))
    block = xor(masked_block, mask(seed, len(masked_block)))
    assert block[:SHA1_BYTES] == hashlib.sha1(b"").digest()
    padding, _, symmetric_key = block[SHA1_BYTES:].partition(b"\x01")
    assert not any(padding)
    return symmetric_key


# --- Resource data ---


def encrypt_resource(
    resource: Mapping[str, Any] | bytes, certificate_der: bytes, certificate_id: str
) -> dict[str, str]:
    """Give `encryptedContent` as Graph makes it."""
    certificate = x509.load_der_x509_certificate(certificate_der)
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    plain = resource if isinstance(resource, bytes) else json.dumps(resource, ensure_ascii=False).encode()
    symmetric_key = os.urandom(32)
    data = seal(plain, symmetric_key)
    return {
        "data": b64encode(data).decode(),
        "dataKey": b64encode(wrap_key(symmetric_key, public.public_numbers())).decode(),
        "dataSignature": b64encode(hmac.new(symmetric_key, data, hashlib.sha256).digest()).decode(),
        "encryptionCertificateId": certificate_id,
        "encryptionCertificateThumbprint": hashlib.sha1(certificate_der).hexdigest().upper(),
    }


def seal(plain: bytes, symmetric_key: bytes, *, padding: bytes | None = None) -> bytes:
    """AES-256-CBC with PKCS #7, unless another padding is given; the key's first half begins the chain."""
    count = 16 - len(plain) % 16
    padded = plain + (bytes([count]) * count if padding is None else padding)
    encryptor = Cipher(algorithms.AES(symmetric_key), modes.CBC(symmetric_key[:16])).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def decrypt_resource(content: Mapping[str, str], key: rsa.RSAPrivateKey) -> Any:
    """Open `encryptedContent` step by step, the signature before anything is decrypted."""
    symmetric_key = unwrap_key(b64decode(content["dataKey"], validate=True), key)
    assert len(symmetric_key) == 32
    data = b64decode(content["data"], validate=True)
    expected = hmac.new(symmetric_key, data, hashlib.sha256).digest()
    assert hmac.compare_digest(expected, b64decode(content["dataSignature"], validate=True))
    decryptor = Cipher(algorithms.AES(symmetric_key), modes.CBC(symmetric_key[:16])).decryptor()
    padded = decryptor.update(data) + decryptor.finalize()
    count = padded[-1]
    assert 1 <= count <= 16
    assert padded[-count:] == bytes([count]) * count
    return json.loads(padded[:-count])


# --- Validation tokens ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """An authority's signing key."""

    key: rsa.RSAPrivateKey
    kid: str

    def show(self) -> dict[str, str]:
        """Give the public half as an entry of a key set."""
        numbers = self.key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": encode(numbers.n.to_bytes(self.key.key_size // 8, "big")),
            "e": encode(numbers.e.to_bytes(3, "big")),
        }

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """Give a JWT signed with RS256, whatever the header is made to say."""
        signed = (
            f"{encode_json({'typ': 'JWT', 'alg': 'RS256', 'kid': self.kid} | header)}.{encode_json(claims)}"
        )
        return f"{signed}.{encode(self._sign(signed.encode()))}"

    def _sign(self, text: bytes) -> bytes:
        size = self.key.key_size // 8
        digest = SHA256_PREFIX + hashlib.sha256(text).digest()
        block = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
        return apply_private(int.from_bytes(block, "big"), self.key).to_bytes(size, "big")


def sign_with_text(claims: Mapping[str, Any], secret: bytes, *, kid: str) -> str:
    """Give a JWT signed with HS256 under a text that everybody knows."""
    signed = f"{encode_json({'typ': 'JWT', 'alg': 'HS256', 'kid': kid})}.{encode_json(claims)}"
    return f"{signed}.{encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def build_claims(
    *, tenant: str, audience: str, version: str, issuer: str, now_s: int, **changes: Any
) -> dict[str, Any]:
    """Give the claims of a validation token of either version; `changes` replace, None takes one away."""
    publisher = (
        {"appid": PUBLISHER, "appidacr": "2"} if version == "1.0" else {"azp": PUBLISHER, "azpacr": "2"}
    )
    claims = {
        "aud": audience,
        "iss": issuer,
        "iat": now_s - 300,
        "nbf": now_s - 300,
        "exp": now_s + 3600,
        **publisher,
        "tid": tenant,
        "uti": "AAAA",
        "ver": version,
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


def encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def encode_json(value: Mapping[str, Any]) -> str:
    return encode(json.dumps(value).encode())


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def der_of(certificate_pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(certificate_pem).public_bytes(Encoding.DER)
