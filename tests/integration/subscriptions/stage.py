"""A whole service in one process, before a real sandbox and a real Redis: web, worker, and keepers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from service.bootstrap.graph_side import Graph, open_graph
from service.bootstrap.keeper import build_destination
from service.bootstrap.redis_side import Streams, open_streams
from service.bootstrap.web import build_web
from service.bootstrap.worker import build_worker
from service.clock import SystemClock
from service.metrics import Metrics
from service.observing import KeeperObserver
from service.ports import Book
from service.reconcile.matching import normalize_address
from service.roster import RosterEntry, encode_record
from service.sandbox.command import Sandbox
from service.settings import Settings, read_settings
from service.settings.reading import Scope
from service.subscriptions.assembly import KeeperOptions, KeeperPorts, build_keeper
from service.subscriptions.comparing import ComparingLimits
from service.subscriptions.faults import Backoff
from service.subscriptions.keeper import Keeper
from service.subscriptions.owners import OwnerLimits
from service.subscriptions.reading import ReadingLimits
from service.subscriptions.status import KeeperStatus
from service.subscriptions.status_reader import StatusReader
from service.tracing.spans import UNTRACED, Tracing
from tests.integration.sandbox.asking import Asking
from tests.integration.waiting import wait_until
from tests.ports import choose_port

QUICK = KeeperOptions(
    lease_s=20,  # which a process that stands still for a while keeps; its successor is told of its end
    backoff=Backoff(passing_s=0.2, passing_max_s=2, lasting_s=1, lasting_max_s=4),
    owners=OwnerLimits(resolve_interval_s=5, forget_again_s=1),
    comparing=ComparingLimits(interval_s=5),
    reading=ReadingLimits(sweep_interval_s=5),
)
"""Waits of seconds instead of minutes."""


@dataclass(slots=True)
class RunningKeeper:
    """A keeper in a task of its own."""

    name: str
    keeper: Keeper
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def end(self) -> None:
        """Stop it as SIGTERM does."""
        self.stop.set()
        await self.task

    async def kill(self) -> None:
        """Stop it as SIGKILL does: in the middle, and with the lease still taken."""
        await self.keeper._crew.cancel_all()
        self.keeper._leadership._fence = None
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything, and what a test does with it."""

    sandbox: Sandbox
    asking: Asking
    settings: Settings
    streams: Streams
    graph: Graph
    options: KeeperOptions = QUICK
    keepers: list[RunningKeeper] = field(default_factory=list)

    # --- keepers ---

    def start_keeper(self, name: str = "keeper-1", *, seed: Sequence[str] = ()) -> RunningKeeper:
        ports = KeeperPorts(
            api=self.graph.subscriptions,
            directory=self.graph.directory,
            reader=self.graph.delta,
            intake=self.streams.intake,
            states=self.streams.states,
            records=self.streams.records,
            lease=self.streams.lease,
            generation=self.streams.generation,
            clock=SystemClock(),
            metrics=KeeperObserver(Metrics()),
        )
        keeper = build_keeper(
            ports,
            holder=name,
            destination=build_destination(self.settings),
            options=self.options,
            seed=tuple(RosterEntry(address=normalize_address(one)) for one in seed),
        )
        stop = asyncio.Event()
        running = RunningKeeper(
            name=name, keeper=keeper, stop=stop, task=asyncio.create_task(keeper.run(stop))
        )
        self.keepers.append(running)
        return running

    async def read_status(self) -> KeeperStatus:
        reader = StatusReader(
            records=self.streams.records, clock=SystemClock(), messages=self.options.messages, kept_s=0
        )
        return await reader.read()

    async def wait_until_ready(self) -> None:
        async def is_ready() -> bool:
            return await self.streams.generation.exists() and (await self.read_status()).is_ready

        try:
            await wait_until(is_ready)
        except TimeoutError:
            raise AssertionError(f"not ready: {(await self.read_status()).waits_for}") from None

    # --- the roster ---

    async def add_owner(self, *addresses: str) -> None:
        entries = [RosterEntry(address=normalize_address(address)) for address in addresses]
        await self.streams.records.write(
            Book.ROSTER, {entry.address: encode_record(entry) for entry in entries}
        )

    async def remove_owner(self, address: str) -> None:
        await self.streams.records.drop(Book.ROSTER, [normalize_address(address)])

    # --- people ---

    async def add_user(self, address: str, **more: Any) -> dict[str, Any]:
        body = {"name": address.partition("@")[0].title(), "address": address, **more}
        made: dict[str, Any] = await self.asking.control("/users", body)
        return made

    async def invite(self, owner: dict[str, Any], attendees: Sequence[str], subject: str = "Plan") -> str:
        """Let an owner invite to a meeting tomorrow; gives the event's id in the owner's calendar."""
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        answer = await self.asking.graph(
            "POST",
            "/me/events",
            {
                "subject": subject,
                "start": {"dateTime": start.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"},
                "end": {
                    "dateTime": (start + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S"),
                    "timeZone": "UTC",
                },
                "attendees": [
                    {"emailAddress": {"address": one, "name": one}, "type": "required"} for one in attendees
                ],
            },
            token=owner["token"],
        )
        assert answer.status == 201, answer.body
        return str(answer.body["id"])

    async def answer(self, attendee: dict[str, Any], subject: str, how: str = "accept") -> None:
        """Let an attendee answer the meeting of that subject in their own calendar."""
        listed = await self.asking.graph("GET", "/me/events", token=attendee["token"])
        (event,) = [one for one in listed.body["value"] if one["subject"] == subject]
        done = await self.asking.graph(
            "POST", f"/me/events/{event['id']}/{how}", {"sendResponse": True}, token=attendee["token"]
        )
        assert done.status == 202, done.body

    # --- what came of it ---

    async def list_subscriptions(self) -> list[dict[str, Any]]:
        listed = await self.asking.control("/subscriptions")
        found: list[dict[str, Any]] = listed["value"] if isinstance(listed, dict) else listed
        return found

    async def updates(self) -> list[tuple[str, str | None]]:
        """Give type and value of every update, in order."""
        published = await self.streams.updates.read(
            dict.fromkeys(self.streams.updates.streams, "0-0"), block_s=0
        )
        return [
            (one.fields["type"].removeprefix("responsesync."), one.fields.get("subject")) for one in published
        ]

    async def wait_for_update(self, type_: str, subject: str) -> None:
        async def is_there() -> bool:
            return (type_, subject) in await self.updates()

        await wait_until(is_there)


@asynccontextmanager
async def open_stage(
    sandbox: Sandbox,
    asking: Asking,
    *,
    redis_url: str,
    prefix: str,
    folder: Path,
    tracing: Tracing = UNTRACED,
    **changes: Any,
) -> AsyncIterator[Stage]:
    """Run web and worker; keepers are started by the test, and ended with the stage.

    Args:
        changes: further settings, by their names in `Settings`.
    """
    settings = _build_settings(sandbox, redis_url=redis_url, prefix=prefix, folder=folder, **changes)
    metrics, stop = Metrics(), asyncio.Event()
    async with open_streams(settings) as streams, open_graph(settings, metrics, streams) as graph:
        await streams.intake.ensure_group()
        roles = (
            build_web(settings, streams, metrics, tracing),
            build_worker(settings, streams, graph, metrics, tracing=tracing),
        )
        tasks = [asyncio.create_task(role.run(stop)) for role in roles]
        stage = Stage(sandbox=sandbox, asking=asking, settings=settings, streams=streams, graph=graph)
        try:
            yield stage
        finally:
            for running in stage.keepers:
                if not running.task.done():
                    await running.end()
            stop.set()
            await asyncio.gather(*tasks)


def _build_settings(
    sandbox: Sandbox, *, redis_url: str, prefix: str, folder: Path, **changes: Any
) -> Settings:
    ready, leaf, port = sandbox.ready, sandbox.authority.issue_leaf(folder), choose_port()
    return read_settings(
        Scope.SERVICE,
        env_file=None,
        tenant_id=ready.tenant_id,
        client_id=ready.client_id,
        client_secret=ready.client_secret,
        graph_url=ready.graph_url,
        authority_url=ready.authority_url,
        ca_bundle=ready.ca_bundle,
        public_url=f"https://localhost:{port}",
        host="127.0.0.1",
        port=port,
        tls_cert_file=str(leaf.certificate),
        tls_key_file=str(leaf.key),
        secret_key="s" * 40,
        redis_url=redis_url,
        stream=prefix,
        **changes,
    )


def hurried(options: KeeperOptions = QUICK, *, sweep_interval_s: float) -> KeeperOptions:
    """Give options with more frequent sweeps."""
    return replace(options, reading=replace(options.reading, sweep_interval_s=sweep_interval_s))
