"""The duty about one resource's subscription: made, adopted, renewed, replaced, or ended.

Its cost does not depend on the size of the roster. Must never make one where an operator ended it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from service.clock import Clock
from service.errors import ServiceError
from service.intake.client_state import ResourceKind, WatchedResource
from service.subscriptions.faults import Backoff, build_fault
from service.subscriptions.ledger import Ledger
from service.subscriptions.plan import (
    Adopt,
    Create,
    Margins,
    Recreate,
    Renew,
    WantedSubscription,
    is_fit_certificate,
    reckon_renewal,
)
from service.subscriptions.records import SubscriptionRecord
from service.subscriptions.schedule import Duty, DutyKind, Schedule
from service.subscriptions.slices import in_slices
from service.subscriptions.subscribe import Destination, Subscriber
from service.subscriptions.watch import Watch

_log = structlog.get_logger("keeper")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribingLimits:
    """Waits of subscriptions.

    Attributes:
        margins: how long before the end they are renewed.
        reauthorize_quiet_s: Graph wants so long between two touches of one subscription.

    Source: https://learn.microsoft.com/graph/change-notifications-lifecycle-events
    """

    margins: Margins = field(default_factory=Margins)
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
        self._delete_now: set[str] = set()
        self._busy: set[str] = set()
        self.is_compared = False

    def begin_term(self) -> None:
        """Take up what is written down: each subscription at its time."""
        self.is_compared = False
        self._replaces.clear()
        self._renew_now.clear()
        self._delete_now.clear()
        for name in {*self._watch.resources, *self._ledger.subscriptions, *self._ledger.mailboxes}:
            self.schedule_next(name)

    def schedule_next(self, name: str) -> None:
        """Set when a resource's subscription is next looked at, at the latest.

        It is sooner where somebody asked for something meanwhile. One that has none waits for the comparison
        of this term: Graph may hold a good one.
        """
        record = self._ledger.subscriptions.get(name, SubscriptionRecord())
        now = self._clock.now()
        if name not in self._watch.resources:
            due_at = now
        elif record.fault is not None:
            due_at = record.fault.retry_at
        elif record.deleted_at is not None:
            return
        elif record.is_alive(now) and record.expires_at is not None:
            due_at = reckon_renewal(name, record.expires_at, record.lifetime_s, self._limits.margins)
        elif self.is_compared:
            due_at = now
        else:
            return
        self._schedule.bring_forward(Duty(DutyKind.SUBSCRIBE, name), due_at)

    # --- what is asked for ---

    def ask_recreate(self, name: str) -> Duty:
        """Have a resource's subscription replaced by a new one, soon; also where an operator had ended it."""
        record = self._ledger.subscriptions.get(name)
        self._delete_now.discard(name)
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

    def ask_delete(self, name: str) -> Duty:
        """Have a resource's subscription ended, and none made until one is asked for; reading goes on."""
        self._delete_now.add(name)
        self._replaces.pop(name, None)
        self._renew_now.discard(name)
        return self._due_now(name)

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
            elif name in self._delete_now:
                await self._end_for_operator(name)
            else:
                await self._make_good(name, resource)
        finally:
            self._busy.discard(name)
        return True

    async def _make_good(self, name: str, resource: WatchedResource) -> None:
        wanted = self._destination.describe(resource)
        before = self._ledger.subscriptions.get(name, SubscriptionRecord())
        if before.deleted_at is not None and name not in self._replaces:
            return
        after = await self._touch(wanted, before)
        if after is not before:
            await self._ledger.write_subscription(name, after)
            self._renew_now.discard(name)
            self._tell(name, before, after)
        is_new = after.id != before.id
        if is_new:  # else a replacement was asked for while the present one was renewed
            self._replaces.pop(name, None)
        self.schedule_next(name)
        if is_new:
            await self._follow_creation(name, resource, before)

    async def _touch(self, wanted: WantedSubscription, before: SubscriptionRecord) -> SubscriptionRecord:
        """Do what has to be done now; gives the same record back where that is nothing."""
        now = self._clock.now()
        is_right = before.client_state_tag == wanted.client_state_tag
        is_right &= is_fit_certificate(before.certificate_id, wanted.certificate_id)
        if wanted.name in self._replaces or not is_right or not before.is_alive(now):
            replaces = self._replaces.get(wanted.name, frozenset()) | ({before.id} if before.id else set())
            return await self._subscriber.create(wanted, sorted(replaces))
        assert before.expires_at is not None
        renew_at = reckon_renewal(wanted.name, before.expires_at, before.lifetime_s, self._limits.margins)
        is_asked = wanted.name in self._renew_now or before.certificate_id != wanted.certificate_id
        if is_asked or before.fault is not None or renew_at <= now:
            return await self._subscriber.renew(wanted, before)
        return before

    async def _follow_creation(
        self, name: str, resource: WatchedResource, before: SubscriptionRecord
    ) -> None:
        """Close the gap before the new subscription by a delta round from before it."""
        self._schedule.bring_forward(reading_of(resource, name), self._clock.now())
        if before.id:
            await self._ledger.drop_notified(before.id)

    async def _end(self, name: str) -> None:
        await self._delete_held(name)
        await self._ledger.drop_resource(name)
        self._replaces.pop(name, None)
        self._renew_now.discard(name)
        self._delete_now.discard(name)

    async def _end_for_operator(self, name: str) -> None:
        ended = await self._delete_held(name)
        await self._ledger.write_subscription(name, SubscriptionRecord(deleted_at=self._clock.now()))
        self._delete_now.discard(name)
        if ended.id:
            await self._ledger.drop_notified(ended.id)

    async def _delete_held(self, name: str) -> SubscriptionRecord:
        """End in Graph what is held. What has run out needs no call: a refusal would hold us up for ever."""
        record = self._ledger.subscriptions.get(name, SubscriptionRecord())
        if record.is_alive(self._clock.now()):
            await self._subscriber.delete(record.id)
            _log.info("subscription.deleted", resource=name, subscription_id=record.id)
        return record

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

    # --- what a comparison found ---

    @property
    def busy(self) -> frozenset[str]:
        """The resources about whose subscription something is being done."""
        return frozenset(self._busy)

    def is_idle(self, name: str) -> bool:
        """Tell whether nothing is being done about a resource's subscription."""
        return name not in self._busy

    def list_wanted(self) -> list[WatchedResource]:
        """Give what is to have a subscription: all that is watched, unless an operator ended it."""
        return [one for name, one in self._watch.resources.items() if not self._is_ended(name)]

    def _is_ended(self, name: str) -> bool:
        record = self._ledger.subscriptions.get(name)
        return name in self._delete_now or (record is not None and record.deleted_at is not None)

    async def take_up(self, action: Adopt | Create | Recreate | Renew) -> None:
        """Adopt, or have a resource looked at soon, unless it waits after a failure."""
        name = action.wanted.name
        match action:
            case Adopt():
                await self._adopt(action)
                return
            case Create():
                self._replaces[name] = frozenset()
            case Recreate():
                self._replaces[name] = frozenset(action.replaces)
            case Renew():
                pass
            case _:
                assert_never(action)
        record = self._ledger.subscriptions.get(name)
        if record is None or record.fault is None:
            self._due_now(name)

    async def _adopt(self, action: Adopt) -> None:
        name = action.wanted.name
        before = self._ledger.subscriptions.get(name)
        await self._ledger.write_subscription(name, self._subscriber.adopt(action, before))
        self.schedule_next(name)
        if before is None or before.id != action.subscription.id:
            _log.info("subscription.adopted", resource=name, subscription_id=action.subscription.id)
            await self._follow_creation(name, action.wanted.resource, before or SubscriptionRecord())

    async def end_comparison(self) -> None:
        """Let what is still without a subscription, and was not seen in the comparison, get one."""
        self.is_compared = True
        async for name in in_slices(tuple(self._watch.resources)):
            is_left_alone = name in self._watch.resources and name not in self._busy
            if is_left_alone and self._schedule.due_at(Duty(DutyKind.SUBSCRIBE, name)) is None:
                self.schedule_next(name)

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


def _text(at: datetime | None) -> str:
    return at.isoformat() if at else ""
