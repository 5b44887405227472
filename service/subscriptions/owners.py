"""The duty about one entry of the roster: look the owner up, watch them, follow changes, forget them.

Must never forget an owner because Graph did not answer: only the roster ends the watching of somebody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from service.clock import Clock
from service.errors import ServiceError
from service.ports import IntakeStream, StateStore
from service.reconcile.model import Address, OwnerKey
from service.roster import RosterEntry, WatchedOwner, encode_record
from service.subscriptions.faults import Backoff, build_fault
from service.subscriptions.ledger import Ledger
from service.subscriptions.plan import spread
from service.subscriptions.reading import Reading, name_mark
from service.subscriptions.records import OwnerProgress
from service.subscriptions.resolve import OwnerResolver
from service.subscriptions.schedule import Duty, DutyKind, Schedule
from service.subscriptions.subscribing import Subscribing
from service.subscriptions.watch import Watch, WatchChange

_log = structlog.get_logger("keeper")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerLimits:
    """Waits of owners.

    Attributes:
        resolve_interval_s: between two looks at an owner's delegates; never longer than between sweeps.
        forget_again_s: between two purges of a removed owner whose subscriptions are not deleted yet.
    """

    resolve_interval_s: float = 900.0
    forget_again_s: float = 5.0


class Owners:
    """Follows the roster."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        watch: Watch,
        schedule: Schedule,
        resolver: OwnerResolver,
        subscribing: Subscribing,
        reading: Reading,
        states: StateStore,
        intake: IntakeStream,
        clock: Clock,
        limits: OwnerLimits,
        backoff: Backoff,
    ) -> None:
        self._ledger = ledger
        self._watch = watch
        self._schedule = schedule
        self._resolver = resolver
        self._subscribing = subscribing
        self._reading = reading
        self._states = states
        self._intake = intake
        self._clock = clock
        self._limits = limits
        self._backoff = backoff
        self._followed: dict[Address, RosterEntry] = {}
        self._unknown: set[Address] = set()
        self._writing = asyncio.Lock()

    @property
    def is_everybody_looked_up(self) -> bool:
        """Tell whether every entry of the roster was looked up at least once, with or without success."""
        return not self._unknown

    def begin_term(self) -> None:
        """Watch whom the records name; look up at once only whom the roster means anew."""
        for owner in self._ledger.owners.values():
            self._watch.put(owner)
        self._followed.clear()
        self._unknown.clear()
        for address, entry in self._ledger.roster.items():
            progress = self._ledger.progress.get(address)
            if progress is not None and progress.asked == encode_record(entry):
                self._followed[address] = entry
                self._schedule_next(address, progress)
        self.follow_roster()

    def follow_roster(self) -> None:
        """Have entries that are new, changed or gone looked at."""
        roster, now = self._ledger.roster, self._clock.now()
        known = {*self._followed, *self._ledger.progress}
        changed = [one for one, entry in roster.items() if self._followed.get(one) != entry]
        gone = [address for address in known if address not in roster]
        for address in (*changed, *gone):
            self._schedule.bring_forward(Duty(DutyKind.RESOLVE, address), now)
        self._unknown |= {address for address in changed if address not in self._ledger.progress}
        self._unknown -= set(gone)
        self._followed = dict(roster)

    async def resolve(self, name: str) -> bool:
        """Look one entry up, and watch what it means now; or forget it where the roster has it no more."""
        address = Address(name)
        entry = self._ledger.roster.get(address)
        if entry is None:
            await self._remove(address)
            return True
        previous = self._find_previous(address)
        owner = await self._resolver.resolve(entry, previous)
        if self._ledger.roster.get(address) == entry:  # else it changed meanwhile, and is looked at again
            await self._take(entry, self._without_doubles(owner), previous)
        self._unknown.discard(address)
        if progress := self._ledger.progress.get(address):
            self._schedule_next(address, progress)
        return True

    def _find_previous(self, address: Address) -> WatchedOwner | None:
        progress = self._ledger.progress.get(address)
        if progress is None or progress.key is None:
            return None
        owner = self._ledger.owners.get(progress.key)
        return owner if owner is not None and owner.roster_address == address else None

    def _without_doubles(self, owner: WatchedOwner) -> WatchedOwner:
        """Leave out an entry that means somebody whom another entry means already."""
        present = self._ledger.owners.get(owner.key)
        if present is None or present.roster_address == owner.roster_address:
            return owner
        if present.roster_address not in self._ledger.roster:
            return owner
        return replace(
            owner,
            key=OwnerKey(owner.roster_address),
            inboxes=(),
            inbox_addresses=(),
            fault=f"The roster means the same person as {present.roster_address}: remove one of the two.",
        )

    async def _take(self, entry: RosterEntry, owner: WatchedOwner, previous: WatchedOwner | None) -> None:
        if previous is not None and previous.key != owner.key:
            await self._forget(previous.key)
            previous = None
        progress = self._ledger.progress.get(entry.address)
        is_new = progress is None or progress.key != owner.key or progress.removed_at is not None
        if progress is None or is_new:
            progress = OwnerProgress(added_at=self._clock.now(), key=owner.key)
            owner = replace(owner, is_baselined=False)
        await self._note_success(entry, progress)
        await self._states.admit_owner(owner.key, fence=self._ledger.fence())
        owner = await self._write(owner, is_new=is_new)
        change = self._watch.put(owner)
        self._follow_change(change, read_all=self._watch.names_of(owner.key) if is_new else ())

    async def _write(self, owner: WatchedOwner, *, is_new: bool) -> WatchedOwner:
        """Write an owner down, and give what was written: the baseline may have ended during the look-up."""
        async with self._writing:
            present = self._ledger.owners.get(owner.key)
            if present is not None and not is_new:
                owner = replace(owner, is_baselined=present.is_baselined)
            if owner != present:
                await self._ledger.write_owners({owner.key: owner})
        return owner

    async def _note_success(self, entry: RosterEntry, progress: OwnerProgress) -> None:
        now = self._clock.now()
        fresh = replace(progress, asked=encode_record(entry), looked_up_at=now, fault=None)
        await self._ledger.write_progress(entry.address, fresh)

    def _follow_change(self, change: WatchChange, *, read_all: tuple[str, ...]) -> None:
        """Have resources subscribed to or ended; read those from the beginning that are new to the owner."""
        for name in (*change.gained, *change.lost):
            self._subscribing.schedule_next(name)
        for name in dict.fromkeys((*change.gained, *change.joined, *read_all)):
            is_first_time = name not in self._ledger.mailboxes  # read anyway once it is subscribed to
            if name in change.gained and is_first_time:
                continue
            if name in change.joined or name in read_all:
                self._reading.ask_full(name)
            else:
                self._reading.ask_round(name)

    def _schedule_next(self, address: Address, progress: OwnerProgress) -> None:
        """Set when an entry is looked up next: each in its own place, counted from the last time."""
        looked_up_at = progress.looked_up_at or self._clock.now()
        place = 0.8 + 0.2 * spread(f"{address}@{looked_up_at.timestamp()}")
        wait = timedelta(seconds=self._limits.resolve_interval_s * place)
        due_at = progress.fault.retry_at if progress.fault else looked_up_at + wait
        self._schedule.bring_forward(Duty(DutyKind.RESOLVE, address), due_at)

    async def note_failure(self, name: str, error: ServiceError) -> None:
        """Write down why an entry could not be looked up; a lasting fault ends the watching for now."""
        address = Address(name)
        now = self._clock.now()
        progress = self._ledger.progress.get(address) or OwnerProgress(added_at=now)
        fault = build_fault(error, progress.fault, subject=name, now=now, backoff=self._backoff)
        entry = self._ledger.roster.get(address)
        asked = encode_record(entry) if entry is not None else progress.asked
        await self._ledger.write_progress(address, replace(progress, asked=asked, fault=fault))
        self._unknown.discard(address)
        self._schedule.set(Duty(DutyKind.RESOLVE, address), fault.retry_at)
        _log.warning("owner.lookup_failed", fault=str(fault.kind), words=fault.words, attempt=fault.attempts)
        if fault.kind.is_of_mailbox:
            await self._mark_faulty(address, fault.words)

    async def _mark_faulty(self, address: Address, words: str) -> None:
        async with self._writing:
            previous = self._find_previous(address)
            if previous is None:
                return
            faulty = replace(previous, fault=words, inboxes=(), inbox_addresses=())
            await self._ledger.write_owners({faulty.key: faulty})
        self._follow_change(self._watch.put(faulty), read_all=())

    # --- the end ---

    async def _remove(self, address: Address) -> None:
        """Stop watching an owner and purge every key that names them, until nothing of theirs is left."""
        progress = self._ledger.progress.get(address)
        if progress is None:
            return
        now = self._clock.now()
        if progress.key is not None:
            await self._forget_key(address, progress.key)
            await self._ledger.drop_requests_naming(progress.key)
        if not self._has_leftovers():
            await self._ledger.drop_progress(address)
            return
        if progress.removed_at is None:
            await self._ledger.write_progress(address, replace(progress, removed_at=now))
            _log.info("owner.removed", owner=progress.key or "")
        again_at = now + timedelta(seconds=self._limits.forget_again_s)
        self._schedule.set(Duty(DutyKind.RESOLVE, address), again_at)

    def _has_leftovers(self) -> bool:
        """Tell whether records stand of resources that nobody needs: their subscriptions are being ended."""
        names = {*self._ledger.subscriptions, *self._ledger.mailboxes}
        return not names <= self._watch.resources.keys()

    async def _forget_key(self, address: Address, key: OwnerKey) -> None:
        present = self._ledger.owners.get(key)
        if present is not None and present.roster_address != address:
            return  # another entry of the roster means the same person
        await self._forget(key)

    async def _forget(self, key: OwnerKey) -> None:
        if key in self._ledger.owners:
            await self._ledger.drop_owner(key)
            self._follow_change(self._watch.drop(key), read_all=())
        await self._states.forget_owner(key, fence=self._ledger.fence())
        await self._intake.forget_dead_letters({key})

    # --- baselines and losses ---

    async def end_baseline(self, key: OwnerKey, mark: str) -> None:
        """Take note that the worker has done the last entry of an owner's baseline."""
        async with self._writing:
            owner = self._ledger.owners.get(key)
            progress = self._ledger.progress.get(owner.roster_address) if owner else None
            if owner is None or progress is None or owner.is_baselined or name_mark(progress) != mark:
                return
            await self._ledger.write_owners({key: replace(owner, is_baselined=True)})
        _log.info("owner.baselined", owner=key)

    async def begin_anew(self, owners: Mapping[OwnerKey, WatchedOwner]) -> None:
        """Write owners down after the state was lost: each needs its baseline again."""
        now = self._clock.now()
        fresh = {
            key: replace(owner, is_baselined=False)
            for key, owner in owners.items()
            if owner.roster_address in self._ledger.roster
        }
        for key in fresh:
            await self._states.admit_owner(key, fence=self._ledger.fence())
        await self._ledger.write_owners(fresh)
        for owner in fresh.values():
            await self._ledger.write_progress(
                owner.roster_address, OwnerProgress(added_at=now, key=owner.key)
            )
