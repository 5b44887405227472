"""One server process of the webhook benchmark: the service's own public side, or a bare aiohttp handler.

Prints its port when it listens and serves until it is ended. Both kinds run on uvloop, as the service does.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from functools import partial

import structlog
import uvloop
from aiohttp import web

from service.clock import SystemClock
from service.intake.appender import Appender, Durability
from service.intake.client_state import derive_client_state_keys
from service.intake.listener import ListenerLimits, PublicListener
from service.intake.notification import build_rules
from service.intake.webhook import Webhook, WebhookLimits
from service.metrics import Metrics
from service.streams.connection import RedisTarget, connect, open_connection
from service.streams.keys import KeyNames

SECRET = "a secret for the benchmark, nothing else"  # noqa: S105 - it protects nothing
DEPLOYMENT = "bench"
TENANT = "84bd8158-6d4d-4958-8b9f-9d6445542f95"


async def serve_application(ended: asyncio.Event) -> None:
    """Serve what a plain aiohttp application does at the least: read the body, answer 202."""

    async def read_body(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=202)

    application = web.Application(client_max_size=4_000_000)
    application.router.add_post("/graph/notifications", read_body)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await _serve_runner(runner, ended)


async def serve_low_level(ended: asyncio.Event) -> None:
    """Serve the same without application and router."""

    async def read_body(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(status=202)

    runner = web.ServerRunner(web.Server(read_body, access_log=None))
    await runner.setup()
    await _serve_runner(runner, ended)


async def serve_ours(ended: asyncio.Event, redis_url: str, durability: Durability) -> None:
    """Serve the public side as the service does."""
    key = KeyNames(stream="bench").intake
    link = connect(RedisTarget(url=redis_url))
    metrics, clock = Metrics(), SystemClock()
    appender = Appender(
        partial(open_connection, link, key), key, clock=clock, metrics=metrics, durability=durability
    )
    rules = build_rules(derive_client_state_keys([SECRET], DEPLOYMENT), tenant_id=TENANT)
    webhook = Webhook(appender.append, rules, clock=clock, metrics=metrics, limits=WebhookLimits())
    listener = PublicListener(
        webhook.handle, host="127.0.0.1", port=0, metrics=metrics, limits=ListenerLimits()
    )
    running = asyncio.create_task(appender.run())
    while fault := await appender.check():
        sys.stderr.write(f"{fault}\n")
        await asyncio.sleep(0.1)
    await listener.start()
    _tell_port(listener.port)
    await ended.wait()
    await listener.stop()
    running.cancel()
    await link.aclose()


def _tell_port(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


async def _serve_runner(runner: web.BaseRunner, ended: asyncio.Event) -> None:
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
    await site.start()
    _tell_port(runner.addresses[0][1])
    await ended.wait()
    await runner.cleanup()


async def main(arguments: argparse.Namespace) -> None:
    """Serve the kind that was asked for until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    match arguments.kind:
        case "ours":
            await serve_ours(ended, arguments.redis, Durability(arguments.durability))
        case "application":
            await serve_application(ended)
        case _:
            await serve_low_level(ended)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("ours", "application", "low-level"))
    parser.add_argument("--redis", default="")
    parser.add_argument("--durability", default="memory")
    uvloop.run(main(parser.parse_args()))
