"""Hides addresses in sentences that others wrote, such as Graph's refusals, where REDACT says so. Pure."""

from __future__ import annotations

import re
from typing import Final

from service.cloud_events import Redacted, Redactor
from service.reconcile.matching import normalize_address

_ADDRESS: Final = re.compile(r"[^\s<>()\[\]\"',;:]+@[^\s<>()\[\]\"',;:]+[^\s<>()\[\]\"',;:.]")


def hide_addresses(text: str, redactor: Redactor) -> str:
    """Give the text with the digest of each address in its place; as it is where addresses may be shown."""
    if Redacted.ADDRESSES not in redactor.what:
        return text

    def digest(match: re.Match[str]) -> str:
        return redactor.apply(Redacted.ADDRESSES, normalize_address(match[0])) or ""

    return _ADDRESS.sub(digest, text)
