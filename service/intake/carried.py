"""What a rich notification carries beside its items: ciphertext, and the validation tokens of the POST. Pure.

Nothing is decrypted or believed here; only size and shape are looked at, and digests name the tokens.

Source: https://learn.microsoft.com/graph/api/resources/changenotificationcollection
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from service.rich.content import pack_content
from service.rich.unread import UnreadError

ABSENT: Final = msgspec.Raw()
_NULL: Final = b"null"
_DIGEST_DIGITS: Final = 32
_TOKENS: Final = msgspec.json.Decoder(list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedLimits:
    """What may be stored of one notification.

    Attributes:
        content_chars_max: of one item's `encryptedContent`; a longer one is left out, and its item fetched.
        tokens_max: validation tokens of one POST.
        tokens_chars_max: characters of all of them together.
    """

    content_chars_max: int = 262_144
    tokens_max: int = 10
    tokens_chars_max: int = 32_768


def bytes_of(raw: msgspec.Raw) -> bytes:
    """Give the JSON text of a member; empty where it is absent or null, which mean the same."""
    text = b"" if raw is ABSENT else bytes(raw)
    return b"" if text == _NULL else text


def describe_content(raw: msgspec.Raw, limits: CarriedLimits) -> dict[str, str]:
    """Give the fields of an entry that hold `encryptedContent`, or the word for why it is left out."""
    text = bytes_of(raw)
    if not text:
        return {}
    try:
        return {"content": pack_content(text, chars_max=limits.content_chars_max)}
    except UnreadError as error:
        return {"unread": error.reason.value}


def read_tokens(raw: msgspec.Raw, limits: CarriedLimits) -> Mapping[str, str] | None:
    """Give the validation tokens by their digests; may be empty.

    Returns:
        None where they are no list of texts, too many or too long: then nothing of the POST is vouched for.
    """
    text = bytes_of(raw)
    try:
        tokens = _TOKENS.decode(text) if text else []
    except ValueError:
        return None
    if len(tokens) > limits.tokens_max or sum(map(len, tokens)) > limits.tokens_chars_max:
        return None
    if not all(token.isascii() and token.isprintable() and token for token in tokens):
        return None
    return {hashlib.sha256(token.encode()).hexdigest()[:_DIGEST_DIGITS]: token for token in tokens}
