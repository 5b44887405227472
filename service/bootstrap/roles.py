"""Opens roles over shared connections, with the admin listener beside them.

Imports what a role needs when it is opened: `web` needs nothing of Graph.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum

from service.admin import AdminListener, Refresh
from service.bootstrap.dashboard import build_dashboard
from service.bootstrap.pulse import beating, build_consumer_gauges, build_system_gauges
from service.bootstrap.redis_side import Streams, open_streams
from service.bootstrap.tracing import open_tracing
from service.clock import SystemClock
from service.dashboard.routes import OPEN_PATHS
from service.gauges import IntakeGauges, MailboxGauges
from service.metrics import Metrics
from service.roles.running import Role
from service.settings import Settings
from service.settings.telemetry import read_telemetry
from service.tracing.spans import Tracing


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
        tracing = await stack.enter_async_context(
            open_tracing(read_telemetry(), flush_s=settings.traces_flush_s)
        )
        streams = await stack.enter_async_context(open_streams(settings))
        roles = [_open_web(settings, streams, metrics, tracing)] if RoleName.WEB in names else []
        if RoleName.WORKER in names or RoleName.KEEPER in names:
            roles += await stack.enter_async_context(
                _open_readers(settings, names, streams, metrics, tracing)
            )
        refreshes = _list_refreshes(settings, names, streams, metrics)
        await stack.enter_async_context(_open_admin(settings, streams, roles, refreshes, metrics))
        await stack.enter_async_context(beating(settings, streams, roles, metrics))
        yield roles


def _open_web(settings: Settings, streams: Streams, metrics: Metrics, tracing: Tracing) -> Role:
    from service.bootstrap.web import build_web

    return build_web(settings, streams, metrics, tracing)


@asynccontextmanager
async def _open_readers(
    settings: Settings, names: Collection[RoleName], streams: Streams, metrics: Metrics, tracing: Tracing
) -> AsyncIterator[list[Role]]:
    """Build the roles that ask Graph, over one session."""
    from service.bootstrap.graph_side import open_graph

    async with open_graph(settings, metrics, streams) as graph, AsyncExitStack() as stack:
        roles: list[Role] = []
        if RoleName.WORKER in names:
            from service.bootstrap.rich_side import open_notified
            from service.bootstrap.worker import build_worker

            notified = await stack.enter_async_context(open_notified(settings, streams, graph, metrics))
            roles.append(build_worker(settings, streams, graph, metrics, notified=notified, tracing=tracing))
        if RoleName.KEEPER in names:
            from service.bootstrap.keeper import build_keeper_role

            roles.append(build_keeper_role(settings, streams, graph, metrics))
        yield roles


def _list_refreshes(
    settings: Settings, names: Collection[RoleName], streams: Streams, metrics: Metrics
) -> list[Refresh]:
    """Say what is measured when somebody scrapes: the work that waits, and the keeper's books."""
    clock = SystemClock()
    refreshes: list[Refresh] = [
        IntakeGauges(streams.intake, metrics, clock).refresh,
        build_system_gauges(settings, streams, metrics).refresh,
        build_consumer_gauges(settings, streams, metrics).refresh,
    ]
    if RoleName.KEEPER in names:
        from service.bootstrap.keeper import build_status_reader

        status = build_status_reader(settings, streams, clock)
        refreshes.append(MailboxGauges(status, streams.generation, metrics).refresh)
    return refreshes


@asynccontextmanager
async def _open_admin(
    settings: Settings,
    streams: Streams,
    roles: Sequence[Role],
    refreshes: Sequence[Refresh],
    metrics: Metrics,
) -> AsyncIterator[None]:
    """Serve liveness, readiness of these roles, metrics, and the dashboard of the whole system."""
    dashboard = build_dashboard(settings, streams)
    admin = AdminListener(
        host=settings.admin_host,
        port=settings.admin_port,
        token=settings.admin_token.get_secret_value(),
        probes={role.name: role.find_unready for role in roles},
        refreshes=refreshes,
        metrics=metrics,
        routes=dashboard.list_routes(),
        sessions=dashboard.sessions if dashboard.sessions.is_needed else None,
        open_paths=OPEN_PATHS,
    )
    await admin.start()
    try:
        yield
    finally:
        await dashboard.close()
        await admin.stop()
