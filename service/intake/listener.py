"""The public listener: its socket, TLS, and a stop that lets requests finish.

What connections may do and cost stands in `connections.py`. Must never listen elsewhere than told.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Final

import structlog

from service.errors import ConfigError
from service.intake.connections import Connections, Handle, ListenerLimits
from service.intake.handshakes import Handshakes
from service.metrics import Metrics

__all__ = ["ListenerLimits", "PublicListener", "build_tls_context"]

_LOG: Final = structlog.get_logger(__name__)


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
        self._listener: asyncio.Server | None = None
        self._handshakes: Handshakes | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        if self._handshakes is not None:
            return self._handshakes.port
        assert self._listener is not None, "started"
        return int(self._listener.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: the address is taken, or not ours.
        """
        self._server = Connections(self._handle, self._metrics, self._limits)
        try:
            if self._tls is None:
                self._listener = await asyncio.get_running_loop().create_server(
                    self._server, self._host, self._port, backlog=self._limits.backlog
                )
            else:
                self._handshakes = Handshakes(
                    self._server,
                    await self._listen(),
                    self._tls,
                    handshakes_max=self._limits.handshakes_max,
                    timeout_s=self._limits.tls_handshake_timeout_s,
                )
                self._handshakes.start()
        except OSError as error:
            raise ConfigError([f"HOST/PORT: cannot listen on {self._host}:{self._port}: {error}"]) from error
        _LOG.info("web.listening", host=self._host, port=self.port, tls=self._tls is not None)

    async def _listen(self) -> socket.socket:
        """Open the listening socket for `Handshakes`.

        Raises:
            OSError: the address is taken, or not ours.
        """
        found = await asyncio.get_running_loop().getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        listening = socket.create_server(
            (self._host, self._port), family=found[0][0], backlog=self._limits.backlog
        )
        listening.setblocking(False)
        return listening

    async def stop(self) -> None:
        """Take no new connections, let requests under way finish, then close all."""
        if self._server is None:
            return
        if self._listener is not None:
            self._listener.close()
        if self._handshakes is not None:
            await self._handshakes.stop()
        await asyncio.sleep(0)  # what was accepted just now gets its turn
        self._server.pre_shutdown()
        await self._server.shutdown(self._limits.stop_timeout_s)
        self._listener = self._server = self._handshakes = None


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
