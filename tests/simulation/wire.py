"""A connection to the Redis-compatible server of all histories: bytes out, bytes in, in this thread.

The client library does more for each command than the server; a history sends two thousand. Replies are
parsed and errors named as the client library does, which the service has.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import hiredis
import redis
from redis._parsers.base import BaseParser

_CHUNK: Final = 65536
_TIMEOUT_S: Final = 60.0
_CALLBACKS: Final[Mapping[str, Any]] = dict(redis.Redis(protocol=2).response_callbacks)


def _sort_page(reply: Any, command: str) -> Any:
    cursor, page = _CALLBACKS[command](reply)
    return cursor, dict(sorted(page.items())) if isinstance(page, dict) else sorted(page)


# The order of a hash table's items depends on the server's own clock, by which it is rehashed bit by bit.
_PARSERS: Final[Mapping[str, Any]] = {
    **_CALLBACKS,
    "HGETALL": lambda reply: dict(sorted(_CALLBACKS["HGETALL"](reply).items())),
    "HSCAN": partial(_sort_page, command="HSCAN"),
    "SCAN": partial(_sort_page, command="SCAN"),
}


class Wire:
    """An open connection."""

    def __init__(self, url: str) -> None:
        """Connect.

        Args:
            url: `unix:///path`.
        """
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_TIMEOUT_S)
        self._socket.connect(urlsplit(url).path)
        self._reader = hiredis.Reader(
            protocolError=redis.ConnectionError,
            replyError=BaseParser.parse_error,
            encoding="utf-8",
            errors="replace",
        )

    def ask(self, *command: Any, **parsing: Any) -> Any:
        """Send a command and give its reply as the client library gives it.

        Raises:
            redis.ResponseError: the server refused.
        """
        self._socket.sendall(_pack(command))
        reply = self._read()
        if isinstance(reply, Exception):
            raise reply
        parse = _PARSERS.get(command[0])
        return reply if parse is None else parse(reply, **parsing)

    def ask_all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands together and give the plain reply of each; an error is one like any other."""
        self._socket.sendall(b"".join(map(_pack, commands)))
        return [self._read() for _ in commands]

    def _read(self) -> Any:
        while (reply := self._reader.gets()) is False:
            chunk = self._socket.recv(_CHUNK)
            if not chunk:
                raise redis.ConnectionError("the server went away")
            self._reader.feed(chunk)
        return reply

    def close(self) -> None:
        self._socket.close()


def _pack(command: tuple[Any, ...]) -> bytes:
    packed: bytes = hiredis.pack_command((*command[0].split(), *command[1:]))
    return packed
