"""Who may ask the admin listener: by token, by a session that the token opened, or from loopback alone.

A browser is told apart from a program by the headers that pages cannot set. Must never let a page of another
origin change anything, or read anything of ours.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection
from typing import Final, Protocol

from aiohttp import web
from yarl import URL

BARE: Final = ("/healthz", "/readyz")
"""Without the token their status is told, and one word."""
LOGIN: Final = "/login"
_HARMLESS: Final = ("GET", "HEAD")
_OURS: Final = ("same-origin", "none")


class SessionBook(Protocol):
    """Sessions that the token opened."""

    def holds(self, request: web.Request) -> bool:
        """Tell whether the request brings a session that stands."""


class Access:
    """Judges every request before its handler sees it."""

    def __init__(
        self, token: str, *, sessions: SessionBook | None = None, open_paths: Collection[str] = ()
    ) -> None:
        """Take what is needed.

        Args:
            token: empty where loopback is enough.
            sessions: none where nobody can sign in.
            open_paths: what the page for signing in needs; tells nothing of ours.
        """
        self._token = token.encode()
        self._sessions = sessions
        self._open_paths = frozenset(open_paths)

    @property
    def needs_token(self) -> bool:
        return bool(self._token)

    def refuse(self, request: web.Request) -> web.Response | None:
        """Give the refusal of a request; None where it may pass."""
        if not self._token and not names_loopback(request.host):
            return web.Response(status=421)
        if is_foreign(request):
            return web.Response(status=403)
        if not self._token or request.path in BARE or request.path in self._open_paths:
            return None
        if self.has_token(request) or (self._sessions is not None and self._sessions.holds(request)):
            return None
        if self._sessions is not None and _wants_page(request):
            return web.Response(status=303, headers={"Location": LOGIN})
        return web.Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="admin"'})

    def has_token(self, request: web.Request) -> bool:
        """Tell whether the request brings the token itself."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        is_equal = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self._token)
        return is_equal and scheme.lower() == "bearer"


def is_foreign(request: web.Request) -> bool:
    """Tell whether a page of another origin makes the browser ask for something that is not its business.

    A link from elsewhere to one of our pages is fine; changes and data are for our own pages, and for
    programs, which send neither header.

    Source: https://www.w3.org/TR/fetch-metadata/
    """
    if request.method in _HARMLESS and not request.path.startswith("/api/"):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OURS or (site == "none" and request.method not in _HARMLESS)
    # Browsers leave that header out where neither TLS nor loopback protects the way.
    origin = request.headers.get("Origin")
    return origin is not None and not _is_same_host(origin, request.host)


def _is_same_host(origin: str, host: str) -> bool:
    """Compare host and port; the scheme may differ where a proxy ends TLS before us."""
    scheme, _, authority = origin.partition("://")
    return scheme in ("http", "https") and authority.lower() == host.lower()


def _wants_page(request: web.Request) -> bool:
    is_page = not request.path.startswith("/api/") and request.method in _HARMLESS
    return is_page and "text/html" in request.headers.get("Accept", "")


def names_loopback(authority: str) -> bool:
    """Tell whether a `Host` header names this machine's loopback address."""
    try:
        return is_loopback(URL.build(scheme="http", authority=authority).host or "")
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine's loopback address, by name or number."""
    if host.lower() in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
