"""Rich notifications: are the keys there, and can those be had that vouch for what arrives?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from service.errors import ConfigError, SigningKeysError
from service.preflight.finding import Finding, fault, ok
from service.rich.authority import Authority
from service.rich.key_ring import KeyRing

_KEYS = "encryption keys"
_SIGNING = "keys of validation tokens"
_NO_SUCH_KEY = "preflight"


def check_encryption_keys(build: Callable[[], KeyRing]) -> Iterator[Finding]:
    """Read every key, as workers and keepers will.

    Args:
        build: raises `ConfigError` with a sentence for each file that cannot be used.
    """
    try:
        keys = build().keys
    except ConfigError as error:
        for sentence in error.faults:
            detail, _, remedy = sentence.rpartition(": ")
            yield fault(_KEYS, detail or sentence, remedy or "Repair the file, or take it away.")
        return
    current = keys[0]
    yield ok(_KEYS, f"{len(keys)} held, the current one is {current.id[:8]} with {current.bits} bits")


async def check_signing_keys(authority: Authority, *, now: datetime) -> Finding:
    """Fetch the authority's keys, as the worker will at its first validation token.

    Args:
        now: UTC.
    """
    try:
        issuers, _ = await authority.find_key(_NO_SUCH_KEY, arrived_at=now)
    except SigningKeysError as error:
        return fault(_SIGNING, str(error), "Let workers reach the discovery document under AUTHORITY_URL.")
    return ok(_SIGNING, f"fetched; the issuer is {issuers.v2}")
