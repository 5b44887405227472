"""From a change in a mailbox to items in the outbox: who is told, what, and when. No I/O.

Must never tell anyone of a change that the subscription does not cover.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from service.sandbox.endpoint_health import PENALTY, EndpointHealth, Pace
from service.sandbox.faults import FaultBoard
from service.sandbox.item_options import EXTENDED
from service.sandbox.items import Event, Message
from service.sandbox.notifications import NotificationWriter, Recipient
from service.sandbox.outbox import Outbox, Outgoing
from service.sandbox.registration import Application
from service.sandbox.rich import annotate, encrypt
from service.sandbox.subscription_book import Subscription, SubscriptionBook
from service.sandbox.wire import Change, GraphFault, SandboxClock
from service.sandbox.world import World


class Postman:
    """Observes the world.

    Attributes:
        on_loss: called with a subscription of which a notification was lost for good.
        on_put: called after something was put into the outbox.
    """

    def __init__(
        self,
        *,
        world: World,
        clock: SandboxClock,
        book: SubscriptionBook,
        application: Application,
        writer: NotificationWriter,
        faults: FaultBoard,
        health: EndpointHealth,
        outbox: Outbox,
    ) -> None:
        self._world = world
        self._clock = clock
        self._book = book
        self._application = application
        self._writer = writer
        self._faults = faults
        self._health = health
        self._outbox = outbox
        self.on_loss: Callable[[Subscription], None] = _ignore
        self.on_put: Callable[[], None] = _do_nothing

    def __call__(self, change: Change) -> None:
        """Tell every subscription that covers the change."""
        self._book.drop_expired(self._clock.now())
        for subscription in self._book.list_of(change.user_id):
            if self._covers(subscription, change):
                seen = self._see(subscription, change)
                if seen is not None and seen.change in subscription.change_types:
                    self._tell(subscription, seen)
        self.on_put()

    def send_lifecycle(self, subscription: Subscription, url: str, item: dict[str, Any]) -> None:
        """Send an item that tells of the subscription itself; faults do not touch it."""
        self._put(subscription, url, item, delay_s=0.0, is_lifecycle=True)
        self.on_put()

    def _covers(self, subscription: Subscription, change: Change) -> bool:
        watch = subscription.watch
        return (
            watch.kind == change.kind
            and watch.covers(change.folder_id)
            and (subscription.made_by_person or watch.user_id not in self._application.denied_mailboxes)
        )

    def _see(self, subscription: Subscription, change: Change) -> Change | None:
        """Give the change as a subscription with a filter sees it: by what matches now and did before.

        Source: https://learn.microsoft.com/graph/outlook-change-notifications-overview
        """
        if subscription.test is None:
            return change
        item = None if change.change == "deleted" else self._find_item(change)
        matched = change.item_id in subscription.matching
        if item is not None and subscription.test(item):
            subscription.matching.add(change.item_id)
            return replace(change, change="updated" if matched else "created")
        subscription.matching.discard(change.item_id)
        return replace(change, change="deleted") if matched else None

    def _find_item(self, change: Change) -> Message | Event | None:
        box = self._world.mailbox(change.user_id)
        if change.kind == "message":
            return box.messages.get(change.item_id)
        return box.events.get(change.item_id)

    def _tell(self, subscription: Subscription, change: Change) -> None:
        item = self._write(subscription, change)
        pace = self._health.judge(subscription.notification_url, self._clock.now())
        if pace is Pace.DROP:
            self.on_loss(subscription)
            return
        held_s = PENALTY.total_seconds() if pace is Pace.SLOW else 0.0
        for delay_s in self._faults.plan_delivery():
            self._put(subscription, subscription.notification_url, item, delay_s=delay_s + held_s)

    def _write(self, subscription: Subscription, change: Change) -> dict[str, Any]:
        item_id = self._world.public_id(
            change.user_id, change.item_id, immutable=subscription.uses_immutable_ids
        )
        item = self._writer.write_change(subscription, change, item_id)
        if subscription.encryption is not None and change.change != "deleted":
            content = self._render(subscription, change)
            if content is not None:
                item["encryptedContent"] = encrypt(content, subscription.encryption)
        return item

    def _render(self, subscription: Subscription, change: Change) -> dict[str, Any] | None:
        """Give the resource data as it stands now; None where the item is gone already."""
        try:
            resource = self._world.render_item(
                change.user_id,
                change.kind,
                change.item_id,
                select=",".join(subscription.watch.select),
                expand=subscription.watch.expand or None,
                immutable=subscription.uses_immutable_ids,
            )
        except GraphFault:
            return None
        wanted = {*subscription.watch.select, EXTENDED}
        return annotate({name: resource[name] for name in resource if name in wanted}, change.kind)

    def _put(
        self,
        subscription: Subscription,
        url: str,
        item: dict[str, Any],
        *,
        delay_s: float,
        is_lifecycle: bool = False,
    ) -> None:
        recipient = None
        if subscription.encryption is not None and not is_lifecycle:
            recipient = Recipient(
                audience=subscription.audience or subscription.app_id, authority=subscription.authority
            )
        outgoing = Outgoing(
            subscription_id=subscription.id,
            url=url,
            item=item,
            recipient=recipient,
            is_lifecycle=is_lifecycle,
            made_at=self._clock.now() + timedelta(seconds=delay_s),
        )
        if not self._outbox.put(outgoing, delay_s=delay_s) and not is_lifecycle:
            self.on_loss(subscription)


def _ignore(subscription: Subscription) -> None:
    """Stand in until the lifecycle is there."""


def _do_nothing() -> None:
    """Stand in until the delivery is there."""
