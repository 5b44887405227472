"""`encryptedContent` as a notification brings it and as an intake entry keeps it. Pure.

Holds ciphertext only. Members that are not needed to decrypt it are left out, so that they are not stored.

Source: https://learn.microsoft.com/graph/api/resources/changenotificationencryptedcontent
"""

from __future__ import annotations

from typing import Final

import msgspec

from service.rich.unread import Unread, UnreadError


class EncryptedContent(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The resource data of one item; texts are base64 unless said otherwise.

    Attributes:
        data: the ciphertext.
        data_key: the symmetric key, encrypted for the certificate.
        data_signature: HMAC-SHA256 of the ciphertext.
        encryption_certificate_id: as the subscription named the certificate; no base64.
        encryption_certificate_thumbprint: SHA-1 of the certificate in hex.
    """

    data: str
    data_key: str
    data_signature: str
    encryption_certificate_id: str
    encryption_certificate_thumbprint: str = ""


_CONTENT: Final = msgspec.json.Decoder(EncryptedContent)


def pack_content(raw: bytes | msgspec.Raw, *, chars_max: int) -> str:
    """Give the text in which an entry keeps the content of a notification.

    Args:
        raw: JSON text of `encryptedContent`.
        chars_max: a longer one is left out.

    Raises:
        UnreadError: too large, or not of this shape.
    """
    if len(bytes(raw)) > chars_max:
        raise UnreadError(Unread.TOO_LARGE)
    try:
        return msgspec.json.encode(_CONTENT.decode(raw)).decode()
    except (ValueError, RecursionError) as error:
        raise UnreadError(Unread.MALFORMED) from error


def parse_content(text: str) -> EncryptedContent:
    """Read back what `pack_content` gave.

    Raises:
        UnreadError: it is nothing of the kind.
    """
    try:
        return _CONTENT.decode(text)
    except (ValueError, RecursionError) as error:
        raise UnreadError(Unread.MALFORMED) from error
