"""Appends to the intake stream for many requests at once, over one connection. Says stored only when it is.

Requests that wait at the same time travel together: a batch goes out in one write, its replies come back
in order, each waiter gets its own; meanwhile the next batch gathers. Entries of one request are stored all or
not at all. A waiter that goes away changes nothing for the others. When the connection breaks, everyone who
waits is told at once, for a reply that is lost is no reply; what was stored nevertheless comes again and
is harmless.
Must never trim the intake stream, and never retry by itself: Graph does that, for hours.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/, https://redis.io/docs/latest/commands/waitaof/
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import structlog
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from service.clock import Clock
from service.errors import StreamError
from service.intake.resp import pack_command, pack_entries
from service.metrics import Metrics

_LOG: Final = structlog.get_logger(__name__)
_FENCE_SHARE: Final = 0.8
"""Part of the time limit that the server may wait for a disk or a replica, so that its answer is heard."""
_NO_TOKENS: Final[Mapping[str, str]] = {}
_PING: Final = pack_command("PING")
_ELSEWHERE: Final = (ReadOnlyError, AskError, MovedError, ClusterDownError, MasterDownError)
"""Refusals which say that this server is not, or no longer, the one to write to."""


class Durability(StrEnum):
    """What a stored entry survives; settings of the server are the operator's part of the promise."""

    MEMORY = "memory"
    FSYNC = "fsync"
    REPLICA = "replica"


class RedisConnection(Protocol):
    """The part of redis-py's connections that is used here: already connected, signed in, database chosen.

    Attributes:
        socket_timeout: switched off; a whole batch has one deadline.
    """

    socket_timeout: float | None

    async def send_packed_command(self, command: bytes, check_health: bool = True) -> None: ...
    async def read_response(self, disable_decoding: bool = False) -> object: ...
    async def disconnect(self, nowait: bool = False) -> None: ...


class AppendFault(StrEnum):
    """Why an append failed, for metrics: `FULL` is Redis without room, `CROWDED` too many who wait here."""

    AWAY = "away"
    CROWDED = "crowded"
    FULL = "full"
    REFUSED = "refused"
    NOT_DURABLE = "not_durable"


@dataclass(slots=True)
class _Ask:
    """One waiter: what it sends, and where its answer goes."""

    command: bytes
    replies: int
    future: asyncio.Future[None]


