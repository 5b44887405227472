"""Builds every object from the settings: the only file that names all concrete classes. Holds no rule."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.clock import Clock, SystemClock
from service.cloud_events import Redactor, build_redactor
from service.entries import IntakeEntry
from service.errors import ConfigError
from service.graph.client import GraphClient
from service.graph.credentials import (
    ClientCertificate,
    ClientSecret,
    Credential,
    FederatedToken,
    ManagedIdentity,
    Registration,
)
from service.graph.delta import GraphDelta
from service.graph.directory import GraphDirectory
from service.graph.dispatch import Dispatcher
from service.graph.mailboxes import GraphMailboxes
from service.graph.subscriptions import GraphSubscriptions
from service.graph.tokens import MsalTokens
from service.graph.trust import build_trust
from service.intake.appender import Appender, Durability
from service.intake.client_state import ClientStateKeys, derive_client_state_keys
from service.intake.listener import PublicListener, build_tls_context
from service.intake.notification import build_rules
from service.intake.webhook import Webhook
from service.limits import (
    take_commit_limits,
    take_decision_limits,
    take_listener_limits,
    take_redis_limits,
    take_retry_limits,
    take_webhook_limits,
    take_worker_limits,
)
from service.metrics import Metrics
from service.observing import GraphMetrics, WorkerObserver
from service.pipeline.committer import Committer
from service.pipeline.process import Processor
from service.pipeline.watching import BookWatching
from service.pipeline.worker import Worker
from service.roles.web import WebRole
from service.roles.worker import WorkerRole
from service.roster import RosterEntry
from service.roster_file import parse_roster
from service.settings import CLOUDS, Settings
from service.streams.connection import RedisTarget, connect, open_connection
from service.streams.dead_letters import DeadLetters
from service.streams.due_list import DueList
from service.streams.generation import RedisGeneration
from service.streams.intake_stream import RedisIntakeStream
from service.streams.keys import KeyNames
from service.streams.lease import RedisLease
from service.streams.link import RedisLink
from service.streams.records import RedisRecords
from service.streams.state import RedisStateStore
from service.streams.update_stream import UpdateStreamReader
from service.subscriptions.desk import LifecycleDesk

_SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Everything that is kept in Redis, over one link."""

    link: RedisLink
    keys: KeyNames
    intake: RedisIntakeStream
    due_list: DueList
    dead_letters: DeadLetters
    states: RedisStateStore
    records: RedisRecords
    lease: RedisLease
    generation: RedisGeneration
    updates: UpdateStreamReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Everything that is asked of Graph, over one session."""

    tokens: MsalTokens
    client: GraphClient
    mailboxes: GraphMailboxes
    directory: GraphDirectory
    delta: GraphDelta
    subscriptions: GraphSubscriptions


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


# --- Redis ---


@asynccontextmanager
async def open_streams(settings: Settings) -> AsyncIterator[Streams]:
    """Build what is kept in Redis; nothing is sent before it is used.

    Raises:
        ConfigError: REDIS_URL cannot be used.
    """
    target = RedisTarget(
        url=settings.redis_url.get_secret_value(),
        sentinel=settings.redis_sentinel,
        is_cluster=settings.redis_cluster,
        ca_file=_path(settings.ca_bundle),
    )
    link = connect(target, take_redis_limits(settings))
    try:
        yield _build_streams(settings, link)
    finally:
        await link.aclose()


def _build_streams(settings: Settings, link: RedisLink) -> Streams:
    keys = KeyNames(stream=settings.stream, partitions=settings.partitions)
    due_list = DueList(link, keys)
    dead_letters = DeadLetters(
        link,
        keys,
        entries_max=settings.dead_letters_max,
        age_max_s=settings.dead_letter_days * _SECONDS_PER_DAY,
    )
    intake = RedisIntakeStream(link, keys, due_list=due_list, dead_letters=dead_letters)
    return Streams(
        link=link,
        keys=keys,
        intake=intake,
        due_list=due_list,
        dead_letters=dead_letters,
        states=RedisStateStore(
            link,
            keys,
            stream_entries_max=settings.stream_maxlen,
            state_lifetime_min_s=settings.state_lifetime_min_s,
        ),
        records=RedisRecords(link, keys),
        lease=RedisLease(link, keys),
        generation=RedisGeneration(link, keys, intake),
        updates=UpdateStreamReader(link, keys),
    )


# --- Graph ---


@asynccontextmanager
async def open_graph(settings: Settings, metrics: Metrics) -> AsyncIterator[Graph]:
    """Build what asks Graph; nothing is sent before it is used.

    Raises:
        ConfigError: CA_BUNDLE cannot be read.
    """
    clock, observer = SystemClock(), GraphMetrics(metrics)
    trust = build_trust(_path(settings.ca_bundle))
    tokens = MsalTokens(
        build_registration(settings),
        trust=trust,
        clock=clock,
        observer=observer,
        renew_margin_s=settings.token_renew_margin_s,
        error_memory_s=settings.token_error_memory_s,
        timeout_s=settings.token_timeout_s,
        uses_proxy_environment=settings.use_proxy,
    )
    client = GraphClient(
        base_url=settings.graph_url,
        tokens=tokens,
        trust=trust,
        clock=clock,
        observer=observer,
        requests_max=settings.graph_requests_max,
        timeout_s=settings.graph_timeout_s,
        connect_timeout_s=settings.graph_connect_timeout_s,
        answer_bytes_max=settings.answer_bytes_max,
        uses_proxy_environment=settings.use_proxy,
    )
    dispatcher = Dispatcher(
        client,
        clock=clock,
        observer=observer,
        per_mailbox_max=settings.mailbox_requests_max,
        window_s=settings.batch_window_s,
    )
    try:
        async with client:
            yield Graph(
                tokens=tokens,
                client=client,
                mailboxes=GraphMailboxes(dispatcher, observer=observer),
                directory=GraphDirectory(dispatcher, observer=observer),
                delta=GraphDelta(dispatcher, observer=observer),
                subscriptions=GraphSubscriptions(dispatcher),
            )
    finally:
        await dispatcher.close()
        tokens.close()


def build_registration(settings: Settings) -> Registration:
    """Say who the application is, and for what its tokens are: the cloud's Graph, also through a proxy."""
    return Registration(
        authority=settings.authority_url,
        client_id=settings.client_id,
        resource=CLOUDS[settings.cloud].graph,
        credential=_choose_credential(settings),
    )


