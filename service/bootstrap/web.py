"""Builds the role `web`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from service.bootstrap.identity import derive_keys
from service.bootstrap.redis_side import Streams
from service.clock import Clock, SystemClock
from service.intake.appender import Appender, Durability
from service.intake.heap import give_back_large_buffers
from service.intake.listener import PublicListener, build_tls_context
from service.intake.notification import build_rules
from service.intake.open_files import allow_connections
from service.intake.webhook import Append, Webhook
from service.limits.web import take_carried_limits, take_listener_limits, take_webhook_limits
from service.metrics import Metrics
from service.pulse.reading import read_vitals
from service.roles.web import WebRole
from service.roles.witness import Witness
from service.settings import Settings
from service.streams.connection import open_connection
from service.subscriptions.outage import WebReturn
from service.tracing.spans import UNTRACED, Tracing


def build_web(settings: Settings, streams: Streams, metrics: Metrics, tracing: Tracing = UNTRACED) -> WebRole:
    """Build the public side.

    Raises:
        ConfigError: certificate or key of the listener cannot be used.
    """
    clock = SystemClock()
    appender = _build_appender(settings, streams, metrics, clock)
    returning = _build_return(settings, streams, clock)
    rules = build_rules(
        derive_keys(settings),
        tenant_id=settings.tenant_id,
        items_max=settings.items_max,
        depth_max=settings.depth_max,
        carried=take_carried_limits(settings),
    )
    webhook = Webhook(
        _build_append(appender, returning),
        rules,
        clock=clock,
        metrics=metrics,
        limits=take_webhook_limits(settings),
        tracing=tracing,
    )
    tls = None
    if settings.tls_cert_file:
        tls = build_tls_context(Path(settings.tls_cert_file), Path(settings.tls_key_file))
    give_back_large_buffers()
    limits = take_listener_limits(settings)
    allow_connections(limits.connections_max if tls is None else limits.tls_connections_max)
    listener = PublicListener(
        webhook.handle,
        host=settings.host,
        port=settings.port,
        metrics=metrics,
        limits=limits,
        tls=tls,
    )
    witness = Witness(streams.generation, clock, every_s=settings.witness_interval_s)
    return WebRole(listener=listener, appender=appender, witness=witness, settle=returning.note)


def _build_append(appender: Appender, returning: WebReturn) -> Append:
    """Give what stores a POST, once it is written down that web is there again."""

    async def append(entries: Sequence[Mapping[str, str]], tokens: Mapping[str, str], /) -> None:
        await returning.settled()
        await appender.append(entries, tokens)

    return append


def _build_return(settings: Settings, streams: Streams, clock: Clock) -> WebReturn:
    async def is_another_there() -> bool:
        """Tell whether another web lives; this one has told nothing of itself, or else as what it is now."""
        vitals = await read_vitals(streams.pulse, clock.now(), minutes=1)
        return any(
            one.is_alive and "web" in one.record.roles and one.record.started_at < began_at
            for one in vitals.processes
        )

    began_at = clock.now() - timedelta(seconds=settings.pulse_interval_s)
    return WebReturn(
        records=streams.records,
        generation=streams.generation,
        is_another_there=is_another_there,
        clock=clock,
        timeout_s=settings.redis_timeout_s,
    )


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
        tokens_kept_s=settings.tokens_kept_s,
    )