class Appender:
    """Appends entries to the intake stream; `run` must be running for anything to be stored."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[RedisConnection]],
        stream: str,
        *,
        clock: Clock,
        metrics: Metrics,
        durability: Durability = Durability.MEMORY,
        append_timeout_s: float = 2.5,
        connect_timeout_s: float = 2.0,
        reconnect_wait_max_s: float = 1.0,
        idle_check_s: float = 1.0,
        waiting_max: int = 10_000,
        tokens_kept_s: float = 86_400.0,
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            connect: gives a new connection to the server that takes writes for this key; may raise
                redis-py's errors, `OSError` and `StreamError`.
            stream: key of the intake stream.
            append_timeout_s: for one batch, there and back; Graph counts an answer after 3 s as slow.
            idle_check_s: how long a silent connection is believed in.
            waiting_max: requests that may wait at one time; more are refused.
            tokens_kept_s: how long validation tokens wait for the worker.
        """
        self._connect = connect
        self._stream = stream
        self._clock = clock
        self._metrics = metrics
        self._durability = durability
        self._append_timeout_s = append_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._reconnect_wait_max_s = reconnect_wait_max_s
        self._idle_check_s = idle_check_s
        self._waiting_max = waiting_max
        self._tokens_kept_s = str(max(round(tokens_kept_s), 1))
        self._probe = pack_command("SETRANGE", _beside(stream, "probe"), "0", "")
        self._waiting: list[_Ask] = []
        self._in_flight: list[_Ask] = []
        self._arrival = asyncio.Event()
        self._fault = "not connected yet"

    def append(
        self, entries: Sequence[Mapping[str, str]], tokens: Mapping[str, str] = _NO_TOKENS
    ) -> Awaitable[None]:
        """Append all, in order, atomically; to be awaited until they are stored as `durability` promises.

        May be cancelled; the entries are then stored or not, and nobody else notices.

        Args:
            entries: the flat fields of each, as `IntakeEntry.to_fields` gives them.
            tokens: validation tokens by their digests; each is kept once, however many entries name it.

        Raises:
            StreamError: they are not, or may not be, stored.
        """
        if not entries:
            return _nothing()
        kept = [
            pack_command("SET", name_token(self._stream, digest), token, "EX", self._tokens_kept_s)
            for digest, token in tokens.items()
        ]
        return self._ask(*pack_entries(self._stream, entries, kept))

    @property
    def waiting(self) -> int:
        """How many requests wait for Redis now."""
        return len(self._waiting) + len(self._in_flight)

    async def check(self) -> str:
        """Say why Redis does not take writes as durably as promised; empty where it does. Writes nothing."""
        try:
            await self._ask(self._probe, 1)
        except StreamError as error:
            return str(error)
        return ""

    def _ask(self, command: bytes, replies: int) -> asyncio.Future[None]:
        if self._fault:
            raise self._failed(AppendFault.AWAY, f"Redis is away: {self._fault}")
        if self.waiting >= self._waiting_max:
            raise self._failed(AppendFault.CROWDED, f"{self._waiting_max} requests wait for Redis already")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Ask(command, replies, future))
        self._arrival.set()
        return future

    # --- The one connection ---

    async def run(self) -> None:
        """Keep a connection and serve it; ends only when cancelled, then nobody is left waiting."""
        wait_s = 0.0
        try:
            while True:
                await self._clock.sleep(wait_s)
                wait_s = await self._connect_and_serve(wait_s)
        finally:
            self._fail_all("the service is stopping")

    async def _connect_and_serve(self, waited_s: float) -> float:
        """Serve one connection until it breaks; gives how long to wait before the next try."""
        connection: RedisConnection | None = None
        was_served = False
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                connection = await self._connect()
                connection.socket_timeout = None
                fence = await self._choose_fence(connection)
            self._fault, was_served = "", True
            _LOG.info("intake.connected", durability=self._durability.value)
            await self._serve(connection, fence)
        except (RedisError, OSError, TimeoutError, StreamError) as error:
            self._fail_all(_describe(error))
            _LOG.warning("intake.disconnected", error=_describe(error), wait_s=waited_s)
        finally:
            if connection is not None:
                await _close(connection)
        return 0.0 if was_served else min(max(2 * waited_s, 0.05), self._reconnect_wait_max_s)

    async def _choose_fence(self, connection: RedisConnection) -> bytes:
        """Give the command that ends each batch and holds the replies until it is as durable as promised."""
        limit_ms = str(int(self._append_timeout_s * _FENCE_SHARE * 1000))
        match self._durability:
            case Durability.MEMORY:
                return b""
            case Durability.REPLICA:
                return pack_command("WAIT", "1", limit_ms)
            case Durability.FSYNC if await _is_always_synced(connection):
                return b""
            case Durability.FSYNC:
                return pack_command("WAITAOF", "1", "0", limit_ms)

    async def _serve(self, connection: RedisConnection, fence: bytes) -> None:
        while True:
            await self._gather()
            if self._in_flight:
                await self._exchange(connection, fence)
            else:
                await self._check_idle(connection)

    async def _gather(self) -> None:
        """Put into flight all who wait now; nobody, when none came for a while."""
        if not self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._idle_check_s):
                    await self._arrival.wait()
        self._arrival.clear()
        self._in_flight, self._waiting = self._waiting, []

    async def _check_idle(self, connection: RedisConnection) -> None:
        """Find out that a silent connection is dead before somebody needs it."""
        async with asyncio.timeout(self._append_timeout_s):
            await connection.send_packed_command(_PING, check_health=False)
            await connection.read_response(disable_decoding=True)

    async def _exchange(self, connection: RedisConnection, fence: bytes) -> None:
        """Send what is in flight and hand out the replies; with a fence, once that is answered too."""
        batch = self._in_flight
        started = self._clock.monotonic()
        errors: list[ResponseError | None] = []
        async with asyncio.timeout(self._append_timeout_s):
            packed = b"".join([ask.command for ask in batch]) + fence
            await connection.send_packed_command(packed, check_health=False)
            for ask in batch:
                error = await _read_replies(connection, ask.replies)
                errors.append(error)
                if not fence:
                    self._answer(ask, error)
            shortfall = await _read_fence(connection, self._durability) if fence else ""
        if fence:
            for ask, error in zip(batch, errors, strict=True):
                self._answer(ask, error, shortfall)
        self._in_flight = []
        self._metrics.append_seconds.observe(self._clock.monotonic() - started)
        self._metrics.append_batch.observe(len(batch))
        if elsewhere := next((error for error in errors if isinstance(error, _ELSEWHERE)), None):
            raise elsewhere

    # --- Answers ---

    def _answer(self, ask: _Ask, error: ResponseError | None, shortfall: str = "") -> None:
        if ask.future.done():
            return
        if isinstance(error, OutOfMemoryError):
            ask.future.set_exception(self._failed(AppendFault.FULL, f"Redis is full: {error}"))
        elif error is not None:
            ask.future.set_exception(self._failed(AppendFault.REFUSED, f"Redis refused: {error}"))
        elif shortfall:
            ask.future.set_exception(self._failed(AppendFault.NOT_DURABLE, shortfall))
        else:
            ask.future.set_result(None)

    def _fail_all(self, fault: str) -> None:
        self._fault = fault
        told = self._in_flight + self._waiting
        self._in_flight, self._waiting = [], []
        for ask in told:
            if not ask.future.done():
                ask.future.set_exception(self._failed(AppendFault.AWAY, f"Redis is away: {fault}"))

    def _failed(self, fault: AppendFault, message: str) -> StreamError:
        self._metrics.append_failures.labels(fault.value).inc()
        return StreamError(message)


