"""Figures out of Redis: all at once, with their zeros, and none where measuring failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from service.errors import StreamError
from service.gauges import IntakeGauges, MailboxGauges, count_mailboxes, count_subscriptions
from service.metrics import Metrics
from service.streams.intake_stream import IntakeDepth
from service.subscriptions.status import KeeperStatus, ResourceStatus
from tests.unit.pipeline.fakes import StillClock

RESOURCE = ResourceStatus(
    name="inbox/adele",
    mailbox="adele@contoso.com",
    owners=("alex@contoso.com",),
    subscription_id="s1",
    expires_at=StillClock().now() + timedelta(hours=1),
    left_s=3600.0,
    heard_at=None,
    staleness_s=12.0,
    is_silent=False,
    is_full_round=False,
    pages=0,
    items=0,
    faults=(),
    is_watchable=True,
    waits_for="",
)


@dataclass
class FakeRedis:
    """Depth, status and generation, or the error that there is instead."""

    depth: IntakeDepth
    resources: tuple[ResourceStatus, ...] = ()
    error: BaseException | None = None

    async def measure(self) -> IntakeDepth:
        self._fail()
        return self.depth

    async def read(self) -> KeeperStatus:
        self._fail()
        return KeeperStatus(owners=(), resources=self.resources)

    led_at: datetime | None = None

    async def exists(self, *, led_at: datetime | None = None) -> bool:
        self._fail()
        return True

    async def ensure(self, *, meanwhile: Callable[[], Awaitable[object]] | None = None) -> bool:
        return False

    async def disown(self) -> None:
        raise AssertionError("gauges only look")

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


def read(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"response_sync_{name}", labels)


def build_depth(clock: StillClock, *, oldest_s: float = 30, due_s: float = 5) -> IntakeDepth:
    now_ms = round(clock.now().timestamp() * 1000)
    return IntakeDepth(
        entries=9,
        pending=4,
        oldest_ms=now_ms - round(oldest_s * 1000),
        due=3,
        first_due_ms=now_ms - round(due_s * 1000),
        dead=2,
    )


async def test_the_work_that_waits_is_shown() -> None:
    metrics, clock = Metrics(), StillClock()
    await IntakeGauges(FakeRedis(build_depth(clock)), metrics, clock).refresh()
    assert read(metrics, "intake_entries", state="waiting") == 5
    assert read(metrics, "intake_entries", state="pending") == 4
    assert read(metrics, "intake_oldest_seconds") == 30
    assert read(metrics, "dead_letters") == 2
    assert read(metrics, "due_entries") == 3
    assert read(metrics, "due_overdue_seconds") == 5


async def test_nothing_that_waits_and_nothing_that_is_due_yet_is_no_age() -> None:
    metrics, clock = Metrics(), StillClock()
    depth = replace(build_depth(clock, due_s=-60), entries=0, pending=0, oldest_ms=None)
    await IntakeGauges(FakeRedis(depth), metrics, clock).refresh()
    assert read(metrics, "intake_oldest_seconds") == 0
    assert read(metrics, "due_overdue_seconds") == 0


@pytest.mark.parametrize("error", [StreamError("Redis is away"), asyncio.CancelledError()])
async def test_what_cannot_be_measured_any_more_is_not_shown(error: BaseException) -> None:
    metrics, clock = Metrics(), StillClock()
    redis = FakeRedis(build_depth(clock), resources=(RESOURCE,))
    refreshes = IntakeGauges(redis, metrics, clock).refresh, MailboxGauges(redis, redis, metrics).refresh
    for refresh in refreshes:
        await refresh()
    assert read(metrics, "mailboxes", state="watched") == 1
    redis.error = error
    for refresh in refreshes:
        with pytest.raises(type(error)):
            await refresh()
    for name in ("dead_letters", "due_entries", "generation_missing", "mailbox_staleness_max_seconds"):
        assert read(metrics, name) is None
    assert read(metrics, "mailboxes", state="watched") is None


async def test_the_books_show_the_first_end_and_the_most_stale() -> None:
    metrics, clock = Metrics(), StillClock()
    resources = (
        RESOURCE,
        replace(
            RESOURCE, name="calendar/alex", expires_at=clock.now() + timedelta(minutes=5), staleness_s=90.0
        ),
        replace(RESOURCE, name="inbox/gone", left_s=0.0, is_watchable=False, staleness_s=9999.0),
        replace(RESOURCE, name="calendar/new", left_s=0.0, expires_at=None, staleness_s=None),
    )
    redis = FakeRedis(build_depth(clock), resources=resources)
    await MailboxGauges(redis, redis, metrics).refresh()
    first_end = (clock.now() + timedelta(minutes=5)).timestamp()
    assert read(metrics, "subscription_next_expiry_timestamp_seconds") == first_end
    assert read(metrics, "mailbox_staleness_max_seconds") == 90
    assert read(metrics, "generation_missing") == 0


def test_subscriptions_count_by_resource_and_state_with_zeros() -> None:
    missing = replace(RESOURCE, name="inbox/b", left_s=0.0)
    faulty = replace(missing, name="calendar/c", faults=("not allowed",))
    assert count_subscriptions([RESOURCE, missing, faulty]) == {
        ("calendar", "alive"): 0,
        ("calendar", "missing"): 0,
        ("calendar", "faulty"): 1,
        ("inbox", "alive"): 1,
        ("inbox", "missing"): 1,
        ("inbox", "faulty"): 0,
    }


def test_a_mailbox_is_as_bad_as_the_worst_of_its_resources() -> None:
    resources = [
        replace(RESOURCE, name="inbox/a"),
        replace(RESOURCE, name="calendar/a", faults=("not allowed",)),
        replace(RESOURCE, name="inbox/b", is_silent=True),
        replace(RESOURCE, name="calendar/b", waits_for="calendar/b: not read yet"),
        replace(RESOURCE, name="inbox/c", waits_for="inbox/c: no subscription"),
        replace(RESOURCE, name="calendar/c"),
        replace(RESOURCE, name="inbox/d"),
    ]
    expected = {("watched",): 1, ("waiting",): 1, ("silent",): 1, ("faulty",): 1}
    assert count_mailboxes(resources) == expected
