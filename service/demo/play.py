"""Starts everything, plays the walkthrough, shows what the service made of it, and ends everything.

Each part is a process of its own. What the service publishes it has learnt from Graph alone.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console

from service.bootstrap.redis_side import open_streams
from service.commands.screen import show_text
from service.commands.update_text import Attendance, describe_update
from service.demo.children import Child, run_child
from service.demo.story import Audience, Walkthrough
from service.demo.surroundings import (
    ROLES,
    STREAM,
    Ports,
    SandboxFound,
    build_environment,
    build_settings,
    choose_ports,
    parse_ready_line,
)
from service.embedded import Listener, embedded_redis
from service.errors import CommandError
from service.settings import Scope, Settings, read_bare_environment, read_settings
from service.streams.update_stream import BEGINNING

START_TIMEOUT_S: Final = 30.0
PUBLISH_TIMEOUT_S: Final = 20.0
POLL_S: Final = 0.1
ANSWER_STEP: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs.

    Attributes:
        settings: those of the service, by name.
    """

    sandbox: SandboxFound
    settings: Mapping[str, str]
    ports: Ports
    children: Sequence[Child]


async def play_demo(screen: Console, *, keeps_running: bool) -> None:
    """Play the walkthrough.

    Args:
        keeps_running: leave everything running afterwards, until a signal comes.

    Raises:
        CommandError: something did not start, or the walkthrough did not come out.
        ConfigError: there is no Redis-compatible server to start.
    """
    began = time.monotonic()
    with _signals_cancel(), tempfile.TemporaryDirectory(prefix="response-sync-demo-") as name:
        async with _open_stage(Path(name), screen) as stage:
            screen.print(show_text(f"Everything is up after {time.monotonic() - began:.1f} s.", "dim"))
            await _perform(stage, screen)
            screen.print(show_text(f"Done after {time.monotonic() - began:.1f} s.", "dim"))
            if keeps_running:
                await _keep(stage, screen)


# --- starting ---


@asynccontextmanager
async def _open_stage(directory: Path, screen: Console) -> AsyncIterator[Stage]:
    """Start server, sandbox and the three roles, and wait until each can do its work."""
    async with AsyncExitStack() as stack:
        data = directory / "redis"
        data.mkdir(mode=0o700)
        redis = await stack.enter_async_context(embedded_redis(listener=Listener.LOOPBACK, directory=data))
        screen.print(show_text(f"Redis-compatible server: {redis.program.path.name}", "dim"))
        certificates = directory / "tls"
        sandbox = await _start_sandbox(stack, directory, certificates)
        screen.print(show_text(f"Graph sandbox: {sandbox.graph_url}", "dim"))
        owners_file = directory / "owners.toml"
        owners_file.write_text(f'[[owners]]\naddress = "{sandbox.people["alex"].address}"\n')
        ports = choose_ports()
        settings = build_settings(
            sandbox, redis_url=redis.url, ports=ports, certificates=certificates, owners_file=owners_file
        )
        children = [await _start_role(stack, role, settings, ports, directory) for role in ROLES]
        stage = Stage(sandbox=sandbox, settings=settings, ports=ports, children=children)
        await _wait_until_ready(stage)
        yield stage


async def _start_sandbox(stack: AsyncExitStack, directory: Path, certificates: Path) -> SandboxFound:
    child = await stack.enter_async_context(
        run_child(
            "sandbox",
            ["sandbox", "--webhook-certificate", str(certificates)],
            environment=read_bare_environment(),
            directory=directory,
            reads_output=True,
        )
    )
    return parse_ready_line(await child.read_line(START_TIMEOUT_S))


async def _start_role(
    stack: AsyncExitStack, role: str, settings: Mapping[str, str], ports: Ports, directory: Path
) -> Child:
    environment = build_environment(settings, admin_port=ports.admin[role])
    child = run_child(role, [role], environment=environment, directory=directory)
    return await stack.enter_async_context(child)


async def _wait_until_ready(stage: Stage) -> None:
    """Wait for all three roles; the keeper is ready once subscriptions and baseline stand.

    Raises:
        CommandError: one ended, or is not ready in time.
    """
    waiting = dict(stage.ports.admin)
    deadline = time.monotonic() + START_TIMEOUT_S
    async with aiohttp.ClientSession(trust_env=False) as session:
        while waiting:
            for child in stage.children:
                child.check_alive()
                if child.name in waiting and await _is_ready(session, waiting[child.name]):
                    del waiting[child.name]
                if child.name in waiting and time.monotonic() > deadline:
                    raise CommandError(
                        f"{child.name} is not ready after {START_TIMEOUT_S:g} s\n{child.read_log_tail()}"
                    )
            await asyncio.sleep(POLL_S)


