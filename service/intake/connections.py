"""What connections to the public listener may do and cost; who must go where there are too many.

Whoever reaches the listener may open a connection and then say nothing, say it slowly, or never read the
answer. Each of these is bounded in time, and all together in number and in bytes; what came first and still
keeps us waiting goes first, so that honest requests, which come at once and whole, find room.
Must never answer a broken request with any of its words: the parser's own messages quote what they refuse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiohttp import StreamReader, web

from service.intake.reply import Reply
from service.metrics import Metrics

_LOG: Final = structlog.get_logger(__name__)
_CHUNK_BYTES_SMALL: Final = 16_384
"""What comes in one go with a whole request and is no longer than this is taken to be that request alone."""
_SEALED_BODY_BYTES_MAX: Final = 16_384
"""A larger body leaves hundreds of kilobytes in the buffers of its TLS connection as long as that stays."""
_SEALED_BUFFER_BYTES: Final = 8192
"""What may wait in front of us of a body over TLS, before it is let wait on the way: twice as much."""

_REFUSED_FROM: Final = 400
_FAILED_FROM: Final = 500

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerLimits:
    """What connections may cost.

    Attributes:
        connections_max: open at one time; beyond, the oldest that keeps us waiting is closed.
        tls_connections_max: the same where they speak TLS with us, which costs ten times as much of each.
        keepalive_timeout_s: how long a connection may stay without a complete head of a request.
        header_bytes_max: of the request line, and of one header.
        headers_max: headers of one request.
        heads_bytes_max: of all heads that are still arriving, together; beyond, the largest is closed.
        chunks_max: pieces in which a body may come that has no length; beyond, the connection is closed.
        refusal_delay_s: how long each refusal is held back.
        refusals_waiting_max: refusals held back at one time; beyond, they go out at once.
        answer_timeout_s: how long a client may leave its answers unread once they do not fit its socket.
        tls_handshake_timeout_s: for the TLS handshake.
        handshakes_max: TLS handshakes under way at one time; beyond, the oldest is broken off.
        stop_timeout_s: how long a stop waits for requests under way.
        backlog: connections that the system may hold before we take them.
        receive_buffer_bytes: what the system may hold of what a connection brings; Linux takes it twice.
    """

    connections_max: int = 2000
    tls_connections_max: int = 64
    keepalive_timeout_s: float = 60.0
    header_bytes_max: int = 8190
    headers_max: int = 64
    heads_bytes_max: int = 4_000_000
    chunks_max: int = 4096
    refusal_delay_s: float = 0.25
    refusals_waiting_max: int = 256
    answer_timeout_s: float = 10.0
    tls_handshake_timeout_s: float = 10.0
    handshakes_max: int = 64
    stop_timeout_s: float = 15.0
    backlog: int = 512
    receive_buffer_bytes: int = 65_536


class Connections(web.Server):
    """aiohttp's low-level server with bounds on connections."""

    def __init__(
        self, handle: Handle, metrics: Metrics, limits: ListenerLimits, *, is_tls: bool = False
    ) -> None:
        super().__init__(handle)
        self.is_tls = is_tls
        self._connections_max = limits.tls_connections_max if is_tls else limits.connections_max
        self.metrics = metrics
        self.limits = limits
        self._heads_bytes = 0
        self._refusals_waiting = 0
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
        if is_tls:
            self._protocol_arguments["read_bufsize"] = _SEALED_BUFFER_BYTES

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=asyncio.get_running_loop(), **self._protocol_arguments)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Take one more; close another where that is one too many."""
        super().connection_made(handler, transport)
        if len(self._connections) > self._connections_max:
            self._abort(self._find_oldest_waiting(handler))

    async def hold_back_refusal(self) -> None:
        """Let whoever is refused wait: who sends one bad request after another is slowed down, not we."""
        if self._refusals_waiting >= self.limits.refusals_waiting_max:
            return
        self._refusals_waiting += 1
        try:
            await asyncio.sleep(self.limits.refusal_delay_s)
        finally:
            self._refusals_waiting -= 1

    def note_head_bytes(self, change: int) -> None:
        """Note that an unfinished head has grown, or is complete; close the largest of too many."""
        self._heads_bytes += change
        if change > 0 and self._heads_bytes > self.limits.heads_bytes_max:
            self._abort(max(self._connections, key=_weigh_head))

    def _find_oldest_waiting(self, newest: web.RequestHandler) -> web.RequestHandler:
        """Give the oldest connection that keeps us waiting, one that never asked anything before all others.

        The newest where there is none: everyone else has a request that is being stored.
        """
        found = newest
        for held in self._connections:
            if held is newest or not isinstance(held, Connection) or not held.keeps_us_waiting:
                continue
            if not held.has_asked:
                return held
            found = held if found is newest else found
        return found

    def _abort(self, held: web.RequestHandler) -> None:
        """Close a connection without a word; it counts no more from now on."""
        transport = self._connections.pop(held, None)
        if isinstance(held, Connection):
            held.forget_head()
        if transport is not None:
            transport.abort()


class Connection(web.RequestHandler):
    """aiohttp's connection with bounds on head and answers, and mute where a request cannot be read."""

    __slots__ = ("_answers_unread", "_connections", "_line_ends", "_newest_body", "head_bytes")

    def __init__(self, connections: Connections, **arguments: Any) -> None:
        super().__init__(connections, **arguments)
        self._connections = connections
        self._newest_body: StreamReader | None = None
        self._answers_unread: asyncio.TimerHandle | None = None
        self._line_ends = 0
        self.head_bytes = 0
        """At most so many bytes of a head have come that is not complete yet."""

    @property
    def keeps_us_waiting(self) -> bool:
        """Whether it is the client's turn: to send a request or the rest of one, or to read its answers."""
        if self._newest_body is None or not self._newest_body.is_eof() or self.writing_paused:
            return True
        return self._waiter is not None and not self._waiter.done()

    @property
    def has_asked(self) -> bool:
        """Whether a whole request has ever come."""
        is_whole = self._newest_body is not None and self._newest_body.is_eof()
        return self._request_count > 1 or is_whole

    def data_received(self, data: bytes) -> None:
        """Parse what came, and count it where it is, or may be, part of an unfinished head."""
        requests_before, body_bytes = self._request_count, self._body_bytes
        if self._has_too_many_pieces(data):
            return
        super().data_received(data)
        if self._request_count != requests_before:
            self.forget_head()
            self._line_ends = body_bytes = 0
            if self._messages:
                self._newest_body = self._messages[-1][1]
            if len(data) <= _CHUNK_BYTES_SMALL:
                return
        if self._newest_body is None or self._newest_body.is_eof():
            self._note_head_bytes(len(data) - (self._body_bytes - body_bytes))

    @property
    def _body_bytes(self) -> int:
        """How much of the newest body has come."""
        return 0 if self._newest_body is None else self._newest_body.total_bytes

    def _note_head_bytes(self, count: int) -> None:
        if count > 0:
            self.head_bytes += count
            self._connections.note_head_bytes(count)

    def _has_too_many_pieces(self, data: bytes) -> bool:
        """Close the connection where a body comes in too many chunks: each costs as much as a kilobyte.

        Told before parsing, by the ends of lines: every chunk has two, and JSON as Graph sends it has none.
        """
        if len(data) <= _CHUNK_BYTES_SMALL and (self._newest_body is None or self._newest_body.is_eof()):
            return False
        self._line_ends += data.count(b"\r\n")
        if self._line_ends <= 2 * self._connections.limits.chunks_max:
            return False
        if self.transport is not None:
            self.transport.abort()
        return True

    def forget_head(self) -> None:
        """Note that nothing of a head is held any more."""
        if self.head_bytes:
            self._connections.note_head_bytes(-self.head_bytes)
            self.head_bytes = 0

    def pause_writing(self) -> None:
        """Note that answers are not read; give the client some time for it."""
        super().pause_writing()
        if self.transport is not None:
            timeout_s = self._connections.limits.answer_timeout_s
            self._answers_unread = self._loop.call_later(timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that answers are read again."""
        super().resume_writing()
        self._stop_timer()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give back what was held."""
        self._stop_timer()
        self.forget_head()
        super().connection_lost(exc)

    def _stop_timer(self) -> None:
        if self._answers_unread is not None:
            self._answers_unread.cancel()
            self._answers_unread = None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; a refusal, also of what the parser could not read, a little later."""
        if _REFUSED_FROM <= resp.status < _FAILED_FROM:
            await self._connections.hold_back_refusal()
        is_bloated = self._connections.is_tls and self._body_bytes > _SEALED_BODY_BYTES_MAX
        if is_bloated:
            resp.force_close()
        finished = await super().finish_response(request, resp, start_time)
        if is_bloated:
            self.close()
        return finished

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser or a handler gave up on; `message` quotes the request and is left out."""
        route = "unreadable" if status < 500 else "failed"
        self._connections.metrics.web_requests.labels(route, str(status)).number += 1
        if status >= 500:
            _LOG.error("web.request_failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun; the connection must end")
        reply = Reply(status)
        reply.force_close()
        return reply


def _weigh_head(held: web.RequestHandler) -> int:
    """Give how much of a head a connection holds; one with a request under way counts as none."""
    return held.head_bytes if isinstance(held, Connection) and held.keeps_us_waiting else 0
