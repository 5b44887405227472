"""Raw bytes to a listener, as an attacker sends them: no client library corrects or refuses anything.

Must never fail because the other side closed: that is an answer, too.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What came back on one connection until the other side closed it, or answered once."""

    raw: bytes

    @property
    def statuses(self) -> list[int]:
        """Give the status of each answer, in order; empty where the connection was closed without one."""
        return [int(found) for found in re.findall(rb"(?:^|\n)HTTP/1\.[01] (\d{3}) ", self.raw)]

    @property
    def status(self) -> int:
        """Give the status of the first answer; 0 where there was none."""
        return next(iter(self.statuses), 0)


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> bool:
        """Send bytes; tells whether the connection was still open."""
        if self._writer.transport.is_closing() or self._reader.exception() is not None:
            return False
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            return False
        return True

    async def read_head(self) -> Answers:
        """Read until the end of an answer's head, or of the connection."""
        return await self.read_head_within(PATIENCE_S)

    async def read_head_within(self, seconds: float) -> Answers:
        """Read as `read_head` does, but give up without an answer where none comes in time."""
        raw = b""
        with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(seconds):
                raw = await self._reader.readuntil(b"\r\n\r\n")
        return Answers(raw=raw)

    async def read_to_end(self) -> Answers:
        """Read until the other side closes."""
        raw = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                while piece := await self._reader.read(65_536):
                    raw += piece
        return Answers(raw=raw)

    @property
    def is_closed(self) -> bool:
        """Tell whether the other side has closed the connection."""
        return self._reader.at_eof() or self._reader.exception() is not None

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@asynccontextmanager
async def open_wire(port: int) -> AsyncIterator[Wire]:
    """Connect to a port of this machine for as long as the block lasts."""
    wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield wire
    finally:
        await wire.close()


@asynccontextmanager
async def open_wires(port: int, count: int) -> AsyncIterator[Sequence[Wire]]:
    """Connect many times."""
    wires = [Wire(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(count)]
    try:
        yield wires
    finally:
        for wire in wires:
            await wire.close()


async def exchange(port: int, *pieces: bytes) -> Answers:
    """Send pieces over one connection, and read until the other side closes it."""
    async with open_wire(port) as wire:
        for piece in pieces:
            if not await wire.send(piece):
                break
        return await wire.read_to_end()


def build_request(
    body: bytes = b'{"value": []}',
    *,
    line: str = "POST /graph/notifications HTTP/1.1",
    headers: Sequence[str] = (),
    media_type: str = "application/json",
    closes: bool = True,
) -> bytes:
    """Build a request of one piece; with `closes` the other side closes after its answer."""
    lines = [line, "Host: x", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *headers]
    lines += ["Connection: close"] if closes else []
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def build_chunked(*, headers: Sequence[str] = ()) -> bytes:
    """Build the head of a request whose body follows in chunks."""
    lines = [
        "POST /graph/notifications HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"
