"""The admin listener: liveness, readiness, metrics. For the operator's own network, never for the public.

| path | answer |
| --- | --- |
| `GET /healthz` | 200 as long as the process can answer at all |
| `GET /readyz` | 200 once the role can do its work, else 503; JSON says which probe is not ready, and why |
| `GET /metrics` | all metrics, for Prometheus |
| `GET /`, `GET /api/..` | the dashboard (`service/dashboard`), where there is one |

With a token, every path needs it (`Authorization: Bearer ..`), but for the bare status of the first two: an
orchestrator's probe cannot carry a secret, and learns one word. Without a token the listener must be on
loopback, and answers only requests that name it so, because a web page may point a name of its own at
127.0.0.1. Its own paths change nothing, the dashboard's change dead letters alone. Must never let another
origin read or change anything.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Final

import msgspec
import structlog
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from service.access import Access, SessionBook, is_loopback
from service.errors import ConfigError, ServiceError
from service.metrics import Metrics

_LOG: Final = structlog.get_logger(__name__)
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Refresh = Callable[[], Awaitable[None]]
"""Measures some gauges anew before a scrape. May raise `ServiceError`, and be broken off."""
Probe = Callable[[], Awaitable[str]]
"""Tells why something is not ready, in words; empty where it is. May raise `ServiceError`, which says why."""


class AdminListener:
    """Serves the admin paths on one address, between `start` and `stop`."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        token: str,
        probes: Mapping[str, Probe],
        metrics: Metrics,
        refreshes: Iterable[Refresh] = (),
        probe_timeout_s: float = 2.0,
        stop_timeout_s: float = 2.0,
        routes: Iterable[web.AbstractRouteDef] = (),
        sessions: SessionBook | None = None,
        open_paths: Collection[str] = (),
    ) -> None:
        """Take what is needed; port 0 takes a free one.

        Args:
            token: may be empty on loopback only.
            probes: what readiness depends on, by name; all are asked at once.
            refreshes: what is measured before each scrape, all at once.
            probe_timeout_s: for each probe and each measurement.
            routes: more paths for the same listener; they are guarded like its own.
            sessions: what lets a browser in that has signed in with the token.
            open_paths: what signing in needs; told without the token.

        Raises:
            ConfigError: no token, and the host is not loopback.
        """
        if not token and not is_loopback(host):
            raise ConfigError([f"ADMIN_TOKEN must be set, because ADMIN_HOST={host} is not loopback"])
        self._host = host
        self._port = port
        self._access = Access(token, sessions=sessions, open_paths=open_paths)
        self._probes = dict(probes)
        self._metrics = metrics
        self._refreshes = tuple(refreshes)
        self._asking: asyncio.Task[list[str]] | None = None
        self._probe_timeout_s = probe_timeout_s
        self._runner = web.AppRunner(
            self._build_application(routes), access_log=None, shutdown_timeout=stop_timeout_s
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigError: the address is taken, or not ours.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            place = f"{self._host}:{self._port}"
            raise ConfigError([f"ADMIN_HOST/ADMIN_PORT: cannot listen on {place}: {error}"]) from error
        _LOG.info("admin.listening", host=self._host, port=self.port)

    async def stop(self) -> None:
        """Close the listener and its connections."""
        await self._runner.cleanup()

    def _build_application(self, routes: Iterable[web.AbstractRouteDef]) -> web.Application:
        application = web.Application(middlewares=[self._guard])
        application.on_response_prepare.append(_add_headers)
        application.add_routes(
            [
                web.get("/healthz", self._tell_health),
                web.get("/readyz", self._tell_readiness),
                web.get("/metrics", self._tell_metrics),
                *routes,
            ]
        )
        return application

    # --- Who may ask ---

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        return self._access.refuse(request) or await handler(request)

    # --- Answers ---

    async def _tell_health(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _tell_readiness(self, request: web.Request) -> web.Response:
        reasons = await self._find_reasons()
        if self._access.needs_token and not self._access.has_token(request):
            return (
                web.Response(text="unready\n", status=503) if any(reasons) else web.Response(text="ready\n")
            )
        probes = {
            name: {"ready": not reason, "reason": reason}
            for name, reason in zip(self._probes, reasons, strict=True)
        }
        is_ready = not any(reasons)
        body = msgspec.json.encode({"ready": is_ready, "probes": probes})
        return web.Response(body=body, content_type="application/json", status=200 if is_ready else 503)

    async def _find_reasons(self) -> list[str]:
        """Give what each probe says; all who ask meanwhile share the answer, so many cost what one costs."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all())
        return await asyncio.shield(self._asking)

    async def _ask_all(self) -> list[str]:
        return await asyncio.gather(*(self._ask(name) for name in self._probes))

    async def _ask(self, name: str) -> str:
        """Ask one probe; one that is slow or fails is not ready."""
        try:
            async with asyncio.timeout(self._probe_timeout_s):
                return await self._probes[name]()
        except TimeoutError:
            return f"no answer within {self._probe_timeout_s:g} s"
        except ServiceError as error:
            return str(error) or type(error).__name__

    async def _tell_metrics(self, _request: web.Request) -> web.Response:
        await asyncio.gather(*(self._measure(refresh) for refresh in self._refreshes))
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _measure(self, refresh: Refresh) -> None:
        """Measure what can be measured in time; gauges that could not be are not shown."""
        with contextlib.suppress(TimeoutError, ServiceError):
            async with asyncio.timeout(self._probe_timeout_s):
                await refresh()


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.popall("Server", None)