async def _is_ready(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


# --- performing ---


async def _perform(stage: Stage, screen: Console) -> None:
    """Play the story, show each update as it lands, and end with the table of attendees."""
    seen = Attendance()
    following = asyncio.create_task(_follow(stage, screen, seen))
    watcher = Watcher(stage=stage, seen=seen, following=following)
    try:
        await _play_story(stage, screen, watcher)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
    screen.print()
    screen.print(seen.build_table())


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """Waits until the stream says what a step leads to.

    Attributes:
        seen: what the stream has said so far.
        following: keeps `seen`.
    """

    stage: Stage
    seen: Attendance
    following: asyncio.Task[None]

    async def wait_for_step(self, number: int) -> None:
        """Wait until both attendees are known (2), until both witnesses agree on the answer (4).

        Raises:
            CommandError: it was not published in time, or a process ended.
        """
        people = self.stage.sandbox.people
        wanted = [("christie", ("none", "none")), ("megan", ("none", "none"))]
        if number == ANSWER_STEP:
            wanted[0] = ("christie", ("tentativelyAccepted", "confirmed"))
        deadline = time.monotonic() + PUBLISH_TIMEOUT_S
        while any(self.seen.find_answer(people[who].address) != answer for who, answer in wanted):
            for child in self.stage.children:
                child.check_alive()
            if self.following.done():
                await self.following
            if time.monotonic() > deadline:
                raise CommandError(f"What step {number} led to was not published in {PUBLISH_TIMEOUT_S:g} s.")
            await asyncio.sleep(POLL_S)


async def _play_story(stage: Stage, screen: Console, watcher: Watcher) -> None:
    trust = ssl.create_default_context(cafile=stage.sandbox.ca_bundle)
    audience = Audience(
        hear_step=lambda number, text: screen.print(show_text(f"{number}. {text}", "bold")),
        hear_detail=lambda text: screen.print(show_text(f"   {text}")),
        pause=watcher.wait_for_step,
    )
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        walkthrough = Walkthrough(
            session, graph_url=stage.sandbox.graph_url, people=stage.sandbox.people, audience=audience
        )
        await walkthrough.play()


async def _follow(stage: Stage, screen: Console, seen: Attendance) -> None:
    """Show each update, and keep who is coming."""
    async with open_streams(_read_stream_settings(stage)) as streams:
        async for update in streams.updates.tail({STREAM: BEGINNING}):
            seen.apply(update.fields)
            line = show_text("   → ", "green")
            line.append_text(describe_update(update.id, update.fields))
            screen.print(line)


def _read_stream_settings(stage: Stage) -> Settings:
    """Give settings that lead to the demo's stream, whatever the environment of the demo says."""
    return read_settings(
        Scope.REDIS,
        env_file=None,
        redis_url=stage.settings["REDIS_URL"],
        stream=STREAM,
        partitions=1,
        redis_cluster=False,
        redis_sentinel="",
        redact=frozenset(),
    )


# --- keeping ---


async def _keep(stage: Stage, screen: Console) -> None:
    """Print where everything is, and stay until a signal comes."""
    lines = {
        "Graph sandbox": stage.sandbox.graph_url,
        "its control": stage.sandbox.control_url,
        "its CA": stage.sandbox.ca_bundle,
        "webhook": stage.settings["RESPONSE_SYNC_PUBLIC_URL"],
        **{f"admin of {role}": f"http://127.0.0.1:{port}" for role, port in stage.ports.admin.items()},
        "REDIS_URL": stage.settings["REDIS_URL"],
        "stream": STREAM,
    }
    for name, value in lines.items():
        screen.print(show_text(f"{name:>16}  {value}", length_max=400))
    screen.print(show_text("Everything stays up until Ctrl-C.", "dim"))
    await asyncio.Event().wait()


class _signals_cancel:  # noqa: N801 - used as a statement
    """Lets the first signal cancel the running task, so that everything is ended in order; then none does."""

    _SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        self._is_told = False

        def cancel() -> None:
            if not self._is_told:
                self._is_told = True
                task.cancel()

        for number in self._SIGNALS:
            loop.add_signal_handler(number, cancel)

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in self._SIGNALS:
            loop.remove_signal_handler(number)
