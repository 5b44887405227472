"""Takes connections in one at a time, and has their TLS handshakes made, a bounded number at a time.

asyncio's own servers take in all who wait at once, hundreds of them, and everybody else waits until that is
done; they begin a handshake with whoever connects, which costs tens of kilobytes before a word was said, and
count nobody until it is over. Here what is under way gets its turn after each newcomer, and the oldest
handshake makes room where there are too many: who means it has done with it in a moment.
Must never let a connection through that has not shaken hands where hands are to be shaken.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog

_LOG: Final = structlog.get_logger(__name__)
_PAUSE_S: Final = 0.5
_SHUTDOWN_TIMEOUT_S: Final = 1.0
"""Who does not say goodbye after us would keep the buffers of a connection for half a minute otherwise."""


class Acceptor:
    """Stands between listening sockets and the protocol that serves their connections."""

    def __init__(
        self,
        serve: Callable[[], asyncio.BaseProtocol],
        listening: Sequence[socket.socket],
        context: ssl.SSLContext | None,
        *,
        handshakes_max: int,
        timeout_s: float,
    ) -> None:
        """Take what is needed.

        Args:
            serve: makes the protocol of one connection.
            listening: bound, listening and not blocking; closed by `stop`. At least one.
            context: for TLS; None for none.
        """
        self._serve = serve
        self._listening = tuple(listening)
        self._context = context
        self._timeout_s = None if context is None else timeout_s
        self._handshakes_max = handshakes_max
        self._under_way: dict[asyncio.Task[None], None] = {}
        self._loop = asyncio.get_running_loop()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._listening[0].getsockname()[1])

    def start(self) -> None:
        """Begin to take connections in."""
        for listening in self._listening:
            self._watch(listening)

    async def stop(self) -> None:
        """Take nobody in any more, and break off the handshakes under way."""
        for listening in self._listening:
            self._loop.remove_reader(listening)
            listening.close()
        await asyncio.sleep(0)  # what was begun just now owns its socket from then on
        ending = list(self._under_way)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _watch(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            self._loop.add_reader(listening, self._take_in, listening)

    def _take_in(self, listening: socket.socket) -> None:
        """Take in one of those who wait; called anew in each round of the loop in which somebody does."""
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):  # it went while it waited
            return
        except OSError as error:
            _LOG.error("web.accept_failed", error=str(error))
            self._loop.remove_reader(listening)
            self._loop.call_later(_PAUSE_S, self._watch, listening)
            return
        connection.setblocking(False)
        self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        if len(self._under_way) >= self._handshakes_max:
            oldest = next(iter(self._under_way))
            del self._under_way[oldest]
            oldest.cancel()
        task = self._loop.create_task(self._hand_over(connection))
        self._under_way[task] = None
        task.add_done_callback(lambda done: self._under_way.pop(done, None))

    async def _hand_over(self, connection: socket.socket) -> None:
        """Give the connection to its protocol, after the handshake; or close it."""
        with suppress(OSError):  # TLS that is none, or too late, or not to the end: nobody to answer to
            await self._loop.connect_accepted_socket(
                self._serve,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._timeout_s,
                ssl_shutdown_timeout=None if self._context is None else _SHUTDOWN_TIMEOUT_S,
            )
