"""Takes connections in and has their TLS handshakes made, a bounded number at a time.

asyncio's own servers begin a handshake with whoever connects, which costs tens of kilobytes before a word
was said, and count nobody until it is done. Here the oldest handshake makes room where there are too many:
who means it has done with it in a moment. Must never let a connection through that has not shaken hands.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

_LOG: Final = structlog.get_logger(__name__)
_PAUSE_S: Final = 0.5


class Handshakes:
    """Stands between a listening socket and the protocol that serves its connections."""

    def __init__(
        self,
        serve: Callable[[], asyncio.BaseProtocol],
        listening: socket.socket,
        context: ssl.SSLContext,
        *,
        handshakes_max: int,
        timeout_s: float,
    ) -> None:
        """Take what is needed.

        Args:
            serve: makes the protocol of one connection.
            listening: bound, listening and not blocking; closed by `stop`.
        """
        self._serve = serve
        self._listening = listening
        self._context = context
        self._handshakes_max = handshakes_max
        self._timeout_s = timeout_s
        self._under_way: dict[asyncio.Task[None], None] = {}
        self._taking_in: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._listening.getsockname()[1])

    def start(self) -> None:
        """Begin to take connections in."""
        self._taking_in = asyncio.create_task(self._take_in())

    async def stop(self) -> None:
        """Take nobody in any more, and break off the handshakes under way."""
        ending = [*self._under_way, *([self._taking_in] if self._taking_in else [])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        self._listening.close()

    async def _take_in(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listening)
            except ConnectionError:  # it went while it waited
                continue
            except OSError as error:
                _LOG.error("web.accept_failed", error=str(error))
                await asyncio.sleep(_PAUSE_S)
                continue
            self._begin(connection)
            await asyncio.sleep(0)  # begun tasks own their sockets, and what is under way gets its turn

    def _begin(self, connection: socket.socket) -> None:
        if len(self._under_way) >= self._handshakes_max:
            oldest = next(iter(self._under_way))
            del self._under_way[oldest]
            oldest.cancel()
        task = asyncio.create_task(self._shake_hands(connection))
        self._under_way[task] = None
        task.add_done_callback(lambda done: self._under_way.pop(done, None))

    async def _shake_hands(self, connection: socket.socket) -> None:
        """Hand the connection over to its protocol, or close it."""
        with suppress(OSError):  # TLS that is none, or too late, or not to the end: nobody to answer to
            await asyncio.get_running_loop().connect_accepted_socket(
                self._serve, connection, ssl=self._context, ssl_handshake_timeout=self._timeout_s
            )
