"""Stand-ins written by hand: a clock that is moved, books in memory, and a Graph with its refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from service.entries import IntakeEntry
from service.errors import (
    AccessError,
    ConflictError,
    DeltaExpiredError,
    FencedError,
    GoneError,
    GraphError,
    RefusedError,
    StreamError,
    UnavailableError,
)
from service.intake.client_state import parse_resource_path
from service.ports import (
    Book,
    Commit,
    Committed,
    Delivered,
    DeliveryOption,
    DeltaItem,
    DeltaPage,
    DirectoryPerson,
    GraphSubscription,
    StoredMeeting,
    SubscriptionSpec,
)
from service.reconcile.instant import instant_of
from service.reconcile.matching import normalize_address
from service.reconcile.model import (
    Address,
    EventId,
    InstanceKey,
    MailboxKey,
    MeetingKey,
    OwnerKey,
)

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


class VirtualClock:
    """Time that passes only when it is told to, or when somebody sleeps."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class MemoryRecords:
    """Books in memory, fenced by a lease where they are given one.

    Attributes:
        outages: books of which the next reading fails, once for each.
    """

    def __init__(self, lease: MemoryLease | None = None) -> None:
        self.books: dict[Book, dict[str, str]] = {book: {} for book in Book}
        self.counters: dict[Book, int] = dict.fromkeys(Book, 0)
        self.is_away = False
        self.outages: list[Book] = []
        self._lease = lease

    async def read_all(self, book: Book) -> dict[str, str]:
        self._check()
        if book in self.outages:
            self.outages.remove(book)
            raise StreamError("Redis was away for a moment")
        return dict(self.books[book])

    async def read(self, book: Book, names: Sequence[str]) -> dict[str, str]:
        self._check()
        return {name: self.books[book][name] for name in names if name in self.books[book]}

    async def write(self, book: Book, records: Mapping[str, str], *, fence: int | None = None) -> None:
        self._check(fence)
        self.books[book].update(records)
        self.counters[book] += 1

    async def drop(self, book: Book, names: Sequence[str], *, fence: int | None = None) -> None:
        self._check(fence)
        for name in names:
            self.books[book].pop(name, None)
        self.counters[book] += 1

    async def read_counter(self, book: Book) -> int:
        self._check()
        return self.counters[book]

    def flush(self) -> None:
        """Lose everything, as FLUSHALL does; counters go on, as those of Redis do."""
        for book in Book:
            self.books[book].clear()
            self.counters[book] += 1

    def _check(self, fence: int | None = None) -> None:
        if self.is_away:
            raise StreamError("Redis is away")
        if fence is not None and self._lease is not None and fence != self._lease.number:
            raise FencedError("another holds the lease")


