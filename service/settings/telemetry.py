"""Whether traces are wanted, by the standard variables of OpenTelemetry. All else the SDK reads itself.

They come from the environment alone, not from `.env`: the SDK would not see those.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_TRUE: Final = "true"
_NONE: Final = "none"
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL: Final = "http/protobuf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """What was asked for.

    Attributes:
        exporters: names of exporters, in order; empty where no traces are wanted.
        protocol: of the exporter `otlp`: `http/protobuf` or `grpc`.
    """

    exporters: tuple[str, ...] = ()
    protocol: str = _PROTOCOL


def read_telemetry(environ: Mapping[str, str] | None = None) -> Telemetry:
    """Read what is wanted: traces go out where an exporter or an endpoint is named.

    By the standard they would go to a collector on this machine with nothing set at all; a service that was
    asked for nothing should not call anybody.
    """
    given = os.environ if environ is None else environ
    if _read(given, "OTEL_SDK_DISABLED").lower() == _TRUE:
        return Telemetry()
    names = _read(given, "OTEL_TRACES_EXPORTER")
    if not names and any(_read(given, name) for name in _ENDPOINTS):
        names = "otlp"
    exporters = tuple(name.strip() for name in names.split(",") if name.strip())
    if _NONE in exporters:
        return Telemetry()
    protocol = next(filter(None, (_read(given, name) for name in _PROTOCOLS)), _PROTOCOL)
    return Telemetry(exporters=exporters, protocol=protocol)


def _read(given: Mapping[str, str], name: str) -> str:
    """Give a variable; one that is empty counts as not set, as the standard has it."""
    return given.get(name, "").strip()