async def _nothing() -> None:
    """Store nothing: done at once."""


async def _read_replies(connection: RedisConnection, count: int) -> ResponseError | None:
    """Read the replies of one waiter to the end; gives the first error among them.

    Raises:
        RedisError: the connection broke.
    """
    first: ResponseError | None = None
    for _ in range(count):
        try:
            reply = await connection.read_response(disable_decoding=True)
        except ResponseError as error:
            first = first or error
        else:
            if isinstance(reply, list):
                first = first or next((part for part in reply if isinstance(part, ResponseError)), None)
    return first


async def _read_fence(connection: RedisConnection, durability: Durability) -> str:
    """Read what WAIT or WAITAOF answers; gives what is missing in words, empty if nothing."""
    try:
        reply = await connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return f"DURABILITY={durability} cannot be kept: {error}"
    confirmed = reply[0] if isinstance(reply, list) else reply
    return "" if confirmed else f"DURABILITY={durability} was not reached in time"


async def _is_always_synced(connection: RedisConnection) -> bool:
    """Tell whether the server syncs its append-only file before it replies; False where it does not say."""
    answers = []
    for name in ("appendonly", "appendfsync"):
        await connection.send_packed_command(pack_command("CONFIG", "GET", name), check_health=False)
        try:
            answers.append(await connection.read_response(disable_decoding=True))
        except ResponseError:
            answers.append(None)
    return answers == [[b"appendonly", b"yes"], [b"appendfsync", b"always"]]


async def _close(connection: RedisConnection) -> None:
    with contextlib.suppress(RedisError, OSError, TimeoutError):
        await connection.disconnect(nowait=True)


def name_token(stream: str, digest: str) -> str:
    """Name the key of a validation token, in the cluster slot of the intake stream."""
    return _beside(stream, f"token:{digest}")


def _beside(stream: str, name: str) -> str:
    """Name a key in the same cluster slot as the stream."""
    return f"{stream}:{name}" if "{" in stream else f"{{{stream}}}:{name}"


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
