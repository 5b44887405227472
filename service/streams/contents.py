"""Counts what still waits to be decrypted with a key. Reads only."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from service.streams.forgetting import read_stream
from service.streams.keys import KeyNames
from service.streams.link import RedisLink

_PAGE = 500


async def count_contents(link: RedisLink, keys: KeyNames, certificate_id: str) -> int:
    """Count entries, waiting, pending or put off, whose content was encrypted for a certificate.

    Raises:
        StreamError: Redis refused or is away.
    """
    found = 0
    async for _, fields in read_stream(link, keys.intake):
        found += _is_for(fields, certificate_id)
    for partition in range(keys.partitions):
        found += await _count_put_off(link, keys.due_entries(partition), certificate_id)
    return found


async def _count_put_off(link: RedisLink, due_entries: str, certificate_id: str) -> int:
    found, cursor = 0, 0
    while True:
        cursor, entries = await link.call("HSCAN", due_entries, cursor, "COUNT", _PAGE)
        for text in entries.values():
            found += _is_for(msgspec.json.decode(text, type=dict[str, str]), certificate_id)
        if cursor == 0:
            return found


def _is_for(fields: Mapping[str, str], certificate_id: str) -> bool:
    content = fields.get("content")
    return bool(content) and json.loads(content or "{}").get("encryptionCertificateId") == certificate_id
