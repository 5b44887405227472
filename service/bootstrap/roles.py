"""Builds the three roles, and the admin listener beside them."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from pathlib import Path

from service.admin import AdminListener, Refresh
from service.bootstrap.graph_side import Graph, open_graph
from service.bootstrap.redis_side import Streams, build_committer, open_streams
from service.clock import Clock, SystemClock
from service.errors import ConfigError
from service.gauges import IntakeGauges, MailboxGauges
from service.intake.appender import Appender, Durability
from service.intake.client_state import ClientStateKeys, derive_client_state_keys
from service.intake.listener import PublicListener, build_tls_context
from service.intake.notification import build_rules
from service.intake.webhook import Webhook
from service.limits import (
    take_calendar_limits,
    take_keeper_options,
    take_listener_limits,
    take_message_kind,
    take_people_limits,
    take_retry_limits,
    take_webhook_limits,
    take_worker_limits,
)
from service.metrics import Metrics
from service.observing import CountedGeneration, KeeperObserver, WorkerObserver
from service.pipeline.calendar import CalendarReads
from service.pipeline.people import People
from service.pipeline.process import Processor
from service.pipeline.watching import BookWatching
from service.pipeline.worker import Worker
from service.roles.keeper import KeeperRole
from service.roles.running import Role
from service.roles.web import WebRole
from service.roles.worker import WorkerRole
from service.roster import RosterEntry
from service.roster_file import parse_roster
from service.settings import Settings
from service.streams.connection import open_connection
from service.subscriptions.assembly import KeeperPorts, build_keeper
from service.subscriptions.desk import LastHeard, LifecycleDesk
from service.subscriptions.status import StatusReader
from service.subscriptions.subscribe import Destination


class RoleName(StrEnum):
    """The roles, in the order in which `serve` starts them."""

    WEB = "web"
    WORKER = "worker"
    KEEPER = "keeper"


@asynccontextmanager
async def open_roles(settings: Settings, names: Collection[RoleName]) -> AsyncIterator[Sequence[Role]]:
    """Build roles over shared connections, with the admin listener beside them.

    Raises:
        ConfigError: a file or address cannot be used.
    """
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        streams = await stack.enter_async_context(open_streams(settings))
        roles: list[Role] = []
        if RoleName.WEB in names:
            roles.append(build_web(settings, streams, metrics))
        if RoleName.WORKER in names or RoleName.KEEPER in names:
            graph = await stack.enter_async_context(open_graph(settings, metrics))
            if RoleName.WORKER in names:
                roles.append(build_worker(settings, streams, graph, metrics))
            if RoleName.KEEPER in names:
                roles.append(build_keeper_role(settings, streams, graph, metrics))
        refreshes = _list_refreshes(settings, names, streams, metrics)
        await stack.enter_async_context(_open_admin(settings, roles, refreshes, metrics))
        yield roles


def _list_refreshes(
    settings: Settings, names: Collection[RoleName], streams: Streams, metrics: Metrics
) -> list[Refresh]:
    """Say what is measured when somebody scrapes: the work that waits, and the keeper's books."""
    clock = SystemClock()
    refreshes: list[Refresh] = [IntakeGauges(streams.intake, metrics, clock).refresh]
    if RoleName.KEEPER in names:
        status = build_status_reader(settings, streams, clock)
        refreshes.append(MailboxGauges(status, streams.generation, metrics).refresh)
    return refreshes


@asynccontextmanager
async def _open_admin(
    settings: Settings, roles: Sequence[Role], refreshes: Sequence[Refresh], metrics: Metrics
) -> AsyncIterator[None]:
    """Serve liveness, readiness of these roles, and metrics."""
    admin = AdminListener(
        host=settings.admin_host,
        port=settings.admin_port,
        token=settings.admin_token.get_secret_value(),
        probes={role.name: role.find_unready for role in roles},
        refreshes=refreshes,
        metrics=metrics,
    )
    await admin.start()
    try:
        yield
    finally:
        await admin.stop()


def build_web(settings: Settings, streams: Streams, metrics: Metrics) -> WebRole:
    """Build the public side.

    Raises:
        ConfigError: certificate or key of the listener cannot be used.
    """
    clock = SystemClock()
    appender = _build_appender(settings, streams, metrics, clock)
    rules = build_rules(
        derive_keys(settings),
        tenant_id=settings.tenant_id,
        items_max=settings.items_max,
        depth_max=settings.depth_max,
    )
    webhook = Webhook(
        appender.append, rules, clock=clock, metrics=metrics, limits=take_webhook_limits(settings)
    )
    tls = None
    if settings.tls_cert_file:
        tls = build_tls_context(Path(settings.tls_cert_file), Path(settings.tls_key_file))
    listener = PublicListener(
        webhook.handle,
        host=settings.host,
        port=settings.port,
        metrics=metrics,
        limits=take_listener_limits(settings),
        tls=tls,
    )
    return WebRole(listener=listener, appender=appender)


