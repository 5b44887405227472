"""The duty that compares everything wanted with what Graph holds, and the one that ends what is too much.

The only duty that looks at everything, so the pause after it grows with what it looked at, and it does so in
a thread, or in slices between which others have their turn. Must never end a subscription that is not proven
to be this deployment's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from service.clock import Clock
from service.errors import RefusedError, ServiceError
from service.intake.client_state import MailboxKeyError, WatchedResource
from service.ports import GraphSubscription
from service.reconcile.instant import Instant
from service.subscriptions.evidence import choose_for_evidence, find_latest_renewal
from service.subscriptions.faults import Backoff, build_fault
from service.subscriptions.ledger import Ledger
from service.subscriptions.plan import (
    Action,
    Delete,
    HeldSubscription,
    Margins,
    WantedSubscription,
    plan_subscriptions,
)
from service.subscriptions.records import Fault, SubscriptionRecord
from service.subscriptions.schedule import COMPARISON, Duty, DutyKind, Schedule
from service.subscriptions.slices import in_slices
from service.subscriptions.subscribe import Destination, Subscriber
from service.subscriptions.subscribing import Subscribing
from service.subscriptions.watch import Watch

_log = structlog.get_logger("keeper")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparingLimits:
    """Waits of comparisons.

    Attributes:
        margins: as for `Subscribing`.
        interval_s: at most so long between two; never longer than between sweeps.
        interval_min_s: at least so long, unless the most is less.
        interval_per_subscription_s: so long for each subscription that the last one listed, in between.
        clock_jump_s: Graph's clock and ours part by more than this at once: subscriptions may have ended.
        evidence_interval_s: after so long without a renewal one is renewed, as evidence that a keeper led.
        evidence_slack_s: a renewal so long after a keeper last led by our state is no evidence yet.
    """

    margins: Margins = field(default_factory=Margins)
    interval_s: float = 900.0
    interval_min_s: float = 60.0
    interval_per_subscription_s: float = 0.5
    clock_jump_s: float = 60.0
    evidence_interval_s: float = 3600.0
    evidence_slack_s: float = 300.0


class Comparing:
    """Compares, and deletes what is too much."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        watch: Watch,
        schedule: Schedule,
        subscriber: Subscriber,
        subscribing: Subscribing,
        destination: Destination,
        clock: Clock,
        limits: ComparingLimits,
        backoff: Backoff,
        disown: Callable[[], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._watch = watch
        self._schedule = schedule
        self._subscriber = subscriber
        self._subscribing = subscribing
        self._destination = destination
        self._clock = clock
        self._limits = limits
        self._backoff = backoff
        self._disown = disown
        self._led_at: datetime | None = None
        self._fault: Fault | None = None
        self._unproven: set[str] = set()
        self._ends_leftovers = False
        self._ahead: timedelta | None = None

    def begin_term(self, *, led_at: datetime | None) -> None:
        """Compare at once.

        Args:
            led_at: when a keeper last led, by the state that a process which has just begun has found; what
                Graph holds is held against it once. None where there is nothing to compare.
        """
        self._led_at = led_at
        self._unproven.clear()
        self._ends_leftovers = False
        self._schedule.set(COMPARISON, self._clock.now())

    # --- what is asked for ---

    def note_date(self, at: Instant) -> None:
        """Take note of the time that Graph gives with its answers; after a jump of it compare soon.

        Where Graph's clock went forward, or ours back, subscriptions ended earlier than our clock tells.
        """
        ahead = at.to_datetime() - self._clock.now()
        if self._ahead is None:
            self._ahead = ahead
        elif abs(ahead - self._ahead) > timedelta(seconds=self._limits.clock_jump_s):
            self._ahead = ahead
            self._schedule.bring_forward(COMPARISON, self._clock.now())

    def ask_delete(self, subscription_id: str) -> Duty:
        """Have a subscription ended that no record names, if Graph's list proves it to be ours."""
        self._unproven.add(subscription_id)
        duty = Duty(DutyKind.DELETE, subscription_id)
        self._schedule.bring_forward(duty, self._clock.now())
        return duty

    def ask_leftovers_ended(self) -> Duty:
        """Have everything of ours ended that no record names, within the comparison that is asked for."""
        self._ends_leftovers = True
        self._schedule.bring_forward(COMPARISON, self._clock.now())
        return COMPARISON

    # --- the comparison ---

    async def compare(self, _: str) -> bool:
        """Compare with what Graph holds: adopt, notice what is missing or wrong, delete what is too much."""
        ends_leftovers, self._ends_leftovers = self._ends_leftovers, False
        known = dict(self._ledger.subscriptions)
        resources = self._subscribing.list_wanted()
        busy = self._subscribing.busy
        in_graph = await self._list_in_graph(ends_leftovers=ends_leftovers)
        if await self._is_state_older(known, in_graph):
            return True
        actions = await asyncio.to_thread(self._plan, resources, known, in_graph)
        async for action in in_slices(actions):
            if not isinstance(action, Delete) and self._is_unchanged(action.wanted.name, known, busy):
                await self._subscribing.take_up(action)
        await self._take_up_deletions(actions, is_waited_for=ends_leftovers)
        self._fault = None
        await self._leave_evidence()
        await self._end_comparison(self._clock.now() + timedelta(seconds=self._reckon_pause(len(in_graph))))
        return True

    async def _list_in_graph(self, *, ends_leftovers: bool) -> tuple[GraphSubscription, ...]:
        try:
            return await self._subscriber.list_held()
        except ServiceError:
            self._ends_leftovers |= ends_leftovers  # whoever asked for it waits for the next comparison
            raise

    async def _is_state_older(
        self, known: Mapping[str, SubscriptionRecord], in_graph: tuple[GraphSubscription, ...]
    ) -> bool:
        """Tell whether Graph holds what a keeper did after one last led by our state; then disown it.

        Another process would remember how far the state had come; this one has only Graph to ask. Raises
        StreamError where Redis is away.
        """
        led_at, self._led_at = self._led_at, None
        if led_at is None:
            return False
        latest = await asyncio.to_thread(
            find_latest_renewal,
            (one for one in in_graph if self._destination.is_ours(one)),
            known.values(),
            asked_s=self._subscriber.asked_s,
            now=self._clock.now(),
        )
        if latest is None or latest - led_at <= timedelta(seconds=self._limits.evidence_slack_s):
            return False
        _log.error("generation.went_back", evidence="graph", led_at=led_at.isoformat())
        await self._disown()
        return True

    async def _leave_evidence(self) -> None:
        """Have one subscription renewed where none was for long: Graph then remembers that a keeper led."""
        name = await asyncio.to_thread(
            choose_for_evidence,
            dict(self._ledger.subscriptions),
            now=self._clock.now(),
            interval_s=self._limits.evidence_interval_s,
        )
        if name is not None and name in self._watch.resources:
            self._subscribing.ask_renew(name, is_quiet_kept=True)

    def _reckon_pause(self, listed: int) -> float:
        """Give the seconds until the next comparison: the fewer there are, the less it costs."""
        limits = self._limits
        wanted_s = max(limits.interval_min_s, listed * limits.interval_per_subscription_s)
        return min(wanted_s, limits.interval_s)

    async def _end_comparison(self, next_at: datetime) -> None:
        self._schedule.bring_forward(COMPARISON, next_at)  # one that was asked for meanwhile comes sooner
        await self._subscribing.end_comparison()

    def _is_unchanged(self, name: str, known: Mapping[str, SubscriptionRecord], busy: frozenset[str]) -> bool:
        """Tell whether a resource was left alone while Graph was listing; else the next one sees it."""
        is_same = known.get(name) is self._ledger.subscriptions.get(name)
        is_idle = name not in busy and self._subscribing.is_idle(name)
        return is_same and is_idle and name in self._watch.resources

    def _plan(
        self,
        resources: list[WatchedResource],
        known: Mapping[str, SubscriptionRecord],
        in_graph: tuple[GraphSubscription, ...],
    ) -> tuple[Action, ...]:
        """Plan everything; in a thread, for a large roster takes its time and leases have to be kept."""
        return plan_subscriptions(
            self._describe_all(resources),
            {name: held for name, record in known.items() if (held := _as_held(record)) is not None},
            in_graph,
            is_ours=self._destination.is_ours,
            now=self._clock.now(),
            margins=self._limits.margins,
        )

    def _describe_all(self, resources: list[WatchedResource]) -> list[WantedSubscription]:
        """Describe all that can have a subscription; the others meet their fault when they are to get one."""
        described: list[WantedSubscription] = []
        for resource in resources:
            with suppress(MailboxKeyError):
                described.append(self._destination.describe(resource))
        return described

    async def note_comparison_failure(self, _: str, error: ServiceError) -> None:
        """Go on without the comparison, and try it again."""
        now = self._clock.now()
        self._fault = build_fault(error, self._fault, subject="comparison", now=now, backoff=self._backoff)
        await self._end_comparison(self._fault.retry_at)
        _log.warning("subscriptions.comparison_failed", words=self._fault.words)

    # --- deletions ---

    async def _take_up_deletions(self, actions: tuple[Action, ...], *, is_waited_for: bool) -> None:
        """Have what is too much ended, at once where somebody waits for it."""
        for subscription_id in self._choose_deletions(actions):
            if is_waited_for:
                await self.delete(subscription_id)
            else:
                self._schedule.bring_forward(Duty(DutyKind.DELETE, subscription_id), self._clock.now())

    def _choose_deletions(self, actions: tuple[Action, ...]) -> list[str]:
        """Give what is too much; what nobody wants only when it is known whom the roster means."""
        if not any(isinstance(action, Delete) for action in actions):
            return []
        held = {record.id for record in self._ledger.subscriptions.values()}
        is_clear = not self._is_roster_unclear()
        settled = [
            action.subscription_id
            for action in actions
            if isinstance(action, Delete)
            and (self._subscribing.is_idle(action.name) if action.name else is_clear)
        ]
        return [subscription_id for subscription_id in settled if subscription_id not in held]

    def _is_roster_unclear(self) -> bool:
        """Tell whether some entry of the roster could not be looked up yet: its resources are not known."""
        progress = (self._ledger.progress.get(address) for address in self._ledger.roster)
        return any(
            one is None or (one.key is None and not (one.fault and one.fault.kind.is_of_mailbox))
            for one in progress
        )

    async def delete(self, subscription_id: str) -> bool:
        """Delete one of ours that is too much, unless it was adopted meanwhile.

        Raises:
            RefusedError: an operator named it, and Graph does not list it as ours.
        """
        if any(subscription_id == record.id for record in self._ledger.subscriptions.values()):
            return True
        if subscription_id in self._unproven:
            await self._prove(subscription_id)
        await self._subscriber.delete(subscription_id)
        self._unproven.discard(subscription_id)
        await self._ledger.drop_notified(subscription_id)
        _log.info("subscription.deleted", subscription_id=subscription_id)
        return True

    async def _prove(self, subscription_id: str) -> None:
        listed = {one.id for one in await self._subscriber.list_held() if self._destination.is_ours(one)}
        if subscription_id not in listed:
            raise RefusedError("no subscription of this deployment has this id", status=404, code="notOurs")

    async def note_deletion_failure(self, subscription_id: str, error: ServiceError) -> None:
        """Leave it to the next comparison, or where an operator waits for it, try again soon."""
        _log.warning("subscription.failed", subscription_id=subscription_id, error=str(error))
        if isinstance(error, RefusedError):
            self._unproven.discard(subscription_id)
        if subscription_id in self._unproven:
            again = self._clock.now() + timedelta(seconds=self._backoff.passing_s)
            self._schedule.bring_forward(Duty(DutyKind.DELETE, subscription_id), again)


def _as_held(record: SubscriptionRecord) -> HeldSubscription | None:
    if not record.id or record.expires_at is None:
        return None
    return HeldSubscription(
        id=record.id,
        expires_at=record.expires_at,
        lifetime_s=record.lifetime_s,
        client_state_tag=record.client_state_tag,
        certificate_id=record.certificate_id,
    )
