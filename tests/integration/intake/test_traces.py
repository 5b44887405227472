"""What the public side records of a POST: nothing, unless something of it is believed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.intake.conftest import Public, run_public
from tests.unit.intake.graph_items import build_body, build_item
from tests.unit.tracing.memory import Kept, id_of, parent_of, spell, told, trace_of

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest_asyncio.fixture
async def traced(kept: Kept, redis_url: str, prefix: str) -> AsyncIterator[Public]:
    async with run_public(redis_url, prefix, tracing=kept.tracing) as public:
        yield public


async def test_entries_carry_the_span_that_stored_them_within_the_trace_of_who_sent(
    kept: Kept, traced: Public
) -> None:
    body = build_body(build_item(item_id="a"), build_item(item_id="b"))
    assert await traced.post(body, headers={"traceparent": TRACE}) == 202

    webhook, intake = kept.only("webhook"), kept.only("intake")
    assert f"{trace_of(webhook):032x}" == TRACE[3:35]
    assert f"{parent_of(webhook):016x}" == TRACE[36:52]
    assert parent_of(intake) == id_of(webhook)
    assert told(intake) == {"messaging.system": "redis", "messaging.batch.message_count": 2}
    assert told(webhook) == {
        "http.request.method": "POST",
        "http.route": "/graph/notifications",
        "http.response.status_code": 202,
    }
    assert {entry.traceparent for entry in await traced.read_entries()} == {spell(intake)}


async def test_nobody_who_is_not_believed_can_have_anything_recorded(kept: Kept, traced: Public) -> None:
    forged = build_body(build_item(clientState="forged"))
    assert await traced.post(forged, headers={"traceparent": TRACE}) == 202
    assert await traced.post(b"{", headers={"traceparent": TRACE}) == 400
    assert await traced.post(b'{"value": []}', headers={"traceparent": TRACE}) == 202
    assert not kept.spans


async def test_what_could_not_be_stored_is_seen_as_a_failure(kept: Kept, redis_url: str, prefix: str) -> None:
    async with run_public(redis_url, prefix, tracing=kept.tracing, waiting_max=0, is_ready=False) as public:
        assert await public.post(build_body(build_item())) == 503

    assert told(kept.only("webhook"))["http.response.status_code"] == 503
    assert told(kept.only("webhook"))["error.type"] == "Refusal"
    assert told(kept.only("intake"))["error.type"] == "Refusal"
