"""The one door to Redis: sends a command or a script, in bounded time, and turns Redis' errors into ours.

Everything in `streams` goes through `RedisLink`; no other file sees an exception of the client library.
Must never wait without an end, and never let a refused script look like a broken connection.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoScriptError,
    OutOfMemoryError,
    RedisClusterException,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.errors import (
    ConflictingVersionError,
    FencedError,
    GenerationMissingError,
    OwnerForgottenError,
    StreamError,
)

Argument: TypeAlias = str | int | float

_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SCRIPTS: Final = Path(__file__).parent / "scripts"
_SCAN_COUNT: Final = 1000
_FULL: Final = "Redis is full and takes no writes"
_BLOCK_SHARE: Final = 0.5
"""A blocking read asks Redis to wait for this part of the time limit of a command, so that it ends first."""


class GroupMissingError(StreamError):
    """The consumer group is gone, as after FLUSHALL: make it again."""


class _ScriptUnknownError(StreamError):
    """The server does not know the script yet, or was restarted."""


class _BrokenConnectionError(StreamError):
    """The connection broke or could not be made: another try may find the server again."""


_REFUSALS: Final[Mapping[str, type[StreamError]]] = {
    "GENERATIONMISSING": GenerationMissingError,
    "OWNERFORGOTTEN": OwnerForgottenError,
    "VERSIONCONFLICT": ConflictingVersionError,
    "FENCED": FencedError,
    "NOGROUP": GroupMissingError,
    "UNBLOCKED": GroupMissingError,  # The stream went away under a blocked read.
}


class Receiver(Protocol):
    """What a command can be sent to: a client, or one server of a cluster."""

    async def execute_command(self, *args: Any) -> Any:
        """Send one command and give its reply."""


class Client(Receiver, Protocol):
    """What we need of redis-py's clients, for one server, sentinels or a cluster alike."""

    async def initialize(self) -> Any:
        """Find the servers of a cluster, once."""

    def get_node_from_key(self, key: str) -> Receiver:
        """Give the server of a cluster that holds a key; only the cluster's client has this."""

    async def aclose(self) -> None:
        """Close all connections."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script: one atomic step."""

    source: str
    sha: str


def load_script(name: str) -> Script:
    """Read a script of `scripts/` by its name without `.lua`."""
    source = (_SCRIPTS / f"{name}.lua").read_text(encoding="utf-8")
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


class RedisLink:
    """Sends commands; every method raises `StreamError` where Redis refuses or is away.

    Attributes:
        client: of the client library; used directly by nobody but `connection.py`.
        block_max_s: the longest time that a blocking command may ask Redis to wait.
        is_cluster: keys of different slots cannot be named in one command.
    """

    def __init__(
        self,
        client: Client,
        *,
        others: Sequence[Client] = (),
        is_cluster: bool = False,
        command_timeout_s: float = 5.0,
        retries_max: int = 3,
        retry_wait_s: float = 0.05,
    ) -> None:
        """Take over a client.

        Args:
            others: clients that are closed with it.
            command_timeout_s: for one command, there and back, and for connecting where that is needed.
            retries_max: more tries when a connection broke; harmless, since every step may be taken twice.
                A command that took too long is not tried again: the server is there and does not answer.
            retry_wait_s: before the first of them; doubles each time.
        """
        self.client = client
        self.is_cluster = is_cluster
        self.block_max_s = command_timeout_s * _BLOCK_SHARE
        self._others = tuple(others)
        self._command_timeout_s = command_timeout_s
        self._retries_max = retries_max
        self._retry_wait_s = retry_wait_s

    async def call(self, *command: Argument) -> Any:
        """Send one command; in a cluster, its key decides where to."""
        return await self._send(self.client, *command)

    async def call_at(self, of_slot: str, *command: Argument) -> Any:
        """Send a command that names no key to the server that holds the key `of_slot`."""
        if not self.is_cluster:
            return await self._send(self.client, *command)
        await self._ask(self.client.initialize())
        return await self._send(self.client.get_node_from_key(of_slot), *command)

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Run a script; its text is sent only where the server does not know it yet."""
        try:
            return await self._send(self.client, "EVALSHA", script.sha, len(keys), *keys, *arguments)
        except _ScriptUnknownError:
            return await self._send(self.client, "EVAL", script.source, len(keys), *keys, *arguments)

    async def scan(self, of_slot: str, pattern: str) -> AsyncIterator[list[str]]:
        """Give the names of keys that match, page by page; a name may come twice.

        Args:
            of_slot: a key of the same slot: in a cluster, the server that holds it is asked.
        """
        cursor = 0
        while True:
            scan = ("SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT)
            cursor, names = await self.call_at(of_slot, *scan)
            if names:
                yield names
            if cursor == 0:
                return

    async def aclose(self) -> None:
        """Close all connections."""
        for client in (self.client, *self._others):
            await client.aclose()

    async def _send(self, to: Receiver, *command: Argument) -> Any:
        for attempt in range(self._retries_max):
            try:
                return await self._ask(to.execute_command(*command))
            except _BrokenConnectionError:
                await asyncio.sleep(self._retry_wait_s * 2**attempt)
        return await self._ask(to.execute_command(*command))

    async def _ask(self, asking: Awaitable[Any]) -> Any:
        task = asyncio.current_task()
        cancels = task.cancelling() if task else 0
        try:
            async with asyncio.timeout(self._command_timeout_s):
                return await asking
        except (RedisError, RedisClusterException, OSError, TimeoutError) as error:
            raise translate_error(error) from error
        finally:
            # The client library's time limits use `asyncio.wait_for`, which may swallow a cancellation before
            # Python 3.12; see https://github.com/python/cpython/issues/86296
            if task and task.cancelling() > cancels:
                raise asyncio.CancelledError


def translate_error(error: Exception) -> StreamError:
    """Give our error for one of the client library; scripts refuse with a word that names the error."""
    if isinstance(error, ResponseError):
        return _translate_refusal(error)
    if isinstance(error, AuthenticationError | AuthorizationError):
        return StreamError(f"Redis refused: {error}")
    if isinstance(error, TimeoutError | RedisTimeoutError):
        return StreamError("Redis is away: it did not answer in time")
    # Of sentinels the client library says more than it should, beginning with its own configuration.
    told = str(error).split(" : <", 1)[0]
    if isinstance(error, RedisConnectionError | OSError):
        return _BrokenConnectionError(f"Redis is away: {told}")
    return StreamError(f"Redis is away: {told}")


def _translate_refusal(error: ResponseError) -> StreamError:
    if isinstance(error, NoScriptError):
        return _ScriptUnknownError(str(error))
    if isinstance(error, OutOfMemoryError):
        return StreamError(f"{_FULL}: {error}")
    word, _, text = str(error).partition(" ")
    return _REFUSALS[word](text) if word in _REFUSALS else StreamError(f"Redis refused: {error}")


def is_full(words: str) -> bool:
    """Tell by the words of a `StreamError` whether Redis had no room."""
    return words.startswith(_FULL)


def to_ms(at: datetime) -> int:
    """Give an aware instant as milliseconds since 1970, cut off."""
    return (at - _1970) // timedelta(milliseconds=1)


def to_duration_ms(seconds: float) -> int:
    """Give a duration as Redis takes it: whole milliseconds, at least one."""
    return max(round(seconds * 1000), 1)


def pair_up(flat: Sequence[str]) -> dict[str, str]:
    """Read name, value, name, value.. as Redis gives fields."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
