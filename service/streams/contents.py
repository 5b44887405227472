"""Counts what still waits to be decrypted with a key. Reads only."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from service.streams.keys import KeyNames
from service.streams.link import RedisLink
from service.streams.scanning import read_hash, read_stream


async def count_contents(link: RedisLink, keys: KeyNames, certificate_id: str) -> int:
    """Count entries, waiting, pending or put off, whose content was encrypted for a certificate.

    Raises:
        StreamError: Redis refused or is away.
    """
    found = 0
    async for _, fields in read_stream(link, keys.intake):
        found += _is_for(fields, certificate_id)
    for partition in range(keys.partitions):
        async for entries in read_hash(link, keys.due_entries(partition)):
            put_off = (msgspec.json.decode(text, type=dict[str, str]) for text in entries.values())
            found += sum(_is_for(fields, certificate_id) for fields in put_off)
    return found


def _is_for(fields: Mapping[str, str], certificate_id: str) -> bool:
    content = msgspec.json.decode(fields.get("content") or "{}")
    return bool(content.get("encryptionCertificateId") == certificate_id)
