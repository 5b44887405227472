"""The public listener: sockets, TLS, connection limits, and a stop that lets requests finish.

Must never answer a broken request with any of its words: the parser's own messages quote what they refuse.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from service.errors import ConfigError
from service.intake.reply import Reply
from service.metrics import Metrics

_LOG: Final = structlog.get_logger(__name__)

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerLimits:
    """What connections may cost.

    Attributes:
        connections_max: open at one time; beyond, the oldest without a request under way is closed.
        keepalive_timeout_s: how long a connection may stay without a complete head of a request.
        header_bytes_max: of the request line, and of one header.
        headers_max: headers of one request.
        tls_handshake_timeout_s: for the TLS handshake.
        stop_timeout_s: how long a stop waits for requests under way.
        backlog: connections that the system may hold before we take them.
    """

    connections_max: int = 2000
    keepalive_timeout_s: float = 60.0
    header_bytes_max: int = 8190
    headers_max: int = 64
    tls_handshake_timeout_s: float = 10.0
    stop_timeout_s: float = 15.0
    backlog: int = 512


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
        self._server: _Server | None = None
        self._listener: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._listener is not None, "started"
        return int(self._listener.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: the address is taken, or not ours.
        """
        self._server = _Server(self._handle, self._metrics, self._limits)
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._server,
                self._host,
                self._port,
                ssl=self._tls,
                backlog=self._limits.backlog,
                ssl_handshake_timeout=self._limits.tls_handshake_timeout_s if self._tls else None,
            )
        except OSError as error:
            raise ConfigError([f"HOST/PORT: cannot listen on {self._host}:{self._port}: {error}"]) from error
        _LOG.info("web.listening", host=self._host, port=self.port, tls=self._tls is not None)

    async def stop(self) -> None:
        """Take no new connections, let requests under way finish, then close all."""
        if self._listener is None or self._server is None:
            return
        self._listener.close()
        await asyncio.sleep(0)  # what was accepted just now gets its turn
        self._server.pre_shutdown()
        await self._server.shutdown(self._limits.stop_timeout_s)
        self._listener = self._server = None


class _Server(web.Server):
    """aiohttp's low-level server with a bound on connections and mute refusals."""

    def __init__(self, handle: Handle, metrics: Metrics, limits: ListenerLimits) -> None:
        super().__init__(handle)
        self.metrics = metrics
        self._connections_max = limits.connections_max
        self._protocol_arguments: dict[str, Any] = {
            "keepalive_timeout": limits.keepalive_timeout_s,
            "max_line_size": limits.header_bytes_max,
            "max_field_size": limits.header_bytes_max,
            "max_headers": limits.headers_max,
            "auto_decompress": False,
            "access_log": None,
            # A client that is still sending what we refuse must get to read why.
            "lingering_time": 2.0,
        }

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=asyncio.get_running_loop(), **self._protocol_arguments)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._connections) > self._connections_max:
            self._shed(transport)

    def _shed(self, newest: asyncio.Transport) -> None:
        """Close the oldest idle connection; the newest where none is idle."""
        idle = (held for held in self.connections if isinstance(held, _Protocol) and held.is_idle)
        oldest = next((held.transport for held in idle if held.transport not in (None, newest)), newest)
        oldest.abort()


class _Protocol(web.RequestHandler):
    """aiohttp's connection, except for what it says and logs when a request cannot be read."""

    __slots__ = ()

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way; one whose head is still arriving does not count."""
        return self._current_request is None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser or a handler gave up on; `message` quotes the request and is left out."""
        server = self._manager
        if isinstance(server, _Server):
            route = "unreadable" if status < 500 else "failed"
            server.metrics.web_requests.labels(route, str(status)).number += 1
        if status >= 500:
            _LOG.error("web.request_failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun; the connection must end")
        reply = Reply(status)
        reply.force_close()
        return reply


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
