"""A Redis user with the rights of the guide can do what the library does, and nothing to the service."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from service.consumer import updates
from service.embedded import EmbeddedRedis, Listener, embedded_redis
from service.errors import StreamError
from service.streams.connection import RedisTarget, connect
from service.streams.keys import KeyNames
from tests.integration.conftest import chosen_server
from tests.integration.consuming.stage import Stage, build_fields, source_of

GUIDE = Path(__file__).parents[3] / "deploy" / "CONSUMING.md"


def read_rule() -> list[str]:
    """Give the arguments of ACL SETUSER as they stand in the guide."""
    found = re.search(r"^```\nACL SETUSER planner (.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1].split()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[EmbeddedRedis]:
    """A server of its own, for it gets a user."""
    async with embedded_redis(listener=Listener.LOOPBACK, program=chosen_server()) as running:
        yield running


async def test_a_consumer_with_the_rights_of_the_guide_reads_and_asks_for_what_it_missed(
    server: EmbeddedRedis,
) -> None:
    link = connect(RedisTarget(url=server.url))
    stage = Stage(url=server.url, link=link, keys=KeyNames(stream="responses"))
    try:
        await link.call("ACL SETUSER", "planner", *read_rule())
        place = urlsplit(server.url)
        url = f"redis://planner:PASSWORD@{place.hostname}:{place.port}/0"
        source = source_of("dinner")
        await stage.publish(build_fields(source, 1), build_fields(source, 3))
        missed: list[Any] = []

        async def note(one: Any) -> None:
            missed.append(one)

        reading: Any = updates(url, group="planner", on_missed=note)
        async with aclosing(reading):
            assert [(await anext(reading)).sequence for _ in range(2)] == [1, 3]
        assert len(missed) == 1
        assert [one["kind"] for one in await stage.list_wishes()] == ["snapshot"]
        consumer = connect(RedisTarget(url=url))
        for command in (
            ("SET", "{responses}:generation", "x"),
            ("DEL", "responses"),
            ("XADD", "responses", "*", "type", "forged"),
            ("FLUSHALL",),
            ("KEYS", "*"),
            ("CONFIG", "GET", "*"),
        ):
            with pytest.raises(StreamError, match=r"no permissions|NOPERM"):
                await consumer.call(*command)
        await consumer.aclose()
    finally:
        await link.aclose()
