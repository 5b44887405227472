"""The defaults of the settings are those with which every part is tested by itself."""

from __future__ import annotations

from typing import Any

import pytest

from service.graph.dispatch import DispatchLimits
from service.intake.carried import CarriedLimits
from service.intake.listener import ListenerLimits
from service.intake.webhook import WebhookLimits
from service.limits.deciding import take_commit_limits, take_decision_limits
from service.limits.graph import take_dispatch_limits
from service.limits.keeper import take_keeper_options
from service.limits.pulse import take_pulse_limits
from service.limits.redis_side import take_redis_limits
from service.limits.rich import take_authority_limits, take_vouching_limits
from service.limits.web import take_carried_limits, take_listener_limits, take_webhook_limits
from service.limits.worker import (
    take_calendar_limits,
    take_known_limits,
    take_people_limits,
    take_retry_limits,
    take_worker_limits,
)
from service.pipeline.calendar import CalendarLimits
from service.pipeline.committer import CommitLimits
from service.pipeline.known import KnownLimits
from service.pipeline.people import PeopleLimits
from service.pipeline.retry import RetryLimits
from service.pipeline.worker import WorkerLimits
from service.pulse.beating import PulseLimits
from service.reconcile.decide import DecisionLimits
from service.rich.authority import AuthorityLimits
from service.rich.vouching import VouchingLimits
from service.settings import Settings
from service.streams.connection import RedisLimits
from service.subscriptions.assembly import KeeperOptions
from service.subscriptions.keeper import KeeperLimits


@pytest.fixture
def defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Settings:
    """The settings of an empty environment."""
    for name in list(Settings.model_fields):
        monkeypatch.delenv(f"RESPONSE_SYNC_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    return Settings(subscription_minutes=10_080)


def test_each_part_gets_its_own_defaults(defaults: Settings) -> None:
    taken = {
        "pulse": take_pulse_limits(defaults),
        "webhook": take_webhook_limits(defaults),
        "dispatch": take_dispatch_limits(defaults),
        "calendar": take_calendar_limits(defaults),
        "known": take_known_limits(defaults),
        "people": take_people_limits(defaults),
        "worker": take_worker_limits(defaults),
        "retry": take_retry_limits(defaults),
        "commit": take_commit_limits(defaults),
        "decision": take_decision_limits(defaults),
        "redis": take_redis_limits(defaults),
        "carried": take_carried_limits(defaults),
        "authority": take_authority_limits(defaults),
        "vouching": take_vouching_limits(defaults),
    }

    assert taken == {
        "pulse": PulseLimits(),
        "webhook": WebhookLimits(),
        "dispatch": DispatchLimits(),
        "calendar": CalendarLimits(),
        "known": KnownLimits(),
        "people": PeopleLimits(),
        "worker": WorkerLimits(),
        "retry": RetryLimits(),
        "commit": CommitLimits(),
        "decision": DecisionLimits(),
        "redis": RedisLimits(),
        "carried": CarriedLimits(),
        "authority": AuthorityLimits(),
        "vouching": VouchingLimits(),
    }


def test_the_listener_stops_within_the_time_that_a_role_has(defaults: Settings) -> None:
    assert take_listener_limits(defaults) == ListenerLimits(stop_timeout_s=defaults.drain_s)


def test_the_keeper_gets_its_own_defaults(defaults: Settings) -> None:
    expected = KeeperOptions(keeper=KeeperLimits(stop_s=defaults.drain_s))

    assert take_keeper_options(defaults) == expected
