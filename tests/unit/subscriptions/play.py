"""A keeper in a tenant of fakes, ticked by hand: no sleep, no network, the clock moves only when told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from service.entries import IntakeEntry, Kind, Origin
from service.intake.client_state import derive_client_state_keys
from service.ports import Book, DeltaItem
from service.reconcile.instant import instant_of, parse_instant
from service.reconcile.matching import normalize_address
from service.roster import RosterEntry, WatchedOwner, decode_watched_owner, encode_record
from service.subscriptions.assembly import KeeperOptions, KeeperPorts, build_keeper
from service.subscriptions.desk import LastHeard, LifecycleDesk
from service.subscriptions.keeper import Keeper
from service.subscriptions.status import KeeperStatus
from service.subscriptions.status_reader import StatusReader
from service.subscriptions.subscribe import Destination
from tests.unit.subscriptions.fakes import (
    CountingMetrics,
    MemoryGeneration,
    MemoryIntake,
    MemoryLease,
    MemoryRecords,
    MemoryStates,
    Tenant,
    VirtualClock,
)

SECRET: Final = "s" * 32


def build_destination(
    *, public_url: str = "https://hooks.example", deployment: str = "default", secret: str = SECRET
) -> Destination:
    """Give where Graph is to deliver."""
    return Destination(
        public_url=public_url,
        deployment=deployment,
        keys=derive_client_state_keys([secret], deployment),
    )


@dataclass(slots=True)
class Play:
    """One tenant, one Redis, and any number of keepers."""

    options: KeeperOptions = field(default_factory=KeeperOptions)
    clock: VirtualClock = field(default_factory=VirtualClock)
    lease: MemoryLease = field(init=False)
    records: MemoryRecords = field(init=False)
    tenant: Tenant = field(init=False)
    generation: MemoryGeneration = field(default_factory=MemoryGeneration)
    intake: MemoryIntake = field(default_factory=MemoryIntake)
    states: MemoryStates = field(default_factory=MemoryStates)
    metrics: CountingMetrics = field(default_factory=CountingMetrics)
    desk: LifecycleDesk = field(init=False)
    heard: LastHeard = field(init=False)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lease = MemoryLease(self.clock)
        self.records = MemoryRecords(self.lease)
        self.tenant = Tenant(clock=self.clock)
        self.desk = LifecycleDesk(records=self.records)
        self.heard = LastHeard(records=self.records, clock=self.clock)

    def build_keeper(
        self,
        name: str = "keeper-1",
        *,
        destination: Destination | None = None,
        seed: Sequence[RosterEntry] = (),
    ) -> Keeper:
        """Make a keeper process."""
        ports = KeeperPorts(
            api=self.tenant,
            directory=self.tenant,
            reader=self.tenant,
            intake=self.intake,
            states=self.states,
            records=self.records,
            lease=self.lease,
            generation=self.generation,
            clock=self.clock,
            metrics=self.metrics,
            on_operator=lambda: self.asked.append("operator"),
        )
        return build_keeper(
            ports,
            holder=name,
            destination=destination or build_destination(),
            options=self.options,
            seed=tuple(seed),
        )

    async def add_owner(self, address: str, delegates: Sequence[str] | None = None) -> None:
        """Put an owner into the roster, as `owners add` does."""
        entry = RosterEntry(
            address=normalize_address(address),
            delegates=None if delegates is None else tuple(normalize_address(one) for one in delegates),
        )
        await self.records.write(Book.ROSTER, {entry.address: encode_record(entry)})

    async def remove_owner(self, address: str) -> None:
        """Take an owner out of the roster, as `owners remove` does."""
        await self.records.drop(Book.ROSTER, [normalize_address(address)])

    async def work(self) -> None:
        """Do the worker's part: take lifecycle entries to the desk."""
        for entry in self.intake.entries:
            if entry.kind is Kind.LIFECYCLE:
                await self.desk.handle_lifecycle(entry)
        self.intake.entries = [one for one in self.intake.entries if one.kind is not Kind.LIFECYCLE]

    async def run(self, keeper: Keeper, *, seconds: float = 6.0, step_s: float = 0.5) -> None:
        """Let a keeper tick for a while, everything it begins ending at once, and a worker beside it."""
        for _ in range(round(seconds / step_s)):
            await keeper.tick()
            await keeper.settle()
            await self.work()
            self.clock.advance(step_s)

    async def read_status(self) -> KeeperStatus:
        """Give how everything stands."""
        messages = (self.options or KeeperOptions()).messages
        return await StatusReader(records=self.records, clock=self.clock, messages=messages).read()

    def owners(self) -> dict[str, WatchedOwner]:
        """Give the watch list by roster address."""
        owners = [decode_watched_owner(text) for text in self.records.books[Book.OWNERS].values()]
        return {owner.roster_address: owner for owner in owners}

    def resources(self) -> list[str]:
        """Give the resources of all living subscriptions, in order."""
        return sorted(one.resource for one in self.tenant.living())

    def calls(self, verb: str) -> list[str]:
        """Give what was done with one verb, in order."""
        return [what for called, what in self.tenant.calls if called == verb]


# --- the walkthrough ---

ALEX_EVENTS: Final = "users/id-alex/events"
ADELE_INBOX: Final = "users/id-adele/mailFolders('inbox')/messages"


def message(name: str, sent: str = "2026-11-01T10:00:00Z", *, is_event_message: bool = True) -> DeltaItem:
    return DeltaItem(
        id=name, is_removed=False, is_event_message=is_event_message, sent_at=parse_instant(sent)
    )


def event(name: str, *, kind: str = "singleInstance", series: str = "") -> DeltaItem:
    return DeltaItem(
        id=name,
        is_removed=False,
        is_event_message=True,
        sent_at=None,
        event_type=kind,
        series_master_id=series,
    )


def walkthrough(options: KeeperOptions | None = None) -> Play:
    """Alex with his delegate Adele, not yet in the roster."""
    play = Play(options=options or KeeperOptions())
    play.tenant.add_person("Adele@contoso.com")
    play.tenant.add_person("Alex@contoso.com", delegates=["adele@contoso.com"])
    return play


async def watching(options: KeeperOptions | None = None) -> Play:
    """The same with a keeper that has left after its work; what it fed is forgotten."""
    play = walkthrough(options)
    await play.add_owner("alex@contoso.com")
    await play.run(play.build_keeper())
    assert (await play.read_status()).is_ready
    await play.lease.release("keeper-1")
    play.intake.take()
    play.tenant.calls.clear()
    return play


def lifecycle(play: Play, word: str, subscription: str, *, seconds_ago: float = 0) -> IntakeEntry:
    at = play.clock.now() - timedelta(seconds=seconds_ago)
    return IntakeEntry(
        kind=Kind.LIFECYCLE,
        origin=Origin.NOTIFICATION,
        lifecycle=word,
        mailbox="id-adele",
        resource="inbox",
        subscription=subscription,
        arrived_at=instant_of(at).text,
    )


def id_of(play: Play, resource: str) -> str:
    return next(one.id for one in play.tenant.living() if one.resource == resource)
