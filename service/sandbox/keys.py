"""The sandbox's signing keys: what its JWKS shows and what its tokens are signed with.

Must never write a private key to disk: the keys live and die with the process.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

KEY_BITS = 2048
TOKENS_REMEMBERED_MAX = 10_000
KEYS_SHOWN_MAX = 3  # Entra shows the present key, the one before and the next


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key pair.

    Attributes:
        kid: derived from the public key, so that it names the key and nothing else.
    """

    private_key: rsa.RSAPrivateKey
    kid: str

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Give a JWT signed with RS256 that names this key."""
        return jwt.encode(
            dict(claims), self.private_key, algorithm="RS256", headers={"kid": self.kid, "x5t": self.kid}
        )

    def build_jwk(self) -> dict[str, Any]:
        """Give the public half as an entry of a JWKS.

        Source: https://www.rfc-editor.org/rfc/rfc7517
        """
        public = RSAAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": public["n"],
            "e": public["e"],
        }


def create_signing_key() -> SigningKey:
    """Make a new key; takes some tenths of a second."""
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    der = private_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashlib.sha256(der).digest()[:20]
    return SigningKey(private_key, urlsafe_b64encode(digest).rstrip(b"=").decode())


class KeyRing:
    """The keys that are shown; the newest signs. Entra rolls its keys, so this can too."""

    def __init__(self, first: SigningKey | None = None) -> None:
        self._keys = deque([first or create_signing_key()], maxlen=KEYS_SHOWN_MAX)
        self._remembered: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def rotate(self) -> str:
        """Sign with a new key from now on; give its kid. The oldest is forgotten beyond three."""
        self._keys.append(create_signing_key())
        self._remembered.clear()
        return self._keys[-1].kid

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Sign with the newest key."""
        return self._keys[-1].sign(claims)

    def build_jwks(self) -> dict[str, Any]:
        """Give the JSON Web Key Set, oldest first."""
        return {"keys": [key.build_jwk() for key in self._keys]}

    def read(self, token: str) -> dict[str, Any]:
        """Give the claims of a token that one of the keys signed; times and audience are not judged.

        A signature is checked once: clients send the same token with every request.

        Raises:
            jwt.InvalidTokenError: malformed, or signed by somebody else or by a key that is shown no more.
        """
        if token not in self._remembered:
            self._remembered[token] = self._verify(token)
            if len(self._remembered) > TOKENS_REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return dict(self._remembered[token])

    def _verify(self, token: str) -> dict[str, Any]:
        kid = jwt.get_unverified_header(token).get("kid")
        key = next((key for key in self._keys if key.kid == kid), None)
        if key is None:
            raise jwt.InvalidSignatureError("no key of that name")
        unjudged = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        claims: dict[str, Any] = jwt.decode(
            token,
            key.private_key.public_key(),
            algorithms=["RS256"],
            options=unjudged,  # type: ignore[arg-type]
        )
        return claims
