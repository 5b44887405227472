"""A trace passes through a service that records nothing, and follows from span to span where it records."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode

from service.tracing.spans import SPANS, TRACEPARENT, UNTRACED, SpanName, Untraced, find_trace_id
from tests.unit.tracing.memory import Kept, id_of, parent_of, spell, told, trace_of

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MALFORMED = ["", "nonsense", GIVEN + "-x", GIVEN.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32)]


def test_every_span_says_what_it_is() -> None:
    assert set(SPANS) == set(SpanName)


def test_what_is_not_recorded_hands_on_what_it_was_given() -> None:
    with UNTRACED.span(SpanName.COMMIT, parent=GIVEN) as span:
        span.tell({"response_sync.updates": 1})
        assert span.traceparent == GIVEN
    assert find_trace_id(GIVEN) == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("parent", MALFORMED)
def test_a_trace_is_made_where_there_is_none_and_stays_the_same(parent: str) -> None:
    span = Untraced().begin(SpanName.PROCESS, parent=parent)
    assert TRACEPARENT.fullmatch(span.traceparent)
    assert span.traceparent == span.traceparent
    assert span.traceparent != Untraced().begin(SpanName.PROCESS, parent=parent).traceparent


def test_an_error_passes_through_what_is_not_recorded() -> None:
    with pytest.raises(ValueError, match="as it was"), UNTRACED.span(SpanName.FETCH, parent=""):
        raise ValueError("as it was")


def test_a_recorded_span_follows_the_one_it_was_given() -> None:
    kept = Kept()
    with kept.tracing.span(SpanName.WEBHOOK, parent=GIVEN) as first:
        process = kept.tracing.begin(SpanName.PROCESS, parent=first.traceparent)
        process.end()

    webhook, process_span = kept.only("webhook"), kept.only("process")
    assert f"{trace_of(webhook):032x}" == find_trace_id(GIVEN)
    assert f"{parent_of(webhook):016x}" == GIVEN[36:52]
    assert parent_of(process_span) == id_of(webhook)
    assert (webhook.kind, process_span.kind) == (SpanKind.SERVER, SpanKind.CONSUMER)
    assert first.traceparent == spell(webhook)


@pytest.mark.parametrize("parent", MALFORMED)
def test_a_new_trace_begins_where_there_is_none_whatever_else_is_under_way(parent: str) -> None:
    kept = Kept()
    with kept.tracing.span(SpanName.DERIVE, parent=GIVEN), kept.tracing.span(SpanName.FETCH, parent=parent):
        pass
    assert kept.only("fetch").parent is None


def test_only_what_came_from_elsewhere_is_said_to_have() -> None:
    kept = Kept()
    for name in SpanName:
        kept.tracing.begin(name, parent=GIVEN).end()
    remote = {span.name for span in kept.spans if span.parent and span.parent.is_remote}
    assert remote == {"webhook", "process"}


def test_an_error_is_told_by_its_name_and_never_by_its_words() -> None:
    kept = Kept()
    with pytest.raises(ValueError, match="ann@"), kept.tracing.span(SpanName.FETCH, parent=""):
        raise ValueError("ann@contoso.com is away")

    span = kept.only("fetch")
    assert told(span) == {"error.type": "ValueError"}
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
    assert not span.events


def test_a_span_begins_when_it_is_said_to_have_begun() -> None:
    kept = Kept()
    began = datetime(2026, 3, 2, 9, 30, 0, 123_457, tzinfo=UTC)
    with kept.tracing.span(SpanName.WEBHOOK, parent="", began_at=began):
        pass
    assert kept.only("webhook").start_time == 1_772_443_800_123_457_000


def test_what_the_sampler_left_out_goes_on_as_not_sampled() -> None:
    kept = Kept(ParentBased(ALWAYS_OFF))
    with kept.tracing.span(SpanName.INTAKE, parent="") as span:
        assert TRACEPARENT.fullmatch(span.traceparent)
        assert int(span.traceparent[-2:], 16) & 1 == 0
    assert not kept.spans


def test_other_instrumentation_finds_the_span_of_a_block_and_nothing_after_it() -> None:
    kept = Kept()
    with kept.tracing.span(SpanName.COMMIT, parent="") as span:
        now = trace.get_current_span().get_span_context()
        assert f"{now.span_id:016x}" == span.traceparent[36:52]
    assert not trace.get_current_span().get_span_context().is_valid
