"""Builds the role `worker`."""

from __future__ import annotations

from functools import partial

from service.bootstrap.deciding import build_committer
from service.bootstrap.graph_side import Graph
from service.bootstrap.identity import name_process
from service.bootstrap.redis_side import Streams
from service.clock import Clock, SystemClock
from service.limits.keeper import take_message_kind
from service.limits.worker import (
    take_backlog_limits,
    take_calendar_limits,
    take_catch_up_limits,
    take_known_limits,
    take_people_limits,
    take_retry_limits,
    take_worker_limits,
)
from service.metrics import Metrics
from service.observing import RichObserver, WorkerObserver
from service.pipeline.backlog import MessagesFirst
from service.pipeline.calendar import CalendarReads
from service.pipeline.catching_up import CatchingUp
from service.pipeline.people import People
from service.pipeline.process import Processor
from service.pipeline.watching import BookWatching
from service.pipeline.worker import Gate, Worker
from service.ports import NotifiedReader
from service.rich.unread import Unread
from service.roles.witness import Witness
from service.roles.worker import WorkerRole
from service.settings import Settings
from service.subscriptions.desk import LastHeard, LifecycleDesk
from service.subscriptions.outage import OutageReader
from service.tracing.spans import UNTRACED, Tracing


def build_worker(
    settings: Settings,
    streams: Streams,
    graph: Graph,
    metrics: Metrics,
    *,
    notified: NotifiedReader | None = None,
    tracing: Tracing = UNTRACED,
) -> WorkerRole:
    """Build what works the intake stream off.

    Args:
        notified: reads items out of rich notifications; None where all are fetched.
    """
    clock = SystemClock()
    observer = WorkerObserver(metrics, clock)
    rich_observer = RichObserver(metrics)
    watching = BookWatching(streams.records)
    processor = Processor(
        reader=graph.mailboxes,
        states=streams.states,
        calendar=CalendarReads(graph.calendars, streams.states, take_calendar_limits(settings)),
        committer=build_committer(settings, streams, clock, on_conflict=observer.race_lost, tracing=tracing),
        watch=watching.current,
        desk=LifecycleDesk(records=streams.records),
        intake=streams.intake,
        people=People(graph.directory, clock=clock, limits=take_people_limits(settings)),
        notified=notified,
        known_limits=take_known_limits(settings),
        on_order_unclear=partial(rich_observer.data_unread, reason=Unread.ORDER_UNCLEAR),
        on_replay=graph.tokens.note_repaired,
        tracing=tracing,
    )
    worker = Worker(
        consumer=name_process(),
        intake=streams.intake,
        processor=processor,
        watching=watching,
        clock=clock,
        metrics=observer,
        hearing=LastHeard(records=streams.records, clock=clock, interval_s=settings.heard_interval_s),
        gates=_build_gates(settings, streams, clock),
        limits=take_worker_limits(settings),
        retry_limits=take_retry_limits(settings),
        tracing=tracing,
    )
    return WorkerRole(
        worker=worker,
        intake=streams.intake,
        generation=streams.generation,
        clock=clock,
        outage_wait_s=settings.outage_wait_s,
        witness=Witness(streams.generation, clock, every_s=settings.witness_interval_s),
    )


def _build_gates(settings: Settings, streams: Streams, clock: Clock) -> tuple[Gate, ...]:
    """Build what decides whether entries may be processed now, or what came before them goes first."""
    return (
        CatchingUp(
            intake=streams.intake,
            generation=streams.generation,
            book=OutageReader(records=streams.records, messages=take_message_kind(settings)),
            clock=clock,
            limits=take_catch_up_limits(settings),
        ),
        MessagesFirst(intake=streams.intake, clock=clock, limits=take_backlog_limits(settings)),
    )
