"""Spans by the API of OpenTelemetry. Imported only where they are recorded. Must never fail a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.tracing.spans import SpanName, Value

_KINDS: Final = {
    SpanName.WEBHOOK: SpanKind.SERVER,
    SpanName.INTAKE: SpanKind.PRODUCER,
    SpanName.PROCESS: SpanKind.CONSUMER,
    SpanName.COMMIT: SpanKind.PRODUCER,
}
_FROM_ELSEWHERE: Final = (SpanName.WEBHOOK, SpanName.PROCESS)
"""The span before these ended in another process, as a rule: what draws traces sets them apart."""
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_NS_PER_S: Final = 1_000_000_000
_NS_PER_US: Final = 1_000
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class RecordedSpan:
    """A span that somebody will look at."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """The span itself, as W3C spells it; flagged as not sampled where the sampler left it out."""
        here = self._span.get_span_context()
        ids = f"{trace.format_trace_id(here.trace_id)}-{trace.format_span_id(here.span_id)}"
        return f"00-{ids}-{here.trace_flags:02x}"

    def tell(self, attributes: Mapping[str, Value]) -> None:
        """Add to what is known."""
        self._span.set_attributes(attributes)

    def fail(self, error: BaseException) -> None:
        """Note the error's name. Its text could hold an address, and the log has it, scrubbed."""
        name = type(error).__name__
        self._span.set_attribute("error.type", name)
        self._span.set_status(Status(StatusCode.ERROR, name))

    def end(self) -> None:
        """End the span."""
        self._span.end()


class RecordedTracing:
    """Begins spans of one tracer."""

    is_on = True

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def begin(
        self,
        name: SpanName,
        *,
        parent: str,
        attributes: Mapping[str, Value] | None = None,
    ) -> RecordedSpan:
        """Begin a span."""
        return RecordedSpan(self._start(name, parent, attributes, None))

    @contextmanager
    def span(
        self,
        name: SpanName,
        *,
        parent: str,
        attributes: Mapping[str, Value] | None = None,
        began_at: datetime | None = None,
    ) -> Iterator[RecordedSpan]:
        """Give a span for a block; other instrumentation sees it as the current one."""
        started = self._start(name, parent, attributes, began_at)
        span = RecordedSpan(started)
        token = context.attach(trace.set_span_in_context(started))
        try:
            yield span
        except Exception as error:
            span.fail(error)
            raise
        finally:
            context.detach(token)
            span.end()

    def _start(
        self,
        name: SpanName,
        parent: str,
        attributes: Mapping[str, Value] | None,
        began_at: datetime | None,
    ) -> trace.Span:
        return self._tracer.start_span(
            str(name),
            context=_build_context(parent, is_remote=name in _FROM_ELSEWHERE),
            kind=_KINDS.get(name, SpanKind.INTERNAL),
            attributes=attributes,
            start_time=None if began_at is None else _count_ns(began_at),
            record_exception=False,
            set_status_on_exception=False,
        )


def _build_context(parent: str, *, is_remote: bool) -> Context:
    """Give the context of a parent; an empty one, and so a new trace, where there is none."""
    found = trace.get_current_span(
        _PROPAGATOR.extract({"traceparent": parent}, context=Context())
    ).get_span_context()
    if not found.is_valid:
        return Context()
    known = SpanContext(found.trace_id, found.span_id, is_remote=is_remote, trace_flags=found.trace_flags)
    return trace.set_span_in_context(NonRecordingSpan(known), Context())


def _count_ns(at: datetime) -> int:
    """Give nanoseconds since 1970, exact to the microsecond, which a float would not be."""
    passed = at - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * _NS_PER_S + passed.microseconds * _NS_PER_US
