"""Seals what a person's sign-in is worth, so that Redis alone is worth nothing. Pure.

AES-256-GCM under a key derived from SECRET_KEY; tenant, application and person are bound to it as associated
data, so that the seal of one person cannot be put in another's place. Must never put a content into an error.

Source: https://cryptography.io/en/latest/hazmat/primitives/aead/
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.errors import SealError

_VERSION: Final = "1."
_CONTEXT: Final = b"graph-response-sync sign-in v1\0"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What was under a seal.

    Attributes:
        is_current: sealed with the present SECRET_KEY; otherwise it should be sealed again.
    """

    text: str = field(repr=False)
    is_current: bool


class Sealer:
    """Seals and opens with keys that are derived once.

    Args:
        secrets: the present SECRET_KEY first, then former ones that still open.
        deployment: the tag; another deployment's keys are others.
        registration: tenant and application, as one text: tokens are worth something only there.
    """

    def __init__(self, secrets: Sequence[str], *, deployment: str, registration: str) -> None:
        self._keys = tuple(_derive(secret, deployment) for secret in secrets)
        self._registration = registration

    def seal(self, text: str, *, person: str) -> str:
        """Give the sealed text; another one each time."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._keys[0].encrypt(nonce, text.encode(), self._bind(person))
        return _VERSION + urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str, *, person: str) -> Opened:
        """Give what is under a seal.

        Raises:
            SealError: none of the keys made it, or not for this person, or it was changed since.
        """
        try:
            raw = urlsafe_b64decode(sealed.removeprefix(_VERSION))
        except ValueError as error:
            raise SealError from error
        for at, key in enumerate(self._keys):
            try:
                text = key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], self._bind(person))
            except (InvalidTag, ValueError):
                continue
            return Opened(text=text.decode(), is_current=at == 0)
        raise SealError

    def _bind(self, person: str) -> bytes:
        return "\0".join((self._registration, person)).encode()


def _derive(secret: str, deployment: str) -> AESGCM:
    derivation = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_CONTEXT + deployment.encode())
    return AESGCM(derivation.derive(secret.encode()))
