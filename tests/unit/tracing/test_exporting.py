"""When traces leave, where to, and that a collector which is away holds up nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from service.bootstrap.tracing import open_tracing
from service.errors import ConfigError
from service.settings.telemetry import Telemetry, read_telemetry
from service.tracing.exporting import Exporting, build_exporters
from service.tracing.spans import UNTRACED, SpanName


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ()),
        ({"OTEL_SERVICE_NAME": "crm"}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": "otlp, console"}, ("otlp", "console")),
        ({"OTEL_TRACES_EXPORTER": ""}, ()),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, ()),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "otlp"}, ()),
    ],
)
def test_traces_leave_only_where_somebody_said_where_to(
    given: Mapping[str, str], expected: tuple[str, ...]
) -> None:
    assert read_telemetry(given).exporters == expected


def test_the_protocol_of_traces_comes_before_that_of_all_signals() -> None:
    both = {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    assert (read_telemetry(both).protocol, read_telemetry({}).protocol) == ("grpc", "http/protobuf")


@pytest.mark.parametrize(("name", "protocol"), [("otlp", "carrier/pigeon"), ("no_such", "http/protobuf")])
def test_an_exporter_that_no_package_brings_is_named(name: str, protocol: str) -> None:
    with pytest.raises(ConfigError, match=f"no installed package exports to {name}"):
        build_exporters([name], protocol)


async def test_a_service_works_without_traces_that_cannot_be_sent_and_says_so() -> None:
    with capture_logs() as logs:
        async with open_tracing(Telemetry(exporters=("no_such",)), flush_s=1) as tracing:
            assert tracing is UNTRACED
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("tracing.left_off", "warning")
    assert "no_such" in line["words"]


async def test_nothing_is_recorded_where_nobody_asked() -> None:
    with capture_logs() as logs:
        async with open_tracing(Telemetry(), flush_s=1) as tracing:
            assert tracing is UNTRACED
    assert not logs


async def test_what_is_left_is_sent_at_the_end_with_who_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.name=theirs")
    exporter = InMemorySpanExporter()
    exporting = Exporting([exporter], process="web-1")
    exporting.tracing.begin(SpanName.PROCESS, parent="").end()

    assert await exporting.close(flush_s=30)

    (span,) = exporter.get_finished_spans()
    told = span.resource.attributes
    assert (told["service.name"], told["service.instance.id"]) == ("theirs", "web-1")
    assert told["deployment.environment.name"] == "test"


class StuckExporter(SpanExporter):
    """Sends nothing until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.let_go.wait(60)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...


async def test_a_collector_that_does_not_answer_holds_up_the_end_for_a_bounded_time() -> None:
    stuck = StuckExporter()
    exporting = Exporting([stuck], process="web-1")
    exporting.tracing.begin(SpanName.PROCESS, parent="").end()
    try:
        assert not await exporting.close(flush_s=0.05)
    finally:
        stuck.let_go.set()


WITHOUT_SDK = """
import asyncio, sys
sys.modules["opentelemetry.sdk"] = None
from service.bootstrap.roles import open_roles
from service.bootstrap.tracing import open_tracing
from service.settings.telemetry import Telemetry, read_telemetry
from service.tracing.spans import UNTRACED

async def main():
    async with open_tracing(read_telemetry(), flush_s=1) as tracing:
        assert tracing is UNTRACED
    async with open_tracing(Telemetry(exporters=("otlp",)), flush_s=1) as tracing:
        assert tracing is UNTRACED

assert not [name for name in sys.modules if name.startswith("opentelemetry.trace")], "loaded for nothing"
asyncio.run(main())
"""


def test_without_the_extra_the_service_runs_and_loads_nothing_of_it() -> None:
    unset = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SDK], capture_output=True, text=True, env=unset, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "pip install '.[otel]'" in done.stdout
