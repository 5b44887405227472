"""Spans leave a running service by OTLP over HTTP, to whatever collector its environment names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
from redis.asyncio import Redis

from service.streams.keys import KeyNames
from tests.integration.sandbox.asking import Asking, trust
from tests.integration.serving import serving
from tests.integration.surroundings import Surroundings, wait_for
from tests.integration.test_metrics_of_a_service import invite


@asynccontextmanager
async def collecting(received: list[ResourceSpans]) -> AsyncIterator[str]:
    """Run a collector; gives its address."""

    async def take(request: web.Request) -> web.Response:
        received.extend(ExportTraceServiceRequest.FromString(await request.read()).resource_spans)
        return web.Response(content_type="application/x-protobuf")

    async with serving(take, method="POST", path="/v1/traces") as address:
        yield address


async def test_a_collector_gets_the_trace_that_an_update_carries(
    surroundings: Surroundings, redis_url: str, prefix: str
) -> None:
    received: list[ResourceSpans] = []

    async def read_trace() -> str:
        async with Redis.from_url(redis_url, decode_responses=True) as redis:
            entries: Any = await redis.xrange(KeyNames(stream=prefix, partitions=1).updates(0))
        return next((str(fields["traceparent"]) for _, fields in entries), "")

    async with collecting(received) as address:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": address,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_SERVICE_NAME": "answers",
            "OTEL_BSP_SCHEDULE_DELAY": "3600000",  # so that what comes, comes because the process ends
        }
        async with (
            surroundings.running("serve", **environment),
            aiohttp.ClientSession(connector=trust(surroundings.sandbox), trust_env=False) as session,
        ):
            await wait_for(surroundings.is_ready)
            await invite(await Asking.prepare(surroundings.sandbox, session))
            await wait_for(read_trace)

    trace = await read_trace()
    spans = {
        span.span_id.hex(): span
        for of_process in received
        for scope in of_process.scope_spans
        for span in scope.spans
    }
    commit = spans[trace[36:52]]
    process = spans[commit.parent_span_id.hex()]
    assert (commit.name, process.name) == ("commit", "process")
    assert commit.trace_id.hex() == trace[3:35]
    (of_process,) = received
    told = {one.key: one.value.string_value for one in of_process.resource.attributes}
    assert told["service.name"] == "answers"