class MemoryLease:
    """A lease by the virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.holder = ""
        self.number = 0
        self._until = 0.0

    async def acquire(self, holder: str, *, duration_s: float) -> int | None:
        now = self._clock.monotonic()
        if self.holder not in ("", holder) and now < self._until:
            return None
        if self.holder != holder or now >= self._until:
            self.number += 1
        self.holder, self._until = holder, now + duration_s
        return self.number

    async def release(self, holder: str) -> None:
        if self.holder == holder:
            self.holder = ""

    def flush(self) -> None:
        self.holder = ""


class MemoryGeneration:
    """The mark of the state; missing at first, as in an empty Redis."""

    def __init__(self) -> None:
        self.is_there = False
        self.begun = 0
        self.led_at: datetime | None = None
        self.raised_to: datetime | None = None

    async def ensure(self, *, meanwhile: Callable[[], Awaitable[object]] | None = None) -> bool:
        was_missing, self.is_there = not self.is_there, True
        self.begun += was_missing
        if meanwhile is not None:
            await meanwhile()
        return was_missing

    async def exists(self, *, led_at: datetime | None = None) -> bool:
        self.led_at = self.raised_to
        if led_at is not None and self.is_there:
            self.raised_to = led_at
        return self.is_there

    async def disown(self) -> None:
        self.is_there = False


class MemoryIntake:
    """Keeps what is appended."""

    def __init__(self) -> None:
        self.entries: list[IntakeEntry] = []
        self.fails_left = 0
        self.forgotten: set[str] = set()

    async def append(self, entries: Sequence[IntakeEntry]) -> None:
        if entries and self.fails_left:
            self.fails_left -= 1
            raise StreamError("Redis is full")
        self.entries += entries

    def take(self) -> list[IntakeEntry]:
        """Give what was appended, and forget it."""
        taken, self.entries = self.entries, []
        return taken

    async def read(self, consumer: str, *, count: int, block_s: float) -> tuple[Delivered, ...]:
        raise AssertionError("the keeper reads no entries")

    async def claim(self, consumer: str, *, idle_s: float, count: int) -> tuple[Delivered, ...]:
        raise AssertionError("the keeper claims no entries")

    async def give_back(self, consumer: str, entries: Sequence[Delivered]) -> None:
        raise AssertionError("the keeper gives no entries back")

    async def acknowledge(self, ids: Sequence[str]) -> None:
        raise AssertionError("the keeper acknowledges no entries")

    async def dead_letter(self, entry: Delivered, *, reason: str, detail: str, at: datetime) -> None:
        raise AssertionError("the keeper gives up no entries")

    async def defer(self, entry: Delivered, retry: IntakeEntry, *, due_at: datetime) -> None:
        raise AssertionError("the keeper puts off no entries")

    async def forget_dead_letters(self, names: Collection[str]) -> int:
        self.forgotten |= {*names}
        return len(names)

    async def find_last_id(self) -> str:
        raise AssertionError("the keeper does not ask how far the stream is")

    async def release_due(self, now: datetime, *, count: int) -> int:
        raise AssertionError("the keeper releases no entries")


class MemoryStates:
    """Meetings by owner, whom it was told to forget, and for whom nothing would be committed."""

    def __init__(self) -> None:
        self.meetings: dict[OwnerKey, dict[MeetingKey, Mapping[str, str]]] = {}
        self.forgotten: list[OwnerKey] = []
        self.refused: set[OwnerKey] = set()

    async def read(self, owner: OwnerKey, meeting: MeetingKey) -> StoredMeeting:
        return StoredMeeting(fields=self.meetings.get(owner, {}).get(meeting, {}), version=1, epoch=1)

    async def commit(self, commit: Commit) -> Committed:
        raise AssertionError("the keeper commits nothing")

    async def find_event(self, owner: OwnerKey, event: EventId) -> tuple[MeetingKey, InstanceKey] | None:
        raise AssertionError("the keeper looks no event up")

    async def note_gone(self, owner: OwnerKey, event: EventId) -> None:
        raise AssertionError("the keeper reads no events")

    async def was_gone(self, owner: OwnerKey, event: EventId) -> bool:
        raise AssertionError("the keeper reads no events")

    async def list_meetings(self, owner: OwnerKey) -> tuple[MeetingKey, ...]:
        return tuple(sorted(self.meetings.get(owner, {})))

    async def forget_owner(self, owner: OwnerKey, *, fence: int) -> int:
        self.forgotten.append(owner)
        self.refused.add(owner)
        return len(self.meetings.pop(owner, {}))

    async def admit_owner(self, owner: OwnerKey, *, fence: int) -> None:
        self.refused.discard(owner)


@dataclass(slots=True)
class Tenant:
    """People, their delegates, what stands in their mailboxes, and the subscriptions of one application.

    Attributes:
        lifetime_max_s: longer ones are refused with 400.
        granted_max_s: longer ones are granted for so long only.
        handshakes_fail: so many of the next creations and renewals fail in the handshake.
        failing: address or key -> the error that every call about it meets.
        ahead: by how much its clock goes ahead of ours.
        pages_left: so many delta pages are given, then none; None for no such limit.
        gate: lists, renewals and deletions are answered only once it is set; None for at once.
        calls: what was done, in order: (verb, resource or id).
    """

    clock: VirtualClock
    people: dict[str, DirectoryPerson] = field(default_factory=dict)
    delegates: dict[MailboxKey, tuple[Address, ...]] = field(default_factory=dict)
    options: dict[MailboxKey, DeliveryOption] = field(default_factory=dict)
    items: dict[str, list[tuple[int, DeltaItem]]] = field(default_factory=dict)
    subscriptions: dict[str, GraphSubscription] = field(default_factory=dict)
    client_states: dict[str, str] = field(default_factory=dict)
    failing: dict[str, GraphError] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    lifetime_max_s: float = 10_080 * 60.0
    granted_max_s: float = 10_080 * 60.0
    handshakes_fail: int = 0
    ahead: timedelta = timedelta()
    is_directory_closed: bool = False
    is_moving_refused: bool = False
    page_size: int = 2
    expire_deltas: int = 0
    rounds: list[tuple[str, bool]] = field(default_factory=list)
    windows: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    pages_left: int | None = None
    on_list: Callable[[], None] | None = None
    gate: asyncio.Event | None = None
    _count: int = 0

    def now(self) -> datetime:
        """Give the time that its answers show."""
        return self.clock.now() + self.ahead

    # --- people ---

    def add_person(self, address: str, *, delegates: Sequence[str] = ()) -> MailboxKey:
        """Make a person whose object id is made of the name before the @."""
        key = MailboxKey(f"id-{normalize_address(address).partition('@')[0]}")
        person = DirectoryPerson(
            key=key, address=address, name=address.partition("@")[0], aliases=(normalize_address(address),)
        )
        self.people[key] = person
        self.people[normalize_address(address)] = person
        self.delegates[key] = tuple(normalize_address(one) for one in delegates)
        return key

    def rename(self, key: MailboxKey, address: str) -> None:
        """Give a person another primary address; the old one is gone."""
        person = self.people[key]
        del self.people[normalize_address(person.address)]
        fresh = replace(person, address=address, aliases=(normalize_address(address),))
        self.people[key] = self.people[normalize_address(address)] = fresh

    async def find_person(self, address: str) -> DirectoryPerson:
        self._meet(address)
        if self.is_directory_closed:
            raise AccessError("no User.Read.All", status=403)
        if address not in self.people:
            raise GoneError("nobody", status=404)
        return self.people[address]

    async def fetch_delegates(self, owner: MailboxKey) -> tuple[Address, ...]:
        self._meet(owner)
        return self.delegates.get(owner, ())

    async def fetch_delivery_option(self, owner: MailboxKey) -> DeliveryOption:
        return self.options.get(owner, DeliveryOption.DELEGATE_ONLY)

    def _meet(self, *names: str) -> None:
        for name in names:
            if name in self.failing:
                raise self.failing[name]

    # --- subscriptions ---

    def living(self) -> list[GraphSubscription]:
        """Give those that have not ended."""
        now = self.now()
        return [one for one in self.subscriptions.values() if one.expires_at > now]

    async def list_subscriptions(self) -> tuple[GraphSubscription, ...]:
        self._meet("list")
        listed = tuple(self.living())
        self.calls.append(("list", ""))
        await asyncio.sleep(0)
        await self._wait_for_gate()
        if self.on_list is not None:
            self.on_list()
        return listed

    async def create_subscription(self, spec: SubscriptionSpec) -> GraphSubscription:
        self.calls.append(("create", spec.resource))
        resource = parse_resource_path(spec.resource)
        assert resource is not None
        await asyncio.sleep(0)
        self._meet(resource.mailbox, spec.resource)
        expires_at = self._grant(spec.expires_at)
        self._shake_hands()
        for one in self.living():
            if (one.resource, one.change_type) == (spec.resource, spec.change_type):
                raise ConflictError(f"subscription id {one.id} already exists", status=409)
        return self.put(spec, expires_at)

    def put(self, spec: SubscriptionSpec, expires_at: datetime) -> GraphSubscription:
        """Keep a subscription, whoever made it."""
        self._count += 1
        made = GraphSubscription(
            id=f"sub-{self._count}",
            resource=spec.resource,
            change_type=spec.change_type,
            notification_url=spec.notification_url,
            lifecycle_url=spec.lifecycle_url,
            expires_at=expires_at,
        )
        self.subscriptions[made.id] = made
        self.client_states[made.id] = spec.client_state
        return made

    async def renew_subscription(
        self, subscription_id: str, expires_at: datetime, *, certificate: str = "", certificate_id: str = ""
    ) -> GraphSubscription:
        self.calls.append(("renew", subscription_id))
        await self._wait_for_gate()
        if subscription_id not in {one.id for one in self.living()}:
            raise GoneError("it has ended", status=404)
        self._meet(subscription_id)
        granted = self._grant(expires_at)
        self._shake_hands()
        renewed = replace(self.subscriptions[subscription_id], expires_at=granted)
        if certificate:
            if self.is_moving_refused:
                raise RefusedError("The certificate cannot be changed.", status=400)
            renewed = replace(renewed, certificate_id=certificate_id)
        self.subscriptions[subscription_id] = renewed
        return renewed

    async def delete_subscription(self, subscription_id: str) -> None:
        self.calls.append(("delete", subscription_id))
        await self._wait_for_gate()
        self._meet(subscription_id)
        self.subscriptions.pop(subscription_id, None)

    async def _wait_for_gate(self) -> None:
        if self.gate is not None:
            await self.gate.wait()

    def _grant(self, expires_at: datetime) -> datetime:
        now = self.now()
        asked_s = max((expires_at - now).total_seconds(), 45 * 60.0 if expires_at <= now else 0)
        if asked_s > self.lifetime_max_s:
            raise RefusedError("Subscription expiration can only be so far ahead", status=400)
        return now + timedelta(seconds=min(asked_s, self.granted_max_s))

    def _shake_hands(self) -> None:
        if self.handshakes_fail > 0:
            self.handshakes_fail -= 1
            raise RefusedError("Subscription validation request timed out.", status=400)

    # --- delta queries ---

    def put_item(self, resource: str, item: DeltaItem) -> None:
        """Let an item change; `resource` is `inbox/{key}` or `calendar/{key}`."""
        self._count += 1
        self.items.setdefault(resource, []).append((self._count, item))

    async def start_inbox(self, mailbox: MailboxKey, *, received_since: datetime) -> DeltaPage:
        self.windows.append((received_since, None))
        return await self._page(f"inbox/{mailbox}", after=0, at=0, is_full=True)

    async def start_calendar(self, owner: OwnerKey, *, start: datetime, end: datetime) -> DeltaPage:
        self.windows.append((start, end))
        return await self._page(f"calendar/{owner}", after=0, at=0, is_full=True)

    async def list_messages(self, mailbox: MailboxKey, *, received_since: datetime) -> DeltaPage:
        self.windows.append((received_since, None))
        return self._list_page(mailbox, since_ns=instant_of(received_since).ns, at=0)

    def _list_page(self, mailbox: MailboxKey, *, since_ns: int, at: int) -> DeltaPage:
        held = [item for _, item in self.items.get(f"mailbox-messages/{mailbox}", [])]
        wanted = [item for item in held if item.sent_at is None or item.sent_at.ns >= since_ns]
        page, rest = wanted[at : at + self.page_size], wanted[at + self.page_size :]
        link = f"{since_ns}|{at + self.page_size}" if rest else None
        return DeltaPage(items=tuple(page), next_link=link, delta_link=None, at=instant_of(self.now()))

    async def follow(self, mailbox: MailboxKey, link: str, *, is_list: bool = False) -> DeltaPage:
        if is_list:
            since, _, at = link.partition("|")
            return self._list_page(mailbox, since_ns=int(since), at=int(at))
        if self.expire_deltas > 0:
            self.expire_deltas -= 1
            raise DeltaExpiredError("syncStateNotFound", status=410)
        resource, after, at = link.split("|")
        assert resource.endswith(f"/{mailbox}")
        return await self._page(resource, after=int(after), at=int(at), is_full=False)

    async def _page(self, resource: str, *, after: int, at: int, is_full: bool) -> DeltaPage:
        await asyncio.sleep(0)
        self._meet(resource, resource.partition("/")[2])
        if self.pages_left is not None:
            self.pages_left -= 1
            if self.pages_left < 0:
                raise UnavailableError("away", status=503)
        if at == 0:
            self.rounds.append((resource, is_full))
        changed = [(number, item) for number, item in self.items.get(resource, []) if number > after]
        page, rest = changed[at : at + self.page_size], changed[at + self.page_size :]
        newest = max((number for number, _ in changed), default=after)
        return DeltaPage(
            items=tuple(item for _, item in page),
            next_link=f"{resource}|{after}|{at + self.page_size}" if rest else None,
            delta_link=None if rest else f"{resource}|{newest}|0",
            at=instant_of(self.now()),
        )


@dataclass(slots=True)
class CountingMetrics:
    """Keeps what the keeper counted."""

    outcomes: list[tuple[str, str]] = field(default_factory=list)
    rounds: list[tuple[str, bool, int]] = field(default_factory=list)

    def round_ended(self, *, resource: str, is_full: bool, items: int) -> None:
        self.rounds.append((resource, is_full, items))

    def duty_done(self, *, kind: str, outcome: str, duration_s: float) -> None:
        self.outcomes.append((kind, outcome))

    def leading(self, *, is_leading: bool) -> None:
        """Not looked at."""
