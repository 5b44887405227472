"""Sets up the SDK of OpenTelemetry, which comes with the extra `otel`. Imported only where traces are wanted.

Spans leave in the background, from a queue that drops what it cannot hold: a collector that is slow or away
costs spans, never a notification. The SDK reads `OTEL_*` itself: sampler, limits, queue, headers, ..
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from importlib.metadata import entry_points, version
from typing import Final

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from service.errors import ConfigError
from service.tracing.recorded import RecordedTracing

DISTRIBUTION: Final = "graph-response-sync"
_EXPORTERS: Final = "opentelemetry_traces_exporter"
_OTLP: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def build_exporters(names: Iterable[str], protocol: str) -> list[SpanExporter]:
    """Build exporters by the names under which packages register them.

    Raises:
        ConfigError: no package registers one of them, or it cannot be built.

    Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#exporter-selection
    """
    return [_build_exporter(name, protocol) for name in names]


def _build_exporter(name: str, protocol: str) -> SpanExporter:
    registered = _OTLP.get(protocol, protocol) if name == "otlp" else name
    found = next(iter(entry_points(group=_EXPORTERS, name=registered)), None)
    if found is None:
        raise ConfigError(
            [f"OTEL_TRACES_EXPORTER: no installed package exports to {name} ({registered}): install one."]
        )
    try:
        exporter: SpanExporter = found.load()()
    except Exception as error:  # any package may register one, and fail as it likes
        raise ConfigError([f"OTEL_TRACES_EXPORTER: {name} cannot be used: {error}."]) from error
    return exporter


class Exporting:
    """A provider of our own, so that nothing else in the process is traced by it."""

    def __init__(self, exporters: Iterable[SpanExporter], *, process: str) -> None:
        """Begin to export.

        Args:
            process: a name that no other process has.
        """
        self._provider = TracerProvider(resource=_describe_process(process), shutdown_on_exit=False)
        for exporter in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))

    @property
    def tracing(self) -> RecordedTracing:
        """What begins spans."""
        return RecordedTracing(self._provider.get_tracer(DISTRIBUTION, version(DISTRIBUTION)))

    async def close(self, *, flush_s: float) -> bool:
        """Send what is left, for so long at most; tells whether all could be sent in time.

        The SDK blocks while it sends, and longer than we want to wait: hence a thread that nobody waits for.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        threading.Thread(target=self._shut_down, args=(loop, done), daemon=True).start()
        finished, _ = await asyncio.wait([done], timeout=flush_s)
        return bool(finished)

    def _shut_down(self, loop: asyncio.AbstractEventLoop, done: asyncio.Future[None]) -> None:
        self._provider.shutdown()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_finish, done)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _describe_process(process: str) -> Resource:
    """Say who tells; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word."""
    ours = {
        "service.name": DISTRIBUTION,
        "service.version": version(DISTRIBUTION),
        "service.instance.id": process,
    }
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})
