"""Puts a keeper together from the ports that it needs. Names no concrete class of Graph's or Redis' side."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Protocol

from service.clock import Clock
from service.intake.client_state import ResourceKind
from service.ports import (
    DeltaReader,
    Directory,
    Generation,
    IntakeStream,
    Lease,
    Records,
    StateStore,
    SubscriptionApi,
)
from service.roster import RosterEntry
from service.subscriptions.answering import AnsweringLimits
from service.subscriptions.comparing import Comparing, ComparingLimits
from service.subscriptions.faults import Backoff
from service.subscriptions.keeper import Keeper, KeeperLimits, KeeperMetrics
from service.subscriptions.leadership import Leadership
from service.subscriptions.ledger import Ledger
from service.subscriptions.lifetimes import Lifetimes
from service.subscriptions.owners import OwnerLimits, Owners
from service.subscriptions.reading import Reading, ReadingLimits, RoundMetrics
from service.subscriptions.resolve import OwnerResolver
from service.subscriptions.resync import DeltaRounds, Window
from service.subscriptions.schedule import Schedule
from service.subscriptions.signed_in import SignedIn, nobody
from service.subscriptions.subscribe import Destination, Subscriber
from service.subscriptions.subscribing import Subscribing, SubscribingLimits
from service.subscriptions.watch import Watch


class AllKeeperMetrics(KeeperMetrics, RoundMetrics, Protocol):
    """What a keeper and its parts count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperPorts:
    """Everything outside that a keeper talks to.

    Attributes:
        logins: gives something that differs once somebody signed in.
        on_operator: called before what an operator asks for is begun.
    """

    api: SubscriptionApi
    directory: Directory
    reader: DeltaReader
    intake: IntakeStream
    states: StateStore
    records: Records
    lease: Lease
    generation: Generation
    clock: Clock
    metrics: AllKeeperMetrics
    logins: Callable[[], Hashable] = nobody
    on_operator: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperOptions:
    """Limits and waits of a keeper; each part explains its own.

    Attributes:
        messages: which messages of a mailbox are watched, `INBOX` or `MAILBOX_MESSAGES`.
        lifetime_s: of subscriptions, as asked for.
        lifetime_margin_s: kept below every limit of Graph, because clocks differ.
        lease_s: a keeper that dies is succeeded after at most so long.
        pages_per_turn, entries_per_append: as in `resync.DeltaRounds`.
    """

    messages: ResourceKind = ResourceKind.INBOX
    lifetime_s: float = 10_080 * 60.0
    lifetime_margin_s: float = 60.0
    lease_s: float = 5.0
    pages_per_turn: int = 50
    entries_per_append: int = 200
    window: Window = field(default_factory=Window)
    backoff: Backoff = field(default_factory=Backoff)
    keeper: KeeperLimits = field(default_factory=KeeperLimits)
    answering: AnsweringLimits = field(default_factory=AnsweringLimits)
    owners: OwnerLimits = field(default_factory=OwnerLimits)
    subscribing: SubscribingLimits = field(default_factory=SubscribingLimits)
    comparing: ComparingLimits = field(default_factory=ComparingLimits)
    reading: ReadingLimits = field(default_factory=ReadingLimits)


def build_keeper(
    ports: KeeperPorts,
    *,
    holder: str,
    destination: Destination,
    options: KeeperOptions | None = None,
    seed: tuple[RosterEntry, ...] = (),
) -> Keeper:
    """Give a keeper; nothing is asked of anybody yet.

    Args:
        holder: a name that no other keeper has.
        seed: the roster of OWNERS_FILE, used where there is no roster.
    """
    options = _keep_in_step(options or KeeperOptions())
    leadership = Leadership(lease=ports.lease, clock=ports.clock, holder=holder, duration_s=options.lease_s)
    picture = _Picture(
        leadership=leadership,
        ledger=Ledger(ports.records, fence=lambda: leadership.fence),
        watch=Watch(messages=options.messages),
        schedule=Schedule(),
        destination=destination,
        subscriber=_build_subscriber(ports, options, leadership, destination),
    )
    subscribing = _build_subscribing(ports, options, picture)
    comparing = _build_comparing(ports, options, picture, subscribing)
    reading = _build_reading(ports, options, picture, subscribing, comparing)
    return Keeper(
        leadership=leadership,
        generation=ports.generation,
        ledger=picture.ledger,
        watch=picture.watch,
        schedule=picture.schedule,
        owners=_build_owners(ports, options, picture, subscribing, reading),
        subscribing=subscribing,
        comparing=comparing,
        reading=reading,
        signed_in=_build_signed_in(ports, picture),
        clock=ports.clock,
        metrics=ports.metrics,
        limits=options.keeper,
        answering=options.answering,
        on_operator=ports.on_operator,
        seed=seed,
    )


