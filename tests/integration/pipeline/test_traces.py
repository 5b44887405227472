"""One answer as one trace, from Graph's POST through Redis to the update, with everything real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import get_current_span

from service.consumer import Update, parse_update
from service.sandbox.command import Sandbox
from service.sandbox.keys import KeyRing
from service.sandbox.options import SandboxOptions
from service.tracing.spans import ATTRIBUTES, SPANS
from tests.integration.pipeline.scene import Scene
from tests.integration.sandbox.asking import Asking, trust
from tests.integration.subscriptions.stage import open_stage
from tests.integration.waiting import wait_until
from tests.unit.tracing.memory import Kept, id_of, parent_of, told, trace_of

MEGAN = "meganb@contoso.onmicrosoft.com"


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest_asyncio.fixture
async def traced(
    kept: Kept, keys: KeyRing, redis_url: str, prefix: str, tmp_path: Path
) -> AsyncIterator[Scene]:
    async with (
        Sandbox.start(SandboxOptions(seed=7, keys=keys)) as sandbox,
        aiohttp.ClientSession(connector=trust(sandbox)) as session,
    ):
        asking = await Asking.prepare(sandbox, session)
        async with open_stage(
            sandbox,
            asking,
            redis_url=redis_url,
            prefix=prefix,
            folder=tmp_path / "hook",
            tracing=kept.tracing,
        ) as opened:
            yield Scene(stage=opened)


async def read_updates(scene: Scene) -> list[Update]:
    updates = scene.stage.streams.updates
    read = await updates.read(dict.fromkeys(updates.streams, "0-0"), block_s=0)
    return [parse_update("responses", "0-0", one.fields) for one in read]


async def test_a_consumer_s_trace_leads_back_to_the_post_of_graph(kept: Kept, traced: Scene) -> None:
    await traced.watch()
    await traced.invite(MEGAN)
    await traced.wait_for(f"attendee.added {MEGAN} none")
    await traced.answer(traced.token("megan"))
    await traced.wait_for(f"response.changed {MEGAN} accepted")

    (changed,) = [one for one in await read_updates(traced) if one.type == "response.changed"]
    before = get_current_span(extract({"traceparent": changed.traceparent})).get_span_context()

    async def is_complete() -> bool:
        return {span.name for span in in_trace(kept, before.trace_id)} >= set(SPANS)

    await wait_until(is_complete)
    spans = in_trace(kept, before.trace_id)
    by_id = {id_of(span): span for span in spans}
    commit = by_id[before.span_id]
    process = by_id[parent_of(commit)]
    intake = by_id[parent_of(process)]
    webhook = by_id[parent_of(intake)]
    assert [one.name for one in (webhook, intake, process, commit)] == [
        "webhook",
        "intake",
        "process",
        "commit",
    ]
    beside = {span.name for span in spans if parent_of(span) == id_of(process)}
    assert beside >= {"fetch", "derive", "commit"}
    assert told(webhook)["http.response.status_code"] == 202
    assert told(process)["response_sync.outcome"] == "published"
    assert webhook.parent is None


def in_trace(kept: Kept, trace_id: int) -> list[ReadableSpan]:
    return [span for span in kept.spans if trace_of(span) == trace_id]


async def test_spans_tell_what_is_listed_and_nobody_s_address(kept: Kept, traced: Scene) -> None:
    await traced.watch()
    await traced.invite(MEGAN, subject="Secret plan")
    await traced.wait_for(f"attendee.added {MEGAN} none")

    async def is_processed() -> bool:
        return bool(kept.named("process"))

    await wait_until(is_processed)
    assert {key for span in kept.spans for key in told(span)} <= set(ATTRIBUTES)
    everything = " ".join(span.to_json() for span in kept.spans)
    assert "@" not in everything
    assert "Secret" not in everything
