"""The life of a subscription as it is told, by a clock that is turned by hand."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

from service.sandbox.lifecycle import Lifecycle
from service.sandbox.notifications import NotificationWriter
from service.sandbox.subscription_book import Subscription, SubscriptionBook
from service.sandbox.wire import SandboxClock
from tests.unit.sandbox.turning import NOON, build_subscription, standing_clock


class Story:
    """A book, a lifecycle, and what was sent."""

    def __init__(self) -> None:
        self.clock: SandboxClock = standing_clock()
        self.book = SubscriptionBook()
        self.sent: list[tuple[str, str, str]] = []
        self.lifecycle = Lifecycle(
            clock=self.clock,
            book=self.book,
            writer=NotificationWriter(tenant_id="tenant", random=Random(1)),
            random=Random(1),
            send=self._keep,
        )

    def _keep(self, subscription: Subscription, url: str, item: dict[str, Any]) -> None:
        self.sent.append((subscription.id, url, item["lifecycleEvent"]))

    def add(self, id_: str = "s1", **members: Any) -> Subscription:
        subscription = build_subscription(id_, **members)
        self.book.add(subscription)
        self.lifecycle.follow(subscription)
        return subscription

    def turn(self, minutes: float) -> list[tuple[str, str, str]]:
        """Move ahead and give what was sent meanwhile."""
        self.clock.advance(minutes * 60)
        before = len(self.sent)
        self.lifecycle.send_due()
        return self.sent[before:]


WARNING = ("s1", "https://localhost:1/lifecycle", "reauthorizationRequired")


def test_a_warning_comes_before_the_end_and_again_while_it_is_unheard() -> None:
    story = Story()
    story.add()
    assert story.lifecycle.next_due() == NOON + timedelta(minutes=40)
    assert story.turn(39) == []
    assert story.turn(1) == [WARNING]
    assert story.turn(1) == []
    assert story.turn(13) == [WARNING]
    assert story.turn(6) == []
    assert story.book.find("s1") is None
    assert story.turn(1_000) == []


def test_a_long_life_is_warned_half_an_hour_before_its_end() -> None:
    story = Story()
    story.add(expires_at=NOON + timedelta(days=6))
    assert story.turn(6 * 24 * 60 - 31) == []
    assert story.turn(1) == [WARNING]


def test_a_life_of_a_minute_is_warned_in_time() -> None:
    story = Story()
    story.add(expires_at=NOON + timedelta(seconds=60))
    assert story.turn(40 / 60) == [WARNING]


def test_a_renewed_subscription_is_warned_of_its_new_end_alone() -> None:
    story = Story()
    subscription = story.add()
    story.turn(30)
    subscription.expires_at = NOON + timedelta(hours=10)
    story.book.reschedule(subscription)
    story.lifecycle.follow(subscription)
    assert story.turn(60) == []
    assert story.book.find("s1") is subscription
    assert story.turn(8 * 60) == [WARNING]


def test_without_a_lifecycle_url_nothing_is_told() -> None:
    story = Story()
    story.add(lifecycle_url=None)
    assert story.turn(45) == []
    story.lifecycle.report_missed_at_random(1)
    assert story.lifecycle.remove_at_random(1) == 1
    assert story.sent == []


def test_no_more_are_removed_than_there_are_and_each_is_told() -> None:
    story = Story()
    for number in range(4):
        story.add(f"s{number}", change_types=("created", f"{number}"))
    assert story.lifecycle.remove_at_random(3) == 3
    assert len(story.book) == 1
    assert {event for _, _, event in story.sent} == {"subscriptionRemoved"}
    assert len({id_ for id_, _, _ in story.sent}) == 3
    assert story.lifecycle.remove_at_random(3) == 1
    assert story.lifecycle.remove_at_random(3) == 0


def test_what_was_missed_is_told_only_while_the_subscription_lives() -> None:
    story = Story()
    subscription = story.add()
    story.lifecycle.report_missed(subscription)
    assert [event for _, _, event in story.sent] == ["missed"]
    story.book.remove(subscription)
    story.lifecycle.report_missed(subscription)
    assert len(story.sent) == 1
