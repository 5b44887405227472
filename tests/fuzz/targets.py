"""What is fuzzed: each target takes any bytes, and raises where a parser did what it must not.

A parser may refuse, with its own error. It must not fail in another way, and not believe what nobody signed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from service.errors import ForgedError, PayloadError
from service.graph.resource_data import read_event_data, read_message_data
from service.reconcile.model import MailboxKey
from service.rich.content import EncryptedContent, pack_content, parse_content
from service.rich.decryption import decrypt_content
from service.rich.unread import UnreadError
from service.rich.validation_tokens import Issuers, TokenRules, judge_token, read_key_id
from tests.unit.graph.test_parsing_anything import PARSERS
from tests.unit.intake.test_notification_bytes import judge

CONTENT_CHARS_MAX: Final = 262_144
KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
TENANT: Final = "84bd8158-6d4d-4958-8b9f-9d6445542f95"
ISSUERS: Final = Issuers(
    tenant=TENANT,
    v1=f"https://sts.windows.net/{TENANT}/",
    v2=f"https://login.microsoftonline.com/{TENANT}/v2.0",
)
RULES: Final = TokenRules(audience="our-application", publisher="0bf30f3b-4a52-48df-9a82-234910c4a086")
READERS: Final[tuple[Callable[[object, list[str]], object], ...]] = (
    *PARSERS.values(),
    lambda payload, notes: read_message_data(
        _require_mapping(payload), mailbox=MailboxKey("adele"), notes=notes
    ),
    lambda payload, notes: read_event_data(_require_mapping(payload), notes=notes),
)


def fuzz_notification(data: bytes) -> None:
    """Judge a body: nothing gets in that a key of ours did not make."""
    judge(data)


def fuzz_payload(data: bytes) -> None:
    """Parse an answer of Graph, or resource data; the first byte says by which parser."""
    if not data:
        return
    try:
        payload = json.loads(data[1:])
    except (ValueError, RecursionError):
        return
    try:
        READERS[data[0] % len(READERS)](payload, [])
    except (PayloadError, UnreadError):
        return


def fuzz_token(data: bytes) -> None:
    """Judge a validation token: as it is, and with its claims signed by the right key."""
    text = data.decode("latin-1")
    try:
        read_key_id(text)
        judge_token(text, STRANGER, ISSUERS, RULES)
    except ForgedError:
        pass
    else:
        raise AssertionError("a token was believed that its key did not sign")
    head, _, claims = data.partition(b".")
    _judge_signed(head, claims)


def _judge_signed(head: bytes, claims: bytes) -> None:
    signed = f"{_encode(head)}.{_encode(claims)}"
    signature = KEY.sign(signed.encode(), padding.PKCS1v15(), SHA256())
    token = f"{signed}.{_encode(signature)}"
    try:
        read_key_id(token)
        vouched = judge_token(token, KEY.public_key(), ISSUERS, RULES)
    except ForgedError:
        return
    said = json.loads(claims)
    assert vouched.tenant == TENANT == said["tid"].lower()
    assert said["aud"] == RULES.audience
    assert RULES.publisher in (said.get("appid"), said.get("azp"))
    assert said["iss"] in (ISSUERS.v1, ISSUERS.v2)


def fuzz_decryption(data: bytes) -> None:
    """Open encrypted content: as it came, any plaintext in a good envelope, and one with a byte changed."""
    try:
        decrypt_content(parse_content(pack_content(data, chars_max=CONTENT_CHARS_MAX)), KEY)
    except UnreadError:
        pass
    else:
        raise AssertionError("content was opened that was not encrypted for our key")
    content = seal(data)
    try:
        opened: Mapping[str, Any] = decrypt_content(content, KEY)
        assert opened == json.loads(data)
    except UnreadError:
        pass
    _open_changed(content, data)


def _open_changed(content: EncryptedContent, data: bytes) -> None:
    """Change one byte of the ciphertext: nothing may be decrypted."""
    raw = bytearray(base64.b64decode(content.data))
    raw[data[0] % len(raw) if data else 0] ^= 1
    changed = EncryptedContent(
        data=base64.b64encode(raw).decode(),
        data_key=content.data_key,
        data_signature=content.data_signature,
        encryption_certificate_id="x",
    )
    try:
        decrypt_content(changed, KEY)
    except UnreadError:
        return
    raise AssertionError("content was opened that was changed under way")


def seal(plain: bytes) -> EncryptedContent:
    """Encrypt as Graph does, with a symmetric key made from the plaintext, so that runs can be repeated.

    Source: https://learn.microsoft.com/graph/change-notifications-with-resource-data
    """
    symmetric_key = hashlib.sha256(plain).digest()
    length = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(symmetric_key), modes.CBC(symmetric_key[:16])).encryptor()
    encrypted = encryptor.update(plain + bytes([length]) * length) + encryptor.finalize()
    oaep = padding.OAEP(mgf=padding.MGF1(SHA1()), algorithm=SHA1(), label=None)
    return EncryptedContent(
        data=base64.b64encode(encrypted).decode(),
        data_key=base64.b64encode(KEY.public_key().encrypt(symmetric_key, oaep)).decode(),
        data_signature=base64.b64encode(hmac.digest(symmetric_key, encrypted, "sha256")).decode(),
        encryption_certificate_id="x",
    )


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _require_mapping(payload: object) -> Mapping[str, Any]:
    """Give a JSON object; resource data is checked to be one when it is decrypted."""
    if not isinstance(payload, dict):
        raise PayloadError("$", "an object")
    return payload


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "notification": fuzz_notification,
    "payload": fuzz_payload,
    "token": fuzz_token,
    "decryption": fuzz_decryption,
}
