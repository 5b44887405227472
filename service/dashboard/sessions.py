"""Signing in with ADMIN_TOKEN: a cookie that says until when, sealed with the token. Holds no list of them.

Any process of the deployment takes a cookie that another gave, and a new token ends all of them. The token
itself never stands in a cookie, in a URL or on a page.

Source: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie
"""

from __future__ import annotations

import hmac
from collections import deque
from typing import Final
from urllib.parse import parse_qs

from aiohttp import web

from service.clock import Clock

COOKIE: Final = "response_sync_session"
_SEALED_FOR: Final = b"response-sync dashboard session "
_WINDOW_S: Final = 60.0
_TOKEN_BYTES_MAX: Final = 4_096
_SECONDS_PER_HOUR: Final = 3_600


class Sessions:
    """Gives cookies for the token, and knows them again."""

    def __init__(
        self, token: str, clock: Clock, *, hours: float = 12.0, wrong_per_minute_max: int = 10
    ) -> None:
        self._token = token.encode()
        self._clock = clock
        self._lifetime_s = round(hours * _SECONDS_PER_HOUR)
        self._wrong_max = wrong_per_minute_max
        self._wrong_at: deque[float] = deque(maxlen=wrong_per_minute_max)

    @property
    def is_needed(self) -> bool:
        """Tell whether there is a token to sign in with."""
        return bool(self._token)

    def holds(self, request: web.Request) -> bool:
        """Tell whether the request brings a cookie of ours that has not ended."""
        ends, _, seal = request.cookies.get(COOKIE, "").partition(".")
        if not ends.isascii() or not ends.isdecimal() or not self._token:
            return False
        is_ours = hmac.compare_digest(seal.encode("utf-8", "surrogateescape"), self._seal(ends).encode())
        return is_ours and int(ends) > self._clock.now().timestamp()

    @property
    def is_barred(self) -> bool:
        """Tell whether so many wrong tokens came within a minute that nobody may sign in now."""
        now = self._clock.monotonic()
        return len(self._wrong_at) == self._wrong_max and now - self._wrong_at[0] < _WINDOW_S

    def is_right(self, given: str) -> bool:
        """Compare a token; a wrong one is remembered for a minute."""
        is_equal = hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token)
        if not is_equal:
            self._wrong_at.append(self._clock.monotonic())
        return is_equal and bool(self._token)

    def open(self, request: web.Request, response: web.Response) -> None:
        """Give the browser a cookie that no script reads and no other site makes it send."""
        ends = str(int(self._clock.now().timestamp()) + self._lifetime_s)
        response.set_cookie(
            COOKIE,
            f"{ends}.{self._seal(ends)}",
            max_age=self._lifetime_s,
            path="/",
            httponly=True,
            samesite="Strict",
            # Whoever sends this header in clear harms nobody but themselves.
            secure=request.headers.get("X-Forwarded-Proto", "").lower() == "https" or request.secure,
        )

    def close(self, response: web.Response) -> None:
        """Take the cookie away."""
        response.del_cookie(COOKIE, path="/")

    def _seal(self, ends: str) -> str:
        return hmac.new(self._token, _SEALED_FOR + ends.encode(), "sha256").hexdigest()


async def read_token(request: web.Request) -> str:
    """Read the token that was typed into the form; empty where the body is none or too long."""
    body = await request.content.read(_TOKEN_BYTES_MAX + 1)
    while len(body) <= _TOKEN_BYTES_MAX and (more := await request.content.read(_TOKEN_BYTES_MAX + 1)):
        body += more
    if len(body) > _TOKEN_BYTES_MAX or request.content_type != "application/x-www-form-urlencoded":
        return ""

    return parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0].strip()
