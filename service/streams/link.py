"""The one door to Redis: sends a command or a script, and turns Redis' errors into ours.

Everything in `streams` goes through `RedisLink`; no other file sees an exception of the client library.
Must never wait without an end, and never let a refused script look like a broken connection.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from redis.exceptions import (
    NoScriptError,
    OutOfMemoryError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

from service.errors import (
    ConflictingVersionError,
    FencedError,
    GenerationMissingError,
    StreamError,
)

Argument: TypeAlias = str | int | float

_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SCRIPTS: Final = Path(__file__).parent / "scripts"
_SCAN_COUNT: Final = 1000


class GroupMissingError(StreamError):
    """The consumer group is gone, as after FLUSHALL: make it again."""


class _ScriptUnknownError(StreamError):
    """The server does not know the script yet, or was restarted."""


_REFUSALS: Final[Mapping[str, type[StreamError]]] = {
    "GENERATIONMISSING": GenerationMissingError,
    "VERSIONCONFLICT": ConflictingVersionError,
    "FENCED": FencedError,
    "NOGROUP": GroupMissingError,
    "UNBLOCKED": GroupMissingError,  # The stream went away under a blocked read.
}


class Client(Protocol):
    """What we need of redis-py's clients, for one server, sentinels or a cluster alike."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command and give its reply."""

    async def initialize(self) -> Any:
        """Find the servers of a cluster, once."""

    def get_node_from_key(self, key: str) -> Any:
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
        block_max_s: float = 2.5,
        is_cluster: bool = False,
    ) -> None:
        """Take over a client; `others` are closed with it."""
        self.client = client
        self._others = tuple(others)
        self.block_max_s = block_max_s
        self.is_cluster = is_cluster

    async def call(self, *command: Argument) -> Any:
        """Send one command; in a cluster, its key decides where to."""
        return await self._send(*command)

    async def call_at(self, of_slot: str, *command: Argument) -> Any:
        """Send a command that names no key to the server that holds the key `of_slot`."""
        if not self.is_cluster:
            return await self._send(*command)
        await self.client.initialize()
        return await self._send(*command, target_nodes=self.client.get_node_from_key(of_slot))

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Run a script; its text is sent only where the server does not know it yet."""
        try:
            return await self._send("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except _ScriptUnknownError:
            return await self._send("EVAL", script.source, len(keys), *keys, *arguments)

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

    async def _send(self, *command: Argument, **options: Any) -> Any:
        try:
            return await self.client.execute_command(*command, **options)
        except (RedisError, RedisClusterException, OSError) as error:
            raise translate_error(error) from error


def translate_error(error: Exception) -> StreamError:
    """Give our error for one of the client library; scripts refuse with a word that names the error."""
    if isinstance(error, NoScriptError):
        return _ScriptUnknownError(str(error))
    if isinstance(error, OutOfMemoryError):
        return StreamError(f"Redis is full and takes no writes: {error}")
    if isinstance(error, ResponseError):
        word, _, text = str(error).partition(" ")
        return _REFUSALS[word](text) if word in _REFUSALS else StreamError(f"Redis refused: {error}")
    return StreamError(f"Redis is away: {error}")


def to_ms(at: datetime) -> int:
    """Give an aware instant as milliseconds since 1970, cut off."""
    return (at - _1970) // timedelta(milliseconds=1)


def to_duration_ms(seconds: float) -> int:
    """Give a duration as Redis takes it: whole milliseconds, at least one."""
    return max(round(seconds * 1000), 1)


def pair_up(flat: Sequence[str]) -> dict[str, str]:
    """Read name, value, name, value.. as Redis gives fields."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
