"""What subscriptions ask to come along: the certificate, and the fullest query that Graph takes.

Learnt from refusals, for each kind of item by itself. No I/O.

Source: https://learn.microsoft.com/graph/outlook-change-notifications-overview
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote

from service.errors import RefusedError
from service.intake.client_state import ResourceKind

_QUERY_REFUSED: Final = re.compile(r"select|expand|propert|query option|parseuri", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What resource data is encrypted for.

    Attributes:
        id: our name for it.
        encoded: base64 of DER.
    """

    id: str
    encoded: str


class CertificateSource(Protocol):
    """Gives the certificate that subscriptions are to name now; another one after keys were rotated."""

    def __call__(self) -> Certificate: ...


class ResourceData:
    """What is asked for, as far as Graph has not refused it.

    Args:
        certificate: asked for anew each time.
        queries: for each kind what follows the `?` of the resource, the fullest first; at least one.
    """

    def __init__(self, certificate: CertificateSource, queries: Mapping[ResourceKind, Sequence[str]]) -> None:
        self._certificate = certificate
        self._queries = {kind: tuple(given) for kind, given in queries.items()}

    @property
    def certificate(self) -> Certificate:
        """Give the certificate to be named."""
        return self._certificate()

    def list_queries(self, kind: ResourceKind) -> tuple[str, ...]:
        """Give what may be asked for, the fullest first; one that Graph refused is not among them."""
        return self._queries[kind]

    def learn_refusal(self, kind: ResourceKind, error: RefusedError, refused: str) -> bool:
        """Ask for less from now on where it was the query that Graph refused; tells whether there is less."""
        if _QUERY_REFUSED.search(f"{error.code} {error}") is None:
            return False
        left = tuple(query for query in self._queries[kind] if query != refused)
        if left:
            self._queries[kind] = left
        return bool(left)


def is_same_query(one: str, other: str) -> bool:
    """Tell whether two queries of a resource ask for the same, however Graph spells them."""
    return _normalize(one) == _normalize(other)


def _normalize(query: str) -> list[str]:
    return sorted(" ".join(unquote(part).split()).casefold() for part in query.split("&") if part)