def derive_keys(settings: Settings) -> ClientStateKeys:
    """Derive what client states are made with."""
    return derive_client_state_keys([settings.secret_key.get_secret_value()], settings.deployment)


def _build_appender(settings: Settings, streams: Streams, metrics: Metrics, clock: Clock) -> Appender:
    return Appender(
        lambda: open_connection(streams.link, streams.keys.intake),
        streams.keys.intake,
        clock=clock,
        metrics=metrics,
        durability=Durability(settings.durability),
        append_timeout_s=settings.append_timeout_s,
        connect_timeout_s=settings.redis_connect_timeout_s,
        reconnect_wait_max_s=settings.redis_reconnect_wait_max_s,
        idle_check_s=settings.redis_idle_check_s,
        waiting_max=settings.append_waiting_max,
    )


def build_worker(settings: Settings, streams: Streams, graph: Graph, metrics: Metrics) -> WorkerRole:
    """Build what works the intake stream off."""
    clock = SystemClock()
    observer = WorkerObserver(metrics, clock)
    watching = BookWatching(streams.records)
    processor = Processor(
        reader=graph.mailboxes,
        states=streams.states,
        calendar=CalendarReads(graph.mailboxes, streams.states, take_calendar_limits(settings)),
        committer=build_committer(settings, streams, clock, on_conflict=observer.race_lost),
        watch=watching.current,
        desk=LifecycleDesk(records=streams.records),
        people=People(streams.states, graph.directory, clock=clock, limits=take_people_limits(settings)),
    )
    worker = Worker(
        consumer=name_process(),
        intake=streams.intake,
        processor=processor,
        watching=watching,
        clock=clock,
        metrics=observer,
        hearing=LastHeard(records=streams.records, clock=clock, interval_s=settings.heard_interval_s),
        limits=take_worker_limits(settings),
        retry_limits=take_retry_limits(settings),
    )
    return WorkerRole(
        worker=worker,
        intake=streams.intake,
        generation=streams.generation,
        clock=clock,
        outage_wait_s=settings.outage_wait_s,
    )


def name_process() -> str:
    """Name this process so that no other has the name, and a person can find it."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(4)}"


def build_keeper_role(settings: Settings, streams: Streams, graph: Graph, metrics: Metrics) -> KeeperRole:
    """Build what keeps subscriptions.

    Raises:
        ConfigError: OWNERS_FILE cannot be read.
    """
    clock = SystemClock()
    keeper = build_keeper(
        KeeperPorts(
            api=graph.subscriptions,
            directory=graph.directory,
            reader=graph.delta,
            intake=streams.intake,
            states=streams.states,
            records=streams.records,
            lease=streams.lease,
            generation=CountedGeneration(streams.generation, metrics),
            clock=clock,
            metrics=KeeperObserver(metrics),
        ),
        holder=name_process(),
        destination=build_destination(settings),
        options=take_keeper_options(settings),
        seed=read_owners_file(settings),
    )
    return KeeperRole(
        keeper=keeper,
        status=build_status_reader(settings, streams, clock),
        generation=streams.generation,
        clock=clock,
        outage_wait_s=settings.outage_wait_s,
    )


def build_destination(settings: Settings) -> Destination:
    """Say where Graph is to deliver."""
    return Destination(
        public_url=settings.public_url, deployment=settings.deployment, keys=derive_keys(settings)
    )


def build_status_reader(settings: Settings, streams: Streams, clock: Clock) -> StatusReader:
    """Build what tells how every watched resource stands."""
    return StatusReader(records=streams.records, clock=clock, messages=take_message_kind(settings))


def read_owners_file(settings: Settings) -> tuple[RosterEntry, ...]:
    """Give the owners of OWNERS_FILE; none where it is not set.

    Raises:
        ConfigError: it cannot be read, or does not say what it should.
    """
    if not settings.owners_file:
        return ()
    path = Path(settings.owners_file)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"RESPONSE_SYNC_OWNERS_FILE cannot be read: {error}."]) from error
    return parse_roster(text, path.name)