def _keep_in_step(options: KeeperOptions) -> KeeperOptions:
    """Look owners up and compare with Graph at least as often as mailboxes are swept."""
    sweep_s = options.reading.sweep_interval_s
    resolve_s = min(options.owners.resolve_interval_s, sweep_s)
    compare_s = min(options.comparing.interval_s, sweep_s)
    return replace(
        options,
        owners=replace(options.owners, resolve_interval_s=resolve_s),
        comparing=replace(options.comparing, interval_s=compare_s),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """What all duties of one keeper share."""

    leadership: Leadership
    ledger: Ledger
    watch: Watch
    schedule: Schedule
    destination: Destination
    subscriber: Subscriber


def _build_signed_in(ports: KeeperPorts, picture: _Picture) -> SignedIn:
    return SignedIn(
        ledger=picture.ledger,
        watch=picture.watch,
        schedule=picture.schedule,
        clock=ports.clock,
        logins=ports.logins,
    )


def _build_subscriber(
    ports: KeeperPorts, options: KeeperOptions, leadership: Leadership, destination: Destination
) -> Subscriber:
    return Subscriber(
        api=ports.api,
        destination=destination,
        lifetimes=Lifetimes(asked_s=options.lifetime_s, margin_s=options.lifetime_margin_s),
        clock=ports.clock,
        guard=leadership,
    )


def _build_subscribing(ports: KeeperPorts, options: KeeperOptions, picture: _Picture) -> Subscribing:
    return Subscribing(
        ledger=picture.ledger,
        watch=picture.watch,
        schedule=picture.schedule,
        subscriber=picture.subscriber,
        destination=picture.destination,
        clock=ports.clock,
        limits=options.subscribing,
        backoff=options.backoff,
    )


def _build_comparing(
    ports: KeeperPorts, options: KeeperOptions, picture: _Picture, subscribing: Subscribing
) -> Comparing:
    return Comparing(
        ledger=picture.ledger,
        watch=picture.watch,
        schedule=picture.schedule,
        subscriber=picture.subscriber,
        subscribing=subscribing,
        destination=picture.destination,
        clock=ports.clock,
        limits=replace(options.comparing, margins=options.subscribing.margins),
        backoff=options.backoff,
        disown=ports.generation.disown,
    )


def _build_reading(
    ports: KeeperPorts,
    options: KeeperOptions,
    picture: _Picture,
    subscribing: Subscribing,
    comparing: Comparing,
) -> Reading:
    rounds = DeltaRounds(
        reader=ports.reader,
        intake=ports.intake,
        clock=ports.clock,
        window=options.window,
        pages_per_turn=options.pages_per_turn,
        entries_per_append=options.entries_per_append,
        on_date=comparing.note_date,
    )
    return Reading(
        ledger=picture.ledger,
        watch=picture.watch,
        schedule=picture.schedule,
        rounds=rounds,
        intake=ports.intake,
        states=ports.states,
        clock=ports.clock,
        window=options.window,
        limits=options.reading,
        backoff=options.backoff,
        metrics=ports.metrics,
        on_silence=subscribing.ask_recreate,
    )


def _build_owners(
    ports: KeeperPorts,
    options: KeeperOptions,
    picture: _Picture,
    subscribing: Subscribing,
    reading: Reading,
) -> Owners:
    return Owners(
        ledger=picture.ledger,
        watch=picture.watch,
        schedule=picture.schedule,
        resolver=OwnerResolver(
            directory=ports.directory,
            reads_whole_mailboxes=options.messages is ResourceKind.MAILBOX_MESSAGES,
        ),
        subscribing=subscribing,
        reading=reading,
        states=ports.states,
        intake=ports.intake,
        clock=ports.clock,
        limits=options.owners,
        backoff=options.backoff,
    )
