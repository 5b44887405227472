"""Updates of all partitions, read as one consumer of a group; each is acknowledged once it was handled.

Logs to the standard library's logger `service.consumer`, since it runs inside other programs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from redis.credentials import CredentialProvider

from service.consuming.member import Entry, Member, Trimmed
from service.consuming.seen import Gap, Novelty, Seen
from service.consuming.update import NotAnUpdateError, Update, parse_update
from service.entries import IntakeEntry, Kind, Origin
from service.errors import ConfigError, StreamError
from service.streams.connection import RedisLimits, RedisTarget, connect
from service.streams.keys import KeyNames
from service.streams.link import RedisLink

Missed = Gap | Trimmed
OnMissed = Callable[[Missed], Awaitable[None]]
_STARTS: Final = {"beginning": "0-0", "new": "$"}
_LOGGER: Final = logging.getLogger("service.consumer")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """How long and how much at once.

    Attributes:
        lease_s: a consumer that dies is succeeded after at most so long.
        idle_s: how long one look at a partition waits for something new.
        page_entries: entries taken from a partition at once.
        outage_s: Redis may be away so long before it is an error.
        outage_wait_s: between two tries meanwhile.
        snapshot_interval_s: between two requests for a snapshot of one owner.
        sources_max: sources whose last update is remembered.
        partitions_max: partitions that one consumer holds; None for all that it can get.
    """

    lease_s: float = 10.0
    idle_s: float = 1.0
    page_entries: int = 100
    outage_s: float = 300.0
    outage_wait_s: float = 1.0
    snapshot_interval_s: float = 60.0
    sources_max: int = 100_000
    partitions_max: int | None = None


async def updates(
    redis_url: str,
    *,
    group: str,
    consumer: str = "",
    stream: str = "responses",
    partitions: int = 1,
    start: Literal["beginning", "new"] = "beginning",
    seen: Seen | None = None,
    on_missed: OnMissed | None = None,
    asks_for_snapshots: bool = True,
    stop: asyncio.Event | None = None,
    sentinel: str = "",
    is_cluster: bool = False,
    ca_file: Path | None = None,
    sign_in: CredentialProvider | None = None,
    limits: ReadingLimits | None = None,
) -> AsyncIterator[Update]:
    """Give the updates, in order per source, each once as long as this process lives.

    An update is acknowledged when the next one is asked for. One whose handling raised is not: it comes
    again, to this consumer when it reads again or to the next holder of its partition. So does the one that
    was being handled when a process died; keep `Seen.positions()` beside what you make of the updates and
    begin with them, or make your handling bear a repeat.

    Of the consumers of a group one reads a partition at a time; the others stand by, or read others. To end
    in good order set `stop`; leaving the loop otherwise wants `contextlib.aclosing`.

    Args:
        consumer: name of this consumer within the group; host and process id if not given.
        start: where a new group begins; one that exists goes on where it was.
        seen: what was seen in an earlier life.
        on_missed: is told of updates that were trimmed before they were read; forget what you hold of their
            source (of a meeting, its occurrences too), or everything: snapshots follow.
        asks_for_snapshots: ask the service for these snapshots; needs XADD on the intake stream.
        sign_in: gives each connection its name and password in place of the URL's, such as a credential
            provider of `redis-entraid`.

    Raises:
        ConfigError: the URL, the stream's name or the number of partitions cannot be used.
        StreamError: Redis refuses, or is away for longer than `outage_s`.
    """
    limits = limits or ReadingLimits()
    try:
        keys = KeyNames(stream=stream, partitions=partitions)
    except ValueError as error:
        raise ConfigError([f"{error}."]) from error
    target = RedisTarget(
        url=redis_url, sentinel=sentinel, is_cluster=is_cluster, ca_file=ca_file, sign_in=sign_in
    )
    link = connect(target, RedisLimits())
    name = consumer or f"{socket.gethostname()}-{os.getpid()}"
    members = [
        Member(
            link,
            keys,
            partition,
            group=group,
            consumer=name,
            start=_STARTS[start],
            lease_s=limits.lease_s,
            page_entries=limits.page_entries,
        )
        for partition in range(partitions)
    ]
    healing = _Healing(
        link=link, keys=keys, limits=limits, on_missed=on_missed, asks_for_snapshots=asks_for_snapshots
    )
    outage = _Outage(patience_s=limits.outage_s)
    reader = _Reader(
        members=members,
        outage=outage,
        seen=seen if seen is not None else Seen(sources_max=limits.sources_max),
        healing=healing,
        limits=limits,
        stop=stop or asyncio.Event(),
    )
    try:
        async with _held(members, outage, limits):
            async for update in reader.read():
                yield update
    finally:
        await link.aclose()


@dataclass(slots=True, kw_only=True)
class _Outage:
    """How long Redis has been away."""

    patience_s: float
    _since: float | None = None
    _error: StreamError | None = None

    def note(self, error: StreamError) -> None:
        self._since = self._since or time.monotonic()
        self._error = error
        _LOGGER.warning("%s", error)

    def end(self) -> None:
        self._since = self._error = None

    def check(self) -> None:
        """Raise the last error where it has lasted too long."""
        if self._error and self._since and time.monotonic() - self._since >= self.patience_s:
            raise self._error


@asynccontextmanager
async def _held(members: Sequence[Member], outage: _Outage, limits: ReadingLimits) -> AsyncIterator[None]:
    """Hold as many partitions as can be had, until the end; then give them back."""
    holding = asyncio.create_task(_keep_holding(members, outage, limits))
    try:
        yield
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        for member in members:
            if member.is_held:
                try:
                    await member.release()
                except StreamError as error:
                    _LOGGER.warning("%s is not given back before its lease ends: %s", member.stream, error)


async def _keep_holding(members: Sequence[Member], outage: _Outage, limits: ReadingLimits) -> None:
    while True:
        for member in members:
            others = sum(other.is_held for other in members if other is not member)
            if limits.partitions_max is not None and others >= limits.partitions_max:
                continue
            try:
                await member.hold()
                outage.end()
            except StreamError as error:
                outage.note(error)
        await asyncio.sleep(limits.lease_s / 3)


@dataclass(slots=True, kw_only=True)
class _Healing:
    """Tells of what was missed, and asks the service to say it anew."""

    link: RedisLink
    keys: KeyNames
    limits: ReadingLimits
    on_missed: OnMissed | None
    asks_for_snapshots: bool
    _asked: dict[str, float] = field(default_factory=dict)

    async def heal(self, missed: Missed) -> None:
        _LOGGER.warning("updates were trimmed before they were read: %s", missed)
        if self.on_missed is not None:
            await self.on_missed(missed)
        owner = missed.owner if isinstance(missed, Gap) else ""
        if not self.asks_for_snapshots or not self._is_due(owner):
            return
        now = datetime.now(UTC).isoformat()
        entry = IntakeEntry(kind=Kind.SNAPSHOT, origin=Origin.CONSUMER, owner=owner, arrived_at=now)
        pairs = [text for pair in entry.to_fields().items() for text in pair]
        await self.link.call("XADD", self.keys.intake, "*", *pairs)
        self._asked[owner] = time.monotonic()

    def _is_due(self, owner: str) -> bool:
        now = time.monotonic()
        self._asked = {
            each: at for each, at in self._asked.items() if now - at < self.limits.snapshot_interval_s
        }
        return owner not in self._asked


@dataclass(slots=True, kw_only=True)
class _Reader:
    members: Sequence[Member]
    seen: Seen
    healing: _Healing
    limits: ReadingLimits
    stop: asyncio.Event
    outage: _Outage

    async def read(self) -> AsyncIterator[Update]:
        while not self.stop.is_set():
            self.outage.check()
            try:
                pages = await self._read_pages()
                for member, page in pages:
                    async for update in self._hand_out(member, page):
                        yield update
            except StreamError as error:
                await self._bear(error)

    async def _read_pages(self) -> list[tuple[Member, tuple[Entry, ...]]]:
        held = [member for member in self.members if member.is_held]
        if not held:
            await self._pause(min(self.limits.idle_s, self.limits.lease_s / 3))
            return []
        pages = await asyncio.gather(*(self._read_page(member) for member in held))
        return [(member, page) for member, page in zip(held, pages, strict=True) if page]

    async def _read_page(self, member: Member) -> tuple[Entry, ...]:
        if left := member.take_over():
            return left
        if trimmed := await member.find_trimmed():
            await self.healing.heal(trimmed)
        return await member.read(block_s=self.limits.idle_s)

    async def _hand_out(self, member: Member, page: Sequence[Entry]) -> AsyncIterator[Update]:
        """Give the new ones of a page; each is acknowledged when the next is asked for."""
        for entry in page:
            if self.stop.is_set() or not member.is_held:
                return
            update = self._open(member, entry)
            if update is not None and self.seen.judge(update) is Novelty.NEW:
                if gap := self.seen.find_gap(update):
                    await self.healing.heal(gap)
                yield update
                self.seen.note(update)
            await member.acknowledge(entry.id)

    def _open(self, member: Member, entry: Entry) -> Update | None:
        try:
            return parse_update(member.stream, entry.id, entry.fields)
        except NotAnUpdateError as error:
            _LOGGER.warning("passed over, not an update: %s", error)
            return None

    async def _bear(self, error: StreamError) -> None:
        """Wait while Redis is away; what was handed out and not acknowledged comes again."""
        for member in self.members:
            member.doubt()
        self.outage.note(error)
        await self._pause(self.limits.outage_wait_s)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.stop.wait(), seconds)
        except TimeoutError:
            return
