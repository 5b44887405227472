"""The public listener: its socket, TLS, and a stop that lets requests finish.

What connections may do and cost stands in `connections.py`. Must never listen elsewhere than told.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from service.errors import ConfigError
from service.intake.acceptor import Acceptor
from service.intake.connections import Connections, Handle, ListenerLimits
from service.metrics import Metrics

__all__ = ["ListenerLimits", "PublicListener", "build_tls_context"]

_LOG: Final = structlog.get_logger(__name__)
_NOT_OURS: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class PublicListener:
    """Serves one handler on one address, between `start` and `stop`."""

    def __init__(
        self,
        handle: Handle,
        *,
        host: str,
        port: int,
        metrics: Metrics,
        limits: ListenerLimits,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Take what is needed; port 0 takes a free one."""
        self._handle = handle
        self._host = host
        self._port = port
        self._metrics = metrics
        self._limits = limits
        self._tls = tls
        self._server: Connections | None = None
        self._acceptor: Acceptor | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._acceptor is not None, "started"
        return self._acceptor.port

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: the address is taken, or not ours.
        """
        self._server = Connections(self._handle, self._metrics, self._limits, is_tls=self._tls is not None)
        try:
            listening = await self._listen()
        except OSError as error:
            raise ConfigError([f"HOST/PORT: cannot listen on {self._host}:{self._port}: {error}"]) from error
        self._acceptor = Acceptor(
            self._server,
            listening,
            self._tls,
            handshakes_max=self._limits.handshakes_max,
            timeout_s=self._limits.tls_handshake_timeout_s,
        )
        self._acceptor.start()
        _LOG.info("web.listening", host=self._host, port=self.port, tls=self._tls is not None)

    async def _listen(self) -> list[socket.socket]:
        """Open a listening socket for each address of the host; those of a switched-off family are left out.

        Raises:
            OSError: an address is taken, or none is ours.
        """
        found = await asyncio.get_running_loop().getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listening: list[socket.socket] = []
        missing: OSError | None = None
        for family, address in dict.fromkeys((one[0], one[4][:2]) for one in found):
            try:
                one = socket.create_server(address, family=family, backlog=self._limits.backlog)
            except OSError as error:
                if error.errno not in _NOT_OURS:
                    _close(listening)
                    raise
                missing = error
                continue
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._limits.receive_buffer_bytes)
            listening.append(one)
        if missing is not None and not listening:
            raise missing
        return listening

    async def stop(self) -> None:
        """Take no new connections, let requests under way finish, then close all."""
        if self._server is None:
            return
        if self._acceptor is not None:
            await self._acceptor.stop()
        await asyncio.sleep(0)  # what was accepted just now gets its turn
        self._server.pre_shutdown()
        await self._server.shutdown(self._limits.stop_timeout_s)
        self._server = self._acceptor = None


def _close(sockets: Sequence[socket.socket]) -> None:
    for one in sockets:
        one.close()


def build_tls_context(certificate_file: Path, key_file: Path) -> ssl.SSLContext:
    """Read the certificate chain and its key, for TLS 1.2 and later.

    Raises:
        ConfigError: a file cannot be read, or the two do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate_file, key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([f"TLS_CERT_FILE, TLS_KEY_FILE: cannot be used: {error}"]) from error
    return context
