"""Validation tokens beside the intake stream: stored with their entries, read by digest, gone soon after."""

from __future__ import annotations

import asyncio
import json

from service.clock import SystemClock
from service.entries import IntakeEntry
from service.intake.appender import Appender, name_token
from service.metrics import Metrics
from service.streams.connection import open_connection
from service.streams.contents import count_contents
from service.streams.tokens import RedisTokenStore
from tests.integration.streams.conftest import NEXT_MONTH, Streams, build_entry, drain, read_all
from tests.integration.waiting import wait_until


def content_for(certificate_id: str) -> str:
    return json.dumps({"data": "", "encryptionCertificateId": certificate_id})


async def append(streams: Streams, entries: list[IntakeEntry], tokens: dict[str, str]) -> None:
    """Store what a POST brought, as web does."""
    appender = Appender(
        lambda: open_connection(streams.link, streams.keys.intake),
        streams.keys.intake,
        clock=SystemClock(),
        metrics=Metrics(),
        tokens_kept_s=3600,
    )
    running = asyncio.create_task(appender.run())
    try:
        await wait_until(lambda: is_writable(appender))
        await appender.append([entry.to_fields() for entry in entries], tokens)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def is_writable(appender: Appender) -> bool:
    return not await appender.check()


async def ttl_s(streams: Streams, digest: str) -> int:
    return int(await streams.link.call("TTL", streams.keys.token(digest)))


async def test_tokens_are_stored_once_with_their_entries_and_go_soon_after_they_were_read(
    streams: Streams,
) -> None:
    given = [build_entry("m1", tokens="d1 d2"), build_entry("m2", tokens="d1 d2")]
    await append(streams, given, {"d1": "first token", "d2": "zweites \U0001f98a"})
    assert await drain(streams) == given
    assert 600 < await ttl_s(streams, "d1") <= 3600
    store = RedisTokenStore(streams.link, streams.keys, read_kept_s=60)
    assert await store.read_token("d1") == "first token"
    assert await store.read_token("d2") == "zweites \U0001f98a"
    assert await store.read_token("d3") is None
    assert 0 < await ttl_s(streams, "d1") <= 60


async def test_one_entry_with_a_token_is_stored_with_it(streams: Streams) -> None:
    await append(streams, [build_entry("m1", tokens="d1")], {"d1": "token"})
    assert await RedisTokenStore(streams.link, streams.keys).read_token("d1") == "token"
    assert len(await drain(streams)) == 1


async def test_web_and_worker_name_a_token_alike(streams: Streams) -> None:
    assert name_token(streams.keys.intake, "d1") == streams.keys.token("d1")


async def test_what_waits_for_a_key_is_counted_wherever_it_waits(streams: Streams) -> None:
    entries = [
        build_entry("m1", content=content_for("old")),
        build_entry("m2", content=content_for("new")),
        build_entry("m3"),
        build_entry("m4", content=content_for("old")),
    ]
    await streams.intake.append(entries)
    first, *_ = await read_all(streams)
    await streams.intake.defer(first, entries[0], due_at=NEXT_MONTH)
    assert [await count_contents(streams.link, streams.keys, one) for one in ("old", "new", "none")] == [
        2,
        1,
        0,
    ]
    await streams.intake.acknowledge([entry.id for entry in _])
