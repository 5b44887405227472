"""Starts a sandbox, says where it is, and ends it without leaving anything behind."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from service.sandbox.assembly import Parts, build_parts
from service.sandbox.options import ReadyLine, ReadyPersona, SandboxOptions
from service.sandbox.server import CONTROL, VERSION, Face
from service.sandbox.tls import CA_FILE_NAME, LOCAL_NAMES, CertificateAuthority
from service.sandbox.wire import SandboxClock
from service.sandbox.world import World

SHUTDOWN_S = 0.5
_LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A running sandbox, for programs that start it within themselves.

    Attributes:
        ready: what the ready line says.
        authority: issues further certificates, such as a webhook's.
    """

    ready: ReadyLine
    parts: Parts
    authority: CertificateAuthority
    ca_file: Path

    @property
    def world(self) -> World:
        return self.parts.tenant.world

    @property
    def clock(self) -> SandboxClock:
        return self.parts.tenant.clock

    def advance(self, seconds: float) -> None:
        """Move the clock ahead, and let happen what is due by then."""
        self.clock.advance(seconds)
        self.parts.deliveries.delivery.wake()

    @staticmethod
    @asynccontextmanager
    async def start(options: SandboxOptions | None = None) -> AsyncIterator[Sandbox]:
        """Serve until the block ends."""
        chosen = options or SandboxOptions()
        async with AsyncExitStack() as stack:
            authority = CertificateAuthority()
            ca_file = authority.write_certificate(_choose_ca_file(chosen, stack))
            webhooks = await stack.enter_async_context(
                _open_session(authority.build_client_context(chosen.trust_file))
            )
            parts = build_parts(chosen, webhooks)
            await stack.enter_async_context(_run_delivery(parts))
            names = tuple(dict.fromkeys((chosen.name, *LOCAL_NAMES, *chosen.more_names)))
            port = await stack.enter_async_context(_listen(parts, authority.build_server_context(names)))
            ready = _describe(parts, f"https://{chosen.name}:{port}", ca_file)
            _write_files(chosen, ready, authority, stack)
            yield Sandbox(ready=ready, parts=parts, authority=authority, ca_file=ca_file)


async def run_sandbox(
    options: SandboxOptions, stop: asyncio.Event, announce: Callable[[ReadyLine], None]
) -> None:
    """Serve until told to stop.

    Args:
        stop: set by the signal handlers.
        announce: called once, when requests are served.

    Raises:
        OSError: the port is taken, or a file cannot be written.
    """
    async with Sandbox.start(options) as sandbox:
        announce(sandbox.ready)
        await stop.wait()


def _choose_ca_file(options: SandboxOptions, stack: AsyncExitStack) -> Path:
    if options.ca_file is not None:
        return options.ca_file.absolute()
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="response-sync-sandbox-"))
    return Path(folder) / CA_FILE_NAME


def _open_session(context: ssl.SSLContext) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=0),
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


@asynccontextmanager
async def _run_delivery(parts: Parts) -> AsyncIterator[None]:
    task = asyncio.create_task(parts.deliveries.delivery.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _listen(parts: Parts, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Serve on every socket; gives the port."""
    server = web.Server(Face(parts).serve, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        sockets = _open_sockets(parts.tenant.options.host, parts.tenant.options.port)
        for one in sockets:
            await web.SockSite(runner, one, ssl_context=context).start()
        yield int(sockets[0].getsockname()[1])
    finally:
        transports = [connection.transport for connection in server.connections]
        await runner.cleanup()
        await _abort(transports)


async def _abort(transports: list[asyncio.Transport | None]) -> None:
    """End connections at once: TLS would wait half a minute for a client that does not say goodbye."""
    for transport in transports:
        if transport is not None:
            transport.abort()
    await asyncio.sleep(0)


def _open_sockets(host: str, port: int) -> list[socket.socket]:
    """Open loopback in both families on one port, or the one host that was named."""
    if host:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [socket.create_server((host, port), family=family, backlog=512)]
    first = socket.create_server((_LOOPBACK[0], port), backlog=512)
    try:
        second = socket.create_server(
            (_LOOPBACK[1], first.getsockname()[1]), family=socket.AF_INET6, backlog=512
        )
    except OSError:  # a machine without IPv6, or the port is somebody else's there
        return [first]
    return [first, second]


def _describe(parts: Parts, origin: str, ca_file: Path) -> ReadyLine:
    personas = {
        key: ReadyPersona(
            id=user.id,
            name=user.name,
            address=user.address,
            token=parts.tenant.issue_persona_token(user, origin),
        )
        for key, user in parts.tenant.people.items()
    }
    return ReadyLine(
        graph_url=f"{origin}/{VERSION}",
        authority_url=f"{origin}/{parts.tenant.options.tenant_id}",
        ca_bundle=str(ca_file),
        tenant_id=parts.tenant.options.tenant_id,
        client_id=parts.tenant.options.client_id,
        client_secret=parts.tenant.options.client_secret,
        personas=personas,
        control_url=f"{origin}/{CONTROL}",
    )


def _write_files(
    options: SandboxOptions, ready: ReadyLine, authority: CertificateAuthority, stack: AsyncExitStack
) -> None:
    if options.webhook_certificate_folder is not None:
        authority.issue_leaf(options.webhook_certificate_folder, (*LOCAL_NAMES, *options.more_names))
    if options.env_file is not None:
        _write_atomically(options.env_file, ready.to_env())
    if options.ready_file is not None:
        _write_atomically(options.ready_file, f"{ready.to_json()}\n")
        stack.callback(options.ready_file.unlink, missing_ok=True)


def _write_atomically(path: Path, text: str) -> None:
    """Write so that nobody ever reads half; for the owner's eyes only, as there are tokens in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(path)
