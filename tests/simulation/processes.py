"""Processes of the service: each with its own connection to Redis and to Graph, and a life of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Final

from yarl import URL

from service.errors import NotificationError, StreamError
from service.graph.delta import GraphDelta
from service.graph.directory import GraphDirectory
from service.graph.dispatch import Dispatcher, DispatchLimits
from service.graph.mailboxes import GraphMailboxes
from service.graph.notified import NotifiedItems
from service.graph.observer import SilentObserver
from service.graph.subscriptions import GraphSubscriptions
from service.intake.client_state import ResourceKind, derive_client_state_keys
from service.intake.notification import Accepted, build_rules, parse_notifications
from service.pipeline.backlog import MessagesFirst
from service.pipeline.calendar import CalendarReads
from service.pipeline.catching_up import CatchingUp, CatchUpLimits
from service.pipeline.committer import CommitLimits
from service.pipeline.people import People
from service.pipeline.process import Processor
from service.pipeline.retry import RetryLimits
from service.pipeline.watching import BookWatching
from service.pipeline.worker import Worker, WorkerLimits
from service.reconcile.decide import DecisionLimits
from service.reconcile.instant import instant_of
from service.rich.unread import Unread
from service.roster import RosterEntry
from service.streams.dead_letters import DeadLetters
from service.streams.due_list import DueList
from service.streams.generation import RedisGeneration
from service.streams.intake_stream import RedisIntakeStream
from service.streams.keys import KeyNames
from service.streams.lease import RedisLease
from service.streams.link import RedisLink
from service.streams.records import RedisRecords
from service.streams.state import RedisStateStore
from service.subscriptions.assembly import KeeperOptions, KeeperPorts, build_keeper
from service.subscriptions.desk import LastHeard, LifecycleDesk
from service.subscriptions.faults import Backoff
from service.subscriptions.keeper import KeeperLimits
from service.subscriptions.outage import OutageReader
from service.subscriptions.owners import OwnerLimits
from service.subscriptions.reading import ReadingLimits
from service.subscriptions.subscribe import Destination
from service.tracing.spans import Untraced
from tests.simulation.chance import Chance
from tests.simulation.facts import FactsBook, NotingCommitter
from tests.simulation.rich import Counted, InlineOpener, Trusting, build_resource_data
from tests.simulation.server import Line, Server
from tests.simulation.tenant import TENANT_ID, Tenant
from tests.simulation.virtual_time import VirtualClock
from tests.simulation.vitals import Vitals, start_outside
from tests.simulation.way_to_graph import Answered, ClientWithoutSockets, GraphSession

PUBLIC_URL: Final = "https://service.test"
DEPLOYMENT: Final = "simulated"
STATE_KEYS: Final = derive_client_state_keys(["s" * 32], DEPLOYMENT)
SWEEP_S: Final = 120.0
FULL_S: Final = 480.0
NEVER_S: Final = 10_000_000.0
GRACE_S: Final = 60.0
TOLERANCE_S: Final = 2.0
BACKOFF: Final = Backoff(passing_s=1, passing_max_s=30, lasting_s=10, lasting_max_s=60)
COMMAND_TIMEOUT_S: Final = 120.0
RETRIES: Final = RetryLimits(wait_max_s=60, retry_after_max_s=60)
"""Waits as short as keeps a history short; the proportions are the defaults'."""


class Means(StrEnum):
    """By what changes reach the service, so that one does not hide what another loses."""

    ALL = "all"
    NOTIFICATIONS = "notifications"
    SWEEPS = "sweeps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all processes of one history share."""

    server: Server
    tenant: Tenant
    clock: VirtualClock
    chance: Chance
    facts: FactsBook
    keys: KeyNames
    window_s: float
    means: Means
    messages: ResourceKind
    roster: tuple[RosterEntry, ...]
    is_rich: bool = False
    data: Counted = field(default_factory=Counted)


