"""From ciphertext to the resource data of one item, in Microsoft's order: key, signature, then the data.

Blocking and of some milliseconds: never on the event loop; RSA releases the interpreter's lock. Must never
decrypt what is not signed, nor use a symmetric key for a second item, nor say in an error what was in it.

Source: https://learn.microsoft.com/graph/change-notifications-with-resource-data#decrypting-resource-data-from-change-notifications
"""

from __future__ import annotations

import binascii
import hmac
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.padding import PKCS7

from service.rich.content import EncryptedContent
from service.rich.unread import Unread, UnreadError

_KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 16
# Graph's choice, and sound: OAEP does not rest on the hash being free of collisions.
_OAEP: Final = padding.OAEP(mgf=padding.MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303


def decrypt_content(content: EncryptedContent, private_key: rsa.RSAPrivateKey) -> dict[str, Any]:
    """Give the resource data as decoded JSON.

    Raises:
        UnreadError: a step failed; the reason says which.
    """
    data = _decode(content.data)
    symmetric_key = _open_key(_decode(content.data_key), private_key)
    signature = hmac.digest(symmetric_key, data, "sha256")
    if not hmac.compare_digest(signature, _decode(content.data_signature)):
        raise UnreadError(Unread.SIGNATURE_DIFFERS)
    return _parse(_decrypt(data, symmetric_key))


def _open_key(encrypted: bytes, private_key: rsa.RSAPrivateKey) -> bytes:
    try:
        symmetric_key = private_key.decrypt(encrypted, _OAEP)
    except ValueError as error:
        raise UnreadError(Unread.KEY_NOT_OPENED) from error
    if len(symmetric_key) != _KEY_BYTES:
        raise UnreadError(Unread.KEY_NOT_OPENED)
    return symmetric_key


def _decrypt(data: bytes, symmetric_key: bytes) -> bytes:
    """Decrypt with AES-256-CBC; the initialization vector is the first half of the key."""
    decryptor = Cipher(algorithms.AES(symmetric_key), modes.CBC(symmetric_key[:_BLOCK_BYTES])).decryptor()
    unpadder = PKCS7(8 * _BLOCK_BYTES).unpadder()
    try:
        padded = decryptor.update(data) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise UnreadError(Unread.NOT_DECRYPTED) from error


def _parse(plain: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(plain, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise UnreadError(Unread.NOT_JSON) from error


def _decode(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise UnreadError(Unread.MALFORMED) from error
