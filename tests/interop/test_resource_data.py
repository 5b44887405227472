"""Ciphertexts go both ways: ours read theirs, theirs read the sandbox's, and nothing broken is ever taken."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.rich.content import EncryptedContent, pack_content, parse_content
from service.rich.decryption import decrypt_content
from service.rich.keys import EncryptionKey
from service.rich.unread import Unread, UnreadError
from service.sandbox.rich import encrypt
from service.sandbox.subscription_request import EncryptionKey as SandboxKey
from tests.interop import publisher

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
RESOURCES = st.dictionaries(st.text(), JSON, max_size=5)
RESOURCE = {"id": "AAMk=", "subject": "Größe 🎉", "from": {"emailAddress": {"address": "a@b.c"}}}
FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def der(key: EncryptionKey) -> bytes:
    return b64decode(key.encoded)


def open_ours(content: dict[str, str], key: EncryptionKey) -> dict[str, Any]:
    """Take the way of a notification: into an entry, out of it, opened."""
    packed = pack_content(json.dumps(content).encode(), chars_max=1_000_000)
    return decrypt_content(parse_content(packed), key.private_key)


def why_not(content: dict[str, str], key: EncryptionKey) -> Unread:
    with pytest.raises(UnreadError) as raised:
        open_ours(content, key)
    return raised.value.reason


@FEW
@given(resource=RESOURCES)
def test_the_service_opens_what_an_outside_publisher_encrypted(
    key: EncryptionKey, resource: dict[str, Any]
) -> None:
    assert open_ours(publisher.encrypt_resource(resource, der(key), key.id), key) == resource


@FEW
@given(resource=RESOURCES)
def test_an_outside_reader_opens_what_the_sandbox_encrypted(
    key: EncryptionKey, resource: dict[str, Any]
) -> None:
    certificate = x509.load_der_x509_certificate(der(key))
    content = encrypt(resource, SandboxKey(certificate=certificate, certificate_id=key.id))
    assert publisher.decrypt_resource(content, key.private_key) == resource
    assert open_ours(content, key) == resource


def resign(content: dict[str, str], data: bytes, key: EncryptionKey) -> dict[str, str]:
    """Sign other data under the same symmetric key, as only who made it can."""
    import hashlib
    import hmac

    symmetric_key = publisher.unwrap_key(b64decode(content["dataKey"]), key.private_key)
    signature = hmac.new(symmetric_key, data, hashlib.sha256).digest()
    return content | {"data": b64encode(data).decode(), "dataSignature": b64encode(signature).decode()}


def flip(text: str, at: int = 0) -> str:
    raw = bytearray(b64decode(text))
    raw[at] ^= 1
    return b64encode(bytes(raw)).decode()


Change = Callable[[dict[str, str]], dict[str, str]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: {"data": flip(content["data"])}, Unread.SIGNATURE_DIFFERS),
        (lambda content: {"data": flip(content["data"], -1)}, Unread.SIGNATURE_DIFFERS),
        (lambda content: {"dataSignature": flip(content["dataSignature"])}, Unread.SIGNATURE_DIFFERS),
        (lambda content: {"dataSignature": ""}, Unread.SIGNATURE_DIFFERS),
        (lambda content: {"dataKey": flip(content["dataKey"], 5)}, Unread.KEY_NOT_OPENED),
        (lambda _: {"dataKey": b64encode(os.urandom(256)).decode()}, Unread.KEY_NOT_OPENED),
        (lambda _: {"dataKey": ""}, Unread.KEY_NOT_OPENED),
        (lambda content: {"data": content["data"] + "!"}, Unread.MALFORMED),
        (lambda content: {"data": " " + content["data"]}, Unread.MALFORMED),
        (lambda content: {"data": "é"}, Unread.MALFORMED),
    ],
)
def test_what_was_changed_on_the_way_is_not_decrypted(
    key: EncryptionKey, change: Change, reason: Unread
) -> None:
    content = publisher.encrypt_resource(RESOURCE, der(key), key.id)
    assert why_not(content | change(content), key) is reason


def test_the_signature_is_looked_at_before_anything_is_decrypted(key: EncryptionKey) -> None:
    content = publisher.encrypt_resource(RESOURCE, der(key), key.id)
    cut = b64decode(content["data"])[:-5]
    assert why_not(content | {"data": b64encode(cut).decode()}, key) is Unread.SIGNATURE_DIFFERS
    assert why_not(resign(content, cut, key), key) is Unread.NOT_DECRYPTED


@pytest.mark.parametrize("padding", [b"\x00" * 16, b"\x11" * 16, b"\x01" * 15 + b"\x02", b"\x20" * 32])
def test_a_padding_that_is_none_is_refused(key: EncryptionKey, padding: bytes) -> None:
    content = publisher.encrypt_resource(RESOURCE, der(key), key.id)
    symmetric_key = publisher.unwrap_key(b64decode(content["dataKey"]), key.private_key)
    data = publisher.seal(b"{}" + b" " * 14, symmetric_key, padding=padding)
    assert why_not(resign(content, data, key), key) is Unread.NOT_DECRYPTED


@pytest.mark.parametrize("plain", [b"", b"[]", b"null", b'"text"', b"\xff\xfe", b"{", b'{"a":' * 100_000])
def test_what_is_no_object_is_refused(key: EncryptionKey, plain: bytes) -> None:
    assert why_not(publisher.encrypt_resource(plain, der(key), key.id), key) is Unread.NOT_JSON


def test_a_symmetric_key_of_another_length_is_refused(key: EncryptionKey) -> None:
    content = publisher.encrypt_resource(RESOURCE, der(key), key.id)
    public = key.private_key.public_key().public_numbers()
    short = b64encode(publisher.wrap_key(os.urandom(16), public)).decode()
    assert why_not(content | {"dataKey": short}, key) is Unread.KEY_NOT_OPENED


def test_only_what_is_needed_is_kept_of_a_notification(key: EncryptionKey) -> None:
    content = publisher.encrypt_resource(RESOURCE, der(key), key.id)
    packed = pack_content(json.dumps(content | {"more": "than needed"}).encode(), chars_max=100_000)
    assert json.loads(packed) == content


@pytest.mark.parametrize("raw", [b"5", b"[]", b'{"data": 5}', b'{"data": "x"}', b"{"])
def test_what_has_another_shape_is_not_kept(raw: bytes) -> None:
    with pytest.raises(UnreadError) as raised:
        pack_content(raw, chars_max=1000)
    assert raised.value.reason is Unread.MALFORMED


def test_what_is_too_large_is_not_kept() -> None:
    with pytest.raises(UnreadError) as raised:
        pack_content(b'{"data": "' + b"A" * 1000 + b'"}', chars_max=1000)
    assert raised.value.reason is Unread.TOO_LARGE


@given(text=st.text() | st.from_regex(r"\{.*\}"))
def test_anything_that_is_stored_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(parse_content(text), EncryptedContent)
    except UnreadError as error:
        assert error.reason is Unread.MALFORMED