class Process:
    """One process of one role.

    Attributes:
        run: works until told to stop.
    """

    def __init__(self, surroundings: Surroundings, name: str) -> None:
        self.name = name
        self.vitals = Vitals(name, surroundings.chance)
        self.line = Line(surroundings.server, surroundings.chance, self.vitals)
        self.session = GraphSession(
            surroundings.tenant.router, surroundings.tenant.app, surroundings.chance, self.vitals
        )
        self.streams = Streams(RedisLink(self.line, command_timeout_s=COMMAND_TIMEOUT_S), surroundings.keys)
        self.stop = asyncio.Event()
        self._surroundings = surroundings
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; nothing has happened yet when this returns."""
        self._task = start_outside(self._live())

    async def _live(self) -> None:
        self.vitals.enter()
        self.vitals.adopt(_current())
        await self.run(self.stop)

    async def run(self, stop: asyncio.Event) -> None:
        raise NotImplementedError

    async def leave(self) -> None:
        """Stop as on SIGTERM, and wait for the end.

        Raises:
            Exception: whatever ended the process before, if it was not killed.
        """
        self.stop.set()
        if self._task is not None:
            await asyncio.wait([self._task])
            await self.vitals.rest()
            if not self._task.cancelled() and (error := self._task.exception()) is not None:
                raise error

    async def kill(self) -> None:
        """End as by `kill -9`."""
        self.vitals.die()
        await self.vitals.rest()

    @property
    def is_over(self) -> bool:
        return self.vitals.is_dead


def _current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


class Streams:
    """Everything of Redis' side, over one link."""

    def __init__(self, link: RedisLink, keys: KeyNames) -> None:
        self.link = link
        self.due_list = DueList(link, keys)
        self.dead_letters = DeadLetters(link, keys)
        self.intake = RedisIntakeStream(link, keys, due_list=self.due_list, dead_letters=self.dead_letters)
        self.records = RedisRecords(link, keys)
        self.lease = RedisLease(link, keys)
        self.generation = RedisGeneration(link, keys, self.intake)
        self.states = RedisStateStore(link, keys, seen=self.generation.seen)


class WorkerProcess(Process):
    """`response-sync worker`."""

    async def run(self, stop: asyncio.Event) -> None:
        around = self._surroundings
        dispatcher = _build_dispatcher(self)
        reader = GraphMailboxes(dispatcher, observer=SilentObserver())
        watching = BookWatching(self.streams.records)
        processor = Processor(
            reader=reader,
            states=self.streams.states,
            calendar=CalendarReads(
                GraphMailboxes(dispatcher.hurried, observer=SilentObserver()), self.streams.states
            ),
            committer=NotingCommitter(
                self.streams.states,
                around.clock,
                decision_limits=DecisionLimits(tolerance_s=TOLERANCE_S, grace_s=GRACE_S),
                commit_limits=CommitLimits(look_again_s=2 * SWEEP_S),
                tracing=_TRACING,
            ),
            watch=watching.current,
            desk=LifecycleDesk(records=self.streams.records),
            intake=self.streams.intake,
            notified=_build_notified(around, reader) if around.is_rich else None,
            on_order_unclear=partial(around.data.data_unread, reason=Unread.ORDER_UNCLEAR),
            people=People(GraphDirectory(dispatcher.alone, observer=SilentObserver()), clock=around.clock),
        )
        worker = Worker(
            consumer=self.name,
            intake=self.streams.intake,
            processor=processor,
            watching=watching,
            clock=around.clock,
            metrics=_SILENT,
            hearing=LastHeard(records=self.streams.records, clock=around.clock),
            gates=(
                CatchingUp(
                    intake=self.streams.intake,
                    generation=self.streams.generation,
                    book=OutageReader(records=self.streams.records, messages=around.messages),
                    clock=around.clock,
                    limits=CatchUpLimits(look_first_s=10, look_max_s=30),
                ),
                MessagesFirst(intake=self.streams.intake, clock=around.clock),
            ),
            limits=WorkerLimits(block_s=60, claim_idle_s=20, claim_every_s=30, due_every_s=30),
            retry_limits=RETRIES,
            jitter=around.chance.random.random,
            tracing=_TRACING,
        )
        try:
            await worker.run(stop)
        finally:
            await dispatcher.close()


