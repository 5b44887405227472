"""The duties about subscriptions: one resource's own, the comparison with Graph, and deletions.

Costs of one duty do not depend on the size of the roster; only the comparison looks at everything.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from service.clock import Clock
from service.errors import ServiceError
from service.intake.client_state import MailboxKeyError, ResourceKind, WatchedResource
from service.ports import GraphSubscription
from service.subscriptions.faults import Backoff, build_fault
from service.subscriptions.ledger import Ledger
from service.subscriptions.plan import (
    Action,
    Adopt,
    Create,
    Delete,
    HeldSubscription,
    Margins,
    Recreate,
    Renew,
    WantedSubscription,
    plan_subscriptions,
    reckon_renewal,
)
from service.subscriptions.records import Fault, SubscriptionRecord
from service.subscriptions.schedule import COMPARISON, Duty, DutyKind, Schedule
from service.subscriptions.subscribe import Destination, Subscriber
from service.subscriptions.watch import Watch

_log = structlog.get_logger("keeper")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribingLimits:
    """Waits of subscriptions.

    Attributes:
        margins: how long before the end they are renewed.
        compare_interval_s: between two comparisons with what Graph holds; never longer than between sweeps.
        reauthorize_quiet_s: Graph wants so long between two touches of one subscription.

    Source: https://learn.microsoft.com/graph/change-notifications-lifecycle-events
    """

    margins: Margins = field(default_factory=Margins)
    compare_interval_s: float = 900.0
    reauthorize_quiet_s: float = 600.0


class Subscribing:
    """Keeps one good subscription per watched resource.

    Attributes:
        is_compared: the present term has compared with Graph, or has failed to.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        watch: Watch,
        schedule: Schedule,
        subscriber: Subscriber,
        destination: Destination,
        clock: Clock,
        limits: SubscribingLimits,
        backoff: Backoff,
    ) -> None:
        self._ledger = ledger
        self._watch = watch
        self._schedule = schedule
        self._subscriber = subscriber
        self._destination = destination
        self._clock = clock
        self._limits = limits
        self._backoff = backoff
        self._replaces: dict[str, frozenset[str]] = {}
        self._renew_now: set[str] = set()
        self._busy: set[str] = set()
        self._compare_fault: Fault | None = None
        self.is_compared = False

    def begin_term(self) -> None:
        """Take up what is written down: each subscription at its time, then compare."""
        self.is_compared = False
        self._replaces.clear()
        self._renew_now.clear()
        for name in {*self._watch.resources, *self._ledger.subscriptions, *self._ledger.mailboxes}:
            self.schedule_next(name)
        self._schedule.set(COMPARISON, self._clock.now())

    def schedule_next(self, name: str) -> None:
        """Set when a resource's subscription is next looked at.

        One that has none waits for the comparison of this term: Graph may hold a good one.
        """
        record = self._ledger.subscriptions.get(name, SubscriptionRecord())
        now = self._clock.now()
        if name not in self._watch.resources:
            due_at = now
        elif record.fault is not None:
            due_at = record.fault.retry_at
        elif record.is_alive(now) and record.expires_at is not None:
            due_at = reckon_renewal(name, record.expires_at, record.lifetime_s, self._limits.margins)
        elif self.is_compared:
            due_at = now
        else:
            return
        self._schedule.set(Duty(DutyKind.SUBSCRIBE, name), due_at)

    # --- what is asked for ---

    def ask_recreate(self, name: str) -> Duty:
        """Have a resource's subscription replaced by a new one, soon."""
        record = self._ledger.subscriptions.get(name)
        self._replaces[name] = frozenset({record.id} if record and record.id else ())
        return self._due_now(name)

    def ask_renew(self, name: str, *, is_quiet_kept: bool) -> Duty:
        """Have it renewed, soon; with `is_quiet_kept` not too soon after it was renewed last."""
        self._renew_now.add(name)
        record = self._ledger.subscriptions.get(name)
        duty = Duty(DutyKind.SUBSCRIBE, name)
        if not is_quiet_kept or record is None or record.renewed_at is None:
            return self._due_now(name)
        quiet_until = record.renewed_at + timedelta(seconds=self._limits.reauthorize_quiet_s)
        self._schedule.bring_forward(duty, max(self._clock.now(), quiet_until))
        return duty

    def _due_now(self, name: str) -> Duty:
        duty = Duty(DutyKind.SUBSCRIBE, name)
        self._schedule.bring_forward(duty, self._clock.now())
        return duty

    # --- one resource ---

    async def subscribe(self, name: str) -> bool:
        """Create, replace or renew the subscription of a resource, or end it where nobody needs it."""
        self._busy.add(name)
        try:
            resource = self._watch.resources.get(name)
            if resource is None:
                await self._end(name)
            else:
                await self._make_good(name, resource)
        finally:
            self._busy.discard(name)
        return True

    async def _make_good(self, name: str, resource: WatchedResource) -> None:
        wanted = self._destination.describe(resource)
        before = self._ledger.subscriptions.get(name, SubscriptionRecord())
        after = await self._touch(wanted, before)
        if after is not before:
            await self._ledger.write_subscription(name, after)
            self._replaces.pop(name, None)
            self._renew_now.discard(name)
            self._tell(name, before, after)
        self.schedule_next(name)
        if after.id != before.id:
            await self._follow_creation(name, before)

    async def _touch(self, wanted: WantedSubscription, before: SubscriptionRecord) -> SubscriptionRecord:
        """Do what has to be done now; gives the same record back where that is nothing."""
        now = self._clock.now()
        is_right = before.client_state_tag == wanted.client_state_tag
        is_right &= before.certificate_id == wanted.certificate_id
        if wanted.name in self._replaces or not is_right or not before.is_alive(now):
            replaces = self._replaces.get(wanted.name, frozenset()) | ({before.id} if before.id else set())
            return await self._subscriber.create(wanted, sorted(replaces))
        assert before.expires_at is not None
        renew_at = reckon_renewal(wanted.name, before.expires_at, before.lifetime_s, self._limits.margins)
        if wanted.name in self._renew_now or before.fault is not None or renew_at <= now:
            return await self._subscriber.renew(wanted, before)
        return before

    async def _follow_creation(self, name: str, before: SubscriptionRecord) -> None:
        """Close the gap before the new subscription by a delta round from before it."""
        self._schedule.bring_forward(reading_of(self._watch.resources[name], name), self._clock.now())
        if before.id:
            await self._ledger.drop_notified(before.id)

    async def _end(self, name: str) -> None:
        record = self._ledger.subscriptions.get(name)
        if record is not None and record.id:
            await self._subscriber.delete(record.id)
            _log.info("subscription.deleted", resource=name, subscription_id=record.id)
        await self._ledger.drop_resource(name)
        self._replaces.pop(name, None)
        self._renew_now.discard(name)

    async def note_failure(self, name: str, error: ServiceError) -> None:
        """Write down why it did not work and when it is tried again; reading goes on without it."""
        before = self._ledger.subscriptions.get(name, SubscriptionRecord())
        fault = build_fault(error, before.fault, subject=name, now=self._clock.now(), backoff=self._backoff)
        await self._ledger.write_subscription(name, replace(before, fault=fault))
        self._schedule.set(Duty(DutyKind.SUBSCRIBE, name), fault.retry_at)
        if resource := self._watch.resources.get(name):
            reading = reading_of(resource, name)
            if self._schedule.due_at(reading) is None:
                self._schedule.set(reading, self._clock.now())
        _log.warning(
            "subscription.failed",
            resource=name,
            fault=str(fault.kind),
            words=fault.words,
            attempt=fault.attempts,
        )

    # --- everything ---

    async def compare(self, _: str) -> bool:
        """Compare with what Graph holds: adopt, notice what is missing or wrong, delete what is too much."""
        known = dict(self._ledger.subscriptions)
        busy = set(self._busy)
        in_graph = await self._subscriber.list_held()
        resources = list(self._watch.resources.values())
        actions = await asyncio.to_thread(self._plan, resources, known, in_graph)
        for action in actions:
            if not isinstance(action, Delete) and self._is_unchanged(action.wanted.name, known, busy):
                await self._take_up(action)
        self._take_up_deletions([action for action in actions if isinstance(action, Delete)])
        self._compare_fault = None
        self._end_comparison(self._clock.now() + timedelta(seconds=self._limits.compare_interval_s))
        return True

    def _end_comparison(self, next_at: datetime) -> None:
        """Let what is still without a subscription, and was not seen in the comparison, get one."""
        self.is_compared = True
        self._schedule.set(COMPARISON, next_at)
        for name in self._watch.resources:
            if name not in self._busy and self._schedule.due_at(Duty(DutyKind.SUBSCRIBE, name)) is None:
                self.schedule_next(name)

    def _is_unchanged(self, name: str, known: dict[str, SubscriptionRecord], busy: set[str]) -> bool:
        """Tell whether a resource was left alone while Graph was listing; else the next one sees it."""
        is_same = known.get(name) is self._ledger.subscriptions.get(name)
        is_idle = name not in busy and name not in self._busy
        return is_same and is_idle and name in self._watch.resources

    def _plan(
        self,
        resources: list[WatchedResource],
        known: dict[str, SubscriptionRecord],
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

    async def _take_up(self, action: Adopt | Create | Recreate | Renew) -> None:
        match action:
            case Adopt():
                await self._adopt(action)
            case Create():
                self._replaces[action.wanted.name] = frozenset()
                self._hurry(action.wanted.name)
            case Recreate():
                self._replaces[action.wanted.name] = frozenset(action.replaces)
                self._hurry(action.wanted.name)
            case Renew():
                self._hurry(action.wanted.name)
            case _:
                assert_never(action)

    async def _adopt(self, action: Adopt) -> None:
        name = action.wanted.name
        before = self._ledger.subscriptions.get(name)
        await self._ledger.write_subscription(name, self._subscriber.adopt(action, before))
        self.schedule_next(name)
        if before is None or before.id != action.subscription.id:
            _log.info("subscription.adopted", resource=name, subscription_id=action.subscription.id)
            await self._follow_creation(name, before or SubscriptionRecord())

    def _hurry(self, name: str) -> None:
        """Bring a resource forward, unless it waits after a failure."""
        record = self._ledger.subscriptions.get(name)
        if record is None or record.fault is None:
            self._due_now(name)

    def _take_up_deletions(self, actions: list[Delete]) -> None:
        """Delete what is too much; what nobody wants only when it is known whom the roster means."""
        held = {record.id for record in self._ledger.subscriptions.values()}
        is_clear = not self._is_roster_unclear()
        for action in actions:
            is_settled = action.name not in self._busy if action.name else is_clear
            if is_settled and action.subscription_id not in held:
                self._schedule.bring_forward(Duty(DutyKind.DELETE, action.subscription_id), self._clock.now())

    def _is_roster_unclear(self) -> bool:
        """Tell whether some entry of the roster could not be looked up yet: its resources are not known."""
        progress = (self._ledger.progress.get(address) for address in self._ledger.roster)
        return any(
            one is None or (one.key is None and not (one.fault and one.fault.kind.is_of_mailbox))
            for one in progress
        )

    async def note_comparison_failure(self, _: str, error: ServiceError) -> None:
        """Go on without the comparison, and try it again."""
        now = self._clock.now()
        self._compare_fault = build_fault(
            error, self._compare_fault, subject="comparison", now=now, backoff=self._backoff
        )
        self._end_comparison(self._compare_fault.retry_at)
        _log.warning("subscriptions.comparison_failed", words=self._compare_fault.words)

    # --- deletions ---

    async def delete(self, subscription_id: str) -> bool:
        """Delete one of ours that is too much, unless it was adopted meanwhile."""
        if any(subscription_id == record.id for record in self._ledger.subscriptions.values()):
            return True
        await self._subscriber.delete(subscription_id)
        await self._ledger.drop_notified(subscription_id)
        _log.info("subscription.deleted", subscription_id=subscription_id)
        return True

    async def note_deletion_failure(self, subscription_id: str, error: ServiceError) -> None:
        """Leave it to the next comparison."""
        _log.warning("subscription.failed", subscription_id=subscription_id, error=str(error))

    def _tell(self, name: str, before: SubscriptionRecord, after: SubscriptionRecord) -> None:
        _log.info(
            "subscription.created" if after.id != before.id else "subscription.renewed",
            resource=name,
            subscription_id=after.id,
            expires_at=_text(after.expires_at),
        )


def reading_of(resource: WatchedResource, name: str) -> Duty:
    """Give the duty that reads a resource."""
    is_calendar = resource.kind is ResourceKind.CALENDAR
    return Duty(DutyKind.READ_EVENTS if is_calendar else DutyKind.READ_MESSAGES, name)


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


def _text(at: datetime | None) -> str:
    return at.isoformat() if at else ""
