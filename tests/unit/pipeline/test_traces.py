"""The steps of an entry as spans, and the trace that goes out with its updates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from structlog.testing import capture_logs

from service.errors import UnavailableError
from service.pipeline.retry import RetryLimits
from service.pipeline.worker import Worker, WorkerLimits
from service.ports import Delivered
from service.tracing.spans import ATTRIBUTES, UNTRACED, Tracing
from tests.integration.waiting import PATIENCE_S
from tests.unit.pipeline.fakes import NotedMetrics, StillClock, StillWatching
from tests.unit.pipeline.world import World
from tests.unit.reconcile.build import event, row
from tests.unit.tracing.memory import Kept, id_of, parent_of, spell, told, trace_of

INTAKE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Traced:
    """A worker that is given the event of one meeting."""

    def __init__(self, tracing: Tracing) -> None:
        self.world = World(tracing=tracing)
        self.world.put_event("e1", event(1, row("ann", "accepted", 5)))
        self.stop = asyncio.Event()
        self.worker = Worker(
            consumer="one",
            intake=self.world.intake,
            processor=self.world.processor,
            watching=StillWatching(self.world.watch),
            clock=StillClock(),
            metrics=NotedMetrics(),
            limits=WorkerLimits(),
            retry_limits=RetryLimits(attempts_max=3),
            tracing=tracing,
        )

    async def work(self, done: Callable[[], object], **fields: str) -> None:
        """Give the entry and work until the condition holds."""
        given = {"origin": "notification", "kind": "event", "mailbox": "owner", "item": "e1", **fields}
        self.world.intake.waiting.append(Delivered(id="1-0", fields=given))
        async with asyncio.timeout(PATIENCE_S):
            running = asyncio.create_task(self.worker.run(self.stop))
            while not done():  # noqa: ASYNC110 - the condition is the loop's own state
                await asyncio.sleep(0)
            self.stop.set()
            await running


async def test_an_entry_is_one_span_with_its_steps_below_it() -> None:
    kept = Kept()
    traced = Traced(kept.tracing)
    await traced.work(lambda: traced.world.intake.acknowledged, traceparent=INTAKE)

    process = kept.only("process")
    assert f"{parent_of(process):016x}" == INTAKE[36:52]
    assert told(process) == {
        "messaging.system": "redis",
        "messaging.message.id": "1-0",
        "response_sync.kind": "event",
        "response_sync.origin": "notification",
        "response_sync.attempt": 0,
        "response_sync.deliveries": 1,
        "response_sync.outcome": "published",
        "response_sync.updates": 2,
    }
    for name in ("fetch", "derive", "commit"):
        assert parent_of(kept.only(name)) == id_of(process), name
    assert {trace_of(span) for span in kept.spans} == {int(INTAKE[3:35], 16)}
    assert {key for span in kept.spans for key in told(span)} <= set(ATTRIBUTES)


async def test_updates_carry_the_commit_on() -> None:
    kept = Kept()
    traced = Traced(kept.tracing)
    await traced.work(lambda: traced.world.intake.acknowledged, traceparent=INTAKE)

    sent = {fields["traceparent"] for fields in traced.world.states.published}
    assert sent == {spell(kept.only("commit"))}


async def test_a_lost_race_is_seen_as_another_derivation_and_commit() -> None:
    kept = Kept()
    traced = Traced(kept.tracing)
    traced.world.states.races = 1
    await traced.work(lambda: traced.world.intake.acknowledged)

    assert len(kept.named("derive")) == 2
    lost, won = kept.named("commit")
    assert told(lost)["error.type"] == "ConflictingVersionError"
    assert "error.type" not in told(won)


async def test_each_try_is_a_span_of_its_own_at_the_same_place() -> None:
    kept = Kept()
    traced = Traced(kept.tracing)
    traced.world.reader.errors = [UnavailableError("away", status=503)]
    await traced.work(lambda: traced.world.intake.deferred, traceparent=INTAKE)

    retry, _ = traced.world.intake.deferred[0]
    assert retry.traceparent == INTAKE
    process = kept.only("process")
    assert told(process)["error.type"] == "UnavailableError"
    assert told(process)["response_sync.outcome"] == "deferred"
    assert told(kept.only("fetch"))["error.type"] == "UnavailableError"


async def test_an_entry_that_cannot_be_read_ends_without_a_trace() -> None:
    kept = Kept()
    traced = Traced(kept.tracing)
    await traced.work(lambda: traced.world.intake.dead, kind="riddle")
    assert not kept.spans


async def test_the_line_of_an_entry_tells_its_whole_story() -> None:
    traced = Traced(UNTRACED)
    with capture_logs() as logs:
        await traced.work(
            lambda: traced.world.intake.acknowledged, traceparent=INTAKE, subscription="s1", attempt="2"
        )

    (line,) = [one for one in logs if one["event"] == "notification.processed"]
    assert line == {
        "event": "notification.processed",
        "log_level": "info",
        "entry_id": "1-0",
        "trace_id": INTAKE[3:35],
        "kind": "event",
        "origin": "notification",
        "mailbox": "owner",
        "attempt": 2,
        "outcome": "published",
        "owner": "owner",
        "meeting": str(event(1).meeting),
        "facts": 1,
        "event_id": "e1",
        "subscription_id": "s1",
        "updates": ["attendee.added", "response.changed"],
        "duration_ms": 0.0,
    }


async def test_the_line_of_what_is_none_of_ours_names_no_item() -> None:
    traced = Traced(UNTRACED)
    with capture_logs() as logs:
        await traced.work(
            lambda: traced.world.intake.acknowledged, kind="message", mailbox="stranger", item="m9"
        )

    (line,) = [one for one in logs if one["event"] == "notification.processed"]
    assert "m9" not in str(line)
    assert (line["outcome"], line["updates"]) == ("not_watched", [])


async def test_lines_of_what_is_put_off_or_given_up_say_which_entry_it_was() -> None:
    for attempt, event_name, level in (
        ("0", "entry.deferred", "info"),
        ("9", "entry.dead_lettered", "error"),
    ):
        traced = Traced(UNTRACED)
        traced.world.reader.errors = [UnavailableError("away", status=503)]
        with capture_logs() as logs:
            await traced.work(
                lambda traced=traced: traced.world.intake.deferred or traced.world.intake.dead,  # type: ignore[misc]
                traceparent=INTAKE,
                attempt=attempt,
                tries=f"unavailable:{attempt}",
            )
        (line,) = [one for one in logs if one["event"] == event_name]
        known = {key: line[key] for key in ("log_level", "trace_id", "kind", "mailbox", "attempt")}
        assert known == {
            "log_level": level,
            "trace_id": INTAKE[3:35],
            "kind": "event",
            "mailbox": "owner",
            "attempt": int(attempt),
        }
