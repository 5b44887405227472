"""The Redis side built as the service builds it, and what must hold of the server after every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from service.entries import IntakeEntry, Kind, Origin, parse_entry
from service.ports import Commit, Delivered
from service.reconcile.model import MeetingKey, OwnerKey
from service.streams.connection import RedisTarget, connect
from service.streams.dead_letters import DeadLetters
from service.streams.due_list import DueList
from service.streams.generation import RedisGeneration
from service.streams.intake_stream import RedisIntakeStream
from service.streams.keys import GROUP, KEYS, KeyNames, Lifetime, escape_glob
from service.streams.lease import RedisLease
from service.streams.link import RedisLink
from service.streams.records import RedisRecords
from service.streams.state import RedisStateStore
from service.streams.update_stream import UpdateStreamReader

OWNER = OwnerKey("4ad93ab7-d3ab-4a0d-83ad-f9c1a3b2f3a1")
MEETING = MeetingKey("040000008200E00074C5B7101A82E008")
NEXT_MONTH = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Streams:
    """Everything that `bootstrap` builds of `service.streams`, for one prefix."""

    link: RedisLink
    keys: KeyNames
    due_list: DueList = field(init=False)
    dead_letters: DeadLetters = field(init=False)
    intake: RedisIntakeStream = field(init=False)
    states: RedisStateStore = field(init=False)
    records: RedisRecords = field(init=False)
    lease: RedisLease = field(init=False)
    generation: RedisGeneration = field(init=False)
    updates: UpdateStreamReader = field(init=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "due_list", DueList(self.link, self.keys))
        put(self, "dead_letters", DeadLetters(self.link, self.keys))
        intake = RedisIntakeStream(
            self.link, self.keys, due_list=self.due_list, dead_letters=self.dead_letters
        )
        put(self, "intake", intake)
        put(self, "records", RedisRecords(self.link, self.keys))
        put(self, "lease", RedisLease(self.link, self.keys))
        put(self, "generation", RedisGeneration(self.link, self.keys, intake))
        put(self, "states", RedisStateStore(self.link, self.keys, seen=self.generation.seen))
        put(self, "updates", UpdateStreamReader(self.link, self.keys))

    async def published(self) -> list[dict[str, str]]:
        """Give the fields of every update, by partition, oldest first."""
        return [
            dict(update.fields)
            for stream in self.updates.streams
            for update in await self.updates.list_oldest(stream, count=10_000)
        ]


def build_commit(expected_version: int = 0, **changes: object) -> Commit:
    """Give a commit of the usual owner and meeting; all but what is named has its usual value."""
    usual: dict[str, object] = {
        "owner": OWNER,
        "meeting": MEETING,
        "expected_version": expected_version,
        "expires_at": NEXT_MONTH,
    }
    return Commit(**{**usual, **changes})  # type: ignore[arg-type]


def build_entry(item: str, **members: str) -> IntakeEntry:
    return IntakeEntry(
        kind=Kind.MESSAGE, origin=Origin.NOTIFICATION, **{"mailbox": "adele", "item": item, **members}
    )


async def read_all(streams: Streams, consumer: str = "c") -> tuple[Delivered, ...]:
    return await streams.intake.read(consumer, count=1000, block_s=0)


async def drain(streams: Streams) -> list[IntakeEntry]:
    """Read and acknowledge everything; gives the entries in order."""
    delivered = await read_all(streams)
    await streams.intake.acknowledge([entry.id for entry in delivered])
    return [parse_entry(entry.fields) for entry in delivered]


@pytest.fixture
def partitions() -> int:
    """How many partitions; a test that needs several overrides this."""
    return 1


@pytest_asyncio.fixture
async def link(redis_url: str) -> AsyncIterator[RedisLink]:
    link = connect(RedisTarget(url=redis_url))
    yield link
    await link.aclose()


@pytest_asyncio.fixture
async def streams(link: RedisLink, prefix: str, partitions: int) -> AsyncIterator[Streams]:
    """A deployment whose generation is started; afterwards nothing is pending and every key as listed."""
    streams = Streams(link=link, keys=KeyNames(stream=prefix, partitions=partitions))
    await streams.generation.ensure()
    yield streams
    await check_what_is_left(streams)


async def check_what_is_left(streams: Streams) -> None:
    """Fail where an entry is pending, or a key is not one of `KEYS` with its type and lifetime."""
    if await streams.link.call("EXISTS", streams.keys.intake):
        depth = await streams.link.call("XPENDING", streams.keys.intake, GROUP)
        assert depth["pending"] == 0, "entries are left pending"
    for name in await list_names(streams):
        await _check_key(streams, name)


async def list_names(streams: Streams) -> list[str]:
    """Give the name of every key of the deployment, by looking at the server."""
    prefix = escape_glob(streams.keys.stream)
    found: set[str] = set()
    for pattern in (f"{prefix}*", f"{{{prefix}*"):
        async for names in streams.link.scan(streams.keys.layout, pattern):
            found.update(names)
    return sorted(found)


async def _check_key(streams: Streams, name: str) -> None:
    kinds = [key for key in KEYS if key.matches(name, streams.keys.stream, streams.keys.partitions)]
    assert len(kinds) == 1, f"{name} is {len(kinds)} of the keys that are listed"
    [kind] = kinds
    assert await streams.link.call("TYPE", name) == kind.type, name
    ttl_ms = await streams.link.call("PTTL", name)
    match kind.lifetime:
        case Lifetime.LEASE | Lifetime.VOUCHER:
            assert ttl_ms > 0, f"{name} never expires"
        case Lifetime.MEETING:
            assert ttl_ms > 0 or await _is_endless(streams, name), f"{name} never expires"
        case _:
            assert ttl_ms == -1, f"{name} expires"


async def _is_endless(streams: Streams, name: str) -> bool:
    """Tell whether a meeting's key may stay: one without end is marked so in its state."""
    if ":meeting:" in name:
        return bool(await streams.link.call("HGET", name, "@expires") == "")
    return True