def _choose_credential(settings: Settings) -> Credential:
    if settings.client_secret.is_set:
        return ClientSecret(settings.client_secret.get_secret_value())
    if settings.client_certificate_file:
        return ClientCertificate(Path(settings.client_certificate_file))
    if settings.federated_token_file:
        return FederatedToken(Path(settings.federated_token_file))
    is_system = settings.managed_identity.lower() == "system"
    return ManagedIdentity("" if is_system else settings.managed_identity)


# --- web ---


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


# --- worker ---


def build_worker(settings: Settings, streams: Streams, graph: Graph, metrics: Metrics) -> WorkerRole:
    """Build what works the intake stream off."""
    clock = SystemClock()
    watching = BookWatching(streams.records, clock, refresh_s=settings.watch_refresh_s)

    async def follow_up(entries: list[IntakeEntry]) -> None:
        await streams.intake.append(entries)

    processor = Processor(
        reader=graph.mailboxes,
        states=streams.states,
        committer=build_committer(settings, streams, clock),
        watch=watching.current,
        desk=LifecycleDesk(records=streams.records),
        follow_up=follow_up,
    )
    worker = Worker(
        consumer=name_process(),
        intake=streams.intake,
        processor=processor,
        watching=watching,
        clock=clock,
        metrics=WorkerObserver(metrics),
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


def build_committer(settings: Settings, streams: Streams, clock: Clock) -> Committer:
    """Build what takes facts to state and updates."""
    return Committer(
        streams.states,
        clock,
        decision_limits=take_decision_limits(settings),
        commit_limits=take_commit_limits(settings),
        redactor=_build_redactor(settings),
    )


def name_process() -> str:
    """Name this process so that no other has the name, and a person can find it."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(4)}"


def _build_redactor(settings: Settings) -> Redactor:
    return build_redactor(settings.redact, settings.secret_key.get_secret_value().encode())


def _path(text: str) -> Path | None:
    return Path(text) if text else None
