"""Answers of the public listener: a status, hardly ever a body, nothing that tells what runs here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

NO_HEADERS: Final[Mapping[str, str]] = {}
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Reply(web.Response):
    """A bare answer."""

    def __init__(
        self, status: int, *, text: str | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        super().__init__(
            status=status,
            headers={**_HEADERS, **headers},
            text=text,
            content_type=None if text is None else "text/plain",
            charset=None if text is None else "utf-8",
        )

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


class StoredReply(web.StreamResponse):
    """The 202 of every stored notification, its bytes made once a second.

    Nearly every answer is this one, and building it anew would cost a fifth of the whole request. It holds
    no state of a request, so one serves all; for HTTP/1.1 with keep-alive only.
    """

    def __init__(self, now: datetime) -> None:
        super().__init__(status=202)
        lines = {"Date": format_datetime(now, usegmt=True), **_HEADERS, "Content-Length": "0"}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._bytes = f"HTTP/1.1 202 Accepted\r\n{head}\r\n".encode()

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        await request.writer.write_eof(self._bytes)
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: `prepare` has written all there is."""
