"""Builds what records traces, where they are wanted and can be sent; else what costs nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from service.bootstrap.identity import name_process
from service.errors import ConfigError
from service.settings.telemetry import Telemetry
from service.tracing.spans import UNTRACED, Tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from service.tracing.exporting import Exporting

_LOG: Final = structlog.get_logger(__name__)
_NO_SDK: Final = "The extra `otel` is not installed: pip install '.[otel]', or unset OTEL_*."


@asynccontextmanager
async def open_tracing(telemetry: Telemetry, *, flush_s: float) -> AsyncIterator[Tracing]:
    """Build what begins spans; sends what is left at the end.

    Traces that cannot be sent keep nobody from working: a line of the log says why, and `check` does.

    Args:
        flush_s: how long a process that ends may send what is left.
    """
    if not telemetry.exporters:
        yield UNTRACED
        return
    try:
        exporting = build_exporting(telemetry)
    except ConfigError as error:
        _LOG.warning("tracing.left_off", words=str(error))
        yield UNTRACED
        return
    _LOG.info("tracing.started", exporters=list(telemetry.exporters))
    try:
        yield exporting.tracing
    finally:
        if not await exporting.close(flush_s=flush_s):
            _LOG.warning("tracing.left_late", wait_s=flush_s)


def prepare_exporters(telemetry: Telemetry) -> list[SpanExporter]:
    """Build the exporters.

    Raises:
        ConfigError: the extra is not installed, or an exporter cannot be used.
    """
    try:
        from service.tracing.exporting import build_exporters
    except ImportError as error:
        raise ConfigError([_NO_SDK]) from error
    return build_exporters(telemetry.exporters, telemetry.protocol)


def build_exporting(telemetry: Telemetry) -> Exporting:
    """Build what exports.

    Raises:
        ConfigError: the extra is not installed, or an exporter cannot be used.
    """
    exporters = prepare_exporters(telemetry)
    from service.tracing.exporting import Exporting

    return Exporting(exporters, process=name_process())