class KeeperProcess(Process):
    """`response-sync keeper`."""

    async def run(self, stop: asyncio.Event) -> None:
        around = self._surroundings
        dispatcher = _build_dispatcher(self)
        keeper = build_keeper(
            KeeperPorts(
                api=GraphSubscriptions(dispatcher.alone),
                directory=GraphDirectory(dispatcher.alone, observer=SilentObserver()),
                reader=GraphDelta(dispatcher.alone, observer=SilentObserver(), page_size=5),
                intake=self.streams.intake,
                states=self.streams.states,
                records=self.streams.records,
                lease=self.streams.lease,
                generation=self.streams.generation,
                clock=around.clock,
                metrics=_SILENT,
            ),
            holder=self.name,
            destination=Destination(
                public_url=PUBLIC_URL,
                deployment=DEPLOYMENT,
                keys=STATE_KEYS,
                resource_data=build_resource_data() if around.is_rich else None,
            ),
            options=KeeperOptions(
                messages=around.messages,
                lifetime_s=(1_440 if around.is_rich else 10_080) * 60.0,
                lease_s=60,
                backoff=BACKOFF,
                keeper=KeeperLimits(tick_s=24, put_off_s=1, inbox_fresh_s=SWEEP_S / 20),
                owners=OwnerLimits(resolve_interval_s=SWEEP_S),
                reading=ReadingLimits(
                    sweep_interval_s=NEVER_S if around.means is Means.NOTIFICATIONS else SWEEP_S,
                    full_resync_s=FULL_S if around.means is Means.ALL else NEVER_S,
                    mark_again_s=60,
                ),
            ),
            seed=around.roster,
        )
        try:
            await keeper.run(stop)
        finally:
            await dispatcher.close()


def _build_notified(around: Surroundings, reader: GraphMailboxes) -> NotifiedItems:
    return NotifiedItems(
        vouching=Trusting(),
        opener=InlineOpener(),
        mailboxes=reader,
        observer=around.data,
        graph_observer=SilentObserver(),
    )


def _build_dispatcher(process: Process) -> Dispatcher:
    around = process._surroundings
    return Dispatcher(
        ClientWithoutSockets(process.session, around.clock),
        clock=around.clock,
        observer=SilentObserver(),
        limits=DispatchLimits(window_s=around.window_s),
    )


class Web:
    """The public side: judges the bytes of each POST and stores what passes.

    Attributes:
        is_down: nobody answers.
        loses_replies: how likely a POST is stored and its 202 lost.
    """

    def __init__(self, server: Server, chance: Chance, clock: VirtualClock, keys: KeyNames) -> None:
        self.is_down = False
        self.loses_replies = 0.0
        self.refused: list[str] = []
        self.stored = 0
        self.vitals = Vitals("web", chance)
        self.line = Line(server, chance, self.vitals)
        link = RedisLink(self.line, command_timeout_s=COMMAND_TIMEOUT_S)
        self._intake = Streams(link, keys).intake
        self._rules = build_rules(STATE_KEYS, tenant_id=TENANT_ID)
        self._chance = chance
        self._clock = clock

    async def take(self, url: URL, body: bytes | None) -> Answered:
        """Answer one POST as the service's public side does."""
        await self._chance.pause(is_long_way=True)
        if self.is_down:
            raise ConnectionRefusedError
        if (token := url.query.get("validationToken")) is not None:
            return Answered(200, {}, token.encode(), "text/plain")
        status = await self._store(body or b"")
        if self._chance.happens(self.loses_replies):
            raise TimeoutError
        return Answered(status, {}, b"")

    async def _store(self, body: bytes) -> int:
        arrived_at = instant_of(self._clock.now()).text
        try:
            verdicts = parse_notifications(body, self._rules, arrived_at=arrived_at)
            entries = [verdict.entry for verdict in verdicts if isinstance(verdict, Accepted)]
            self.refused += [verdict.fault for verdict in verdicts if not isinstance(verdict, Accepted)]
            await self._intake.append(entries)
        except NotificationError as error:
            self.refused.append(error.reason)
            return 400
        except StreamError:
            return 503
        self.stored += len(entries)
        return 202


class _Silent:
    """Counts nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _ignore


def _ignore(*_: object, **__: object) -> None: ...


_SILENT: Final[Any] = _Silent()
_TRACING: Final = Untraced(random_hex=lambda size: "ab" * size)
Work = Coroutine[Any, Any, None]
