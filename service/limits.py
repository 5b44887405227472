"""The limits of each part, taken out of the settings. Holds no default: those stand with the settings."""

from __future__ import annotations

from service.intake.client_state import ResourceKind
from service.intake.listener import ListenerLimits
from service.intake.webhook import WebhookLimits
from service.pipeline.calendar import CalendarLimits
from service.pipeline.committer import CommitLimits
from service.pipeline.people import PeopleLimits
from service.pipeline.retry import RetryLimits
from service.pipeline.worker import WorkerLimits
from service.reconcile.decide import DecisionLimits
from service.settings import MessageScope, Settings
from service.streams.connection import RedisLimits
from service.subscriptions.assembly import KeeperOptions
from service.subscriptions.faults import Backoff
from service.subscriptions.keeper import KeeperLimits
from service.subscriptions.owners import OwnerLimits
from service.subscriptions.plan import Margins
from service.subscriptions.reading import ReadingLimits
from service.subscriptions.resync import Window
from service.subscriptions.schedule import DutyKind
from service.subscriptions.silence import SilenceLimits
from service.subscriptions.subscribing import SubscribingLimits


def take_webhook_limits(settings: Settings) -> WebhookLimits:
    """Give what one request may cost."""
    return WebhookLimits(
        body_bytes_max=settings.body_bytes_max,
        bodies_bytes_max=settings.bodies_bytes_max,
        body_timeout_s=settings.body_timeout_s,
        token_chars_max=settings.validation_token_chars_max,
        retry_after_s=settings.web_retry_after_s,
    )


def take_listener_limits(settings: Settings) -> ListenerLimits:
    """Give what connections may cost."""
    return ListenerLimits(
        connections_max=settings.connections_max,
        keepalive_timeout_s=settings.keepalive_timeout_s,
        header_bytes_max=settings.header_bytes_max,
        headers_max=settings.headers_max,
        tls_handshake_timeout_s=settings.tls_handshake_timeout_s,
        stop_timeout_s=settings.drain_s,
        backlog=settings.backlog_max,
    )


def take_calendar_limits(settings: Settings) -> CalendarLimits:
    """Give the bounds of reading along."""
    return CalendarLimits(occurrences_max=settings.occurrences_read_max)


def take_people_limits(settings: Settings) -> PeopleLimits:
    """Give the bounds of looking people up."""
    return PeopleLimits(
        kept_max=settings.people_kept_max,
        kept_s=settings.people_kept_s,
        lookups_max=settings.people_lookups_max,
    )


def take_worker_limits(settings: Settings) -> WorkerLimits:
    """Give the bounds of the worker's loop."""
    return WorkerLimits(
        in_flight_max=settings.in_flight_max,
        read_count=settings.read_entries_max,
        block_s=settings.read_block_s,
        claim_idle_s=settings.claim_idle_s,
        claim_every_s=settings.claim_interval_s,
        due_every_s=settings.due_interval_s,
        due_count=settings.due_entries_max,
        deliveries_max=settings.deliveries_max,
        outage_wait_s=settings.outage_wait_s,
        drain_s=settings.drain_s,
    )


def take_retry_limits(settings: Settings) -> RetryLimits:
    """Give the bounds of retrying."""
    return RetryLimits(
        attempts_max=settings.retry_attempts_max,
        doomed_attempts_max=settings.retry_doomed_attempts_max,
        first_wait_s=settings.retry_first_wait_s,
        wait_max_s=settings.retry_wait_max_s,
        retry_after_max_s=settings.retry_after_max_s,
    )


def take_commit_limits(settings: Settings) -> CommitLimits:
    """Give the bounds of committing."""
    return CommitLimits(races_max=settings.races_max)


def take_decision_limits(settings: Settings) -> DecisionLimits:
    """Give what the operator set about reconciling."""
    return DecisionLimits(
        tolerance_s=settings.tolerance_s,
        grace_s=settings.grace_s,
        retention_days=settings.retention_days,
        waiting_hours=settings.waiting_hours,
        journal_max=settings.journal_max,
    )


def take_redis_limits(settings: Settings) -> RedisLimits:
    """Give how long and how often Redis is tried."""
    return RedisLimits(
        connect_timeout_s=settings.redis_connect_timeout_s,
        command_timeout_s=settings.redis_timeout_s,
        retries_max=settings.redis_retries_max,
        connections_max=settings.redis_connections_max,
    )


def take_keeper_options(settings: Settings) -> KeeperOptions:
    """Give the limits and waits of the keeper."""
    return KeeperOptions(
        messages=take_message_kind(settings),
        lifetime_s=settings.subscription_minutes * 60.0,
        lifetime_margin_s=settings.lifetime_margin_s,
        lease_s=settings.lease_s,
        pages_per_turn=settings.pages_per_turn_max,
        entries_per_append=settings.append_entries_max,
        window=Window(
            days_back=settings.window_days_back,
            days_ahead=settings.window_days_ahead,
            days_back_max=max(settings.window_days_back_max, settings.window_days_back),
            overlap_s=settings.mailbox_overlap_s,
        ),
        backoff=Backoff(
            passing_s=settings.passing_wait_s,
            passing_max_s=settings.passing_wait_max_s,
            lasting_s=settings.lasting_wait_s,
            lasting_max_s=settings.lasting_wait_max_s,
        ),
        keeper=_take_keeper_limits(settings),
        owners=OwnerLimits(
            resolve_interval_s=settings.resolve_interval_s, forget_again_s=settings.forget_again_s
        ),
        subscribing=_take_subscribing_limits(settings),
        reading=_take_reading_limits(settings),
    )


def take_message_kind(settings: Settings) -> ResourceKind:
    """Give which messages of a mailbox are watched."""
    is_inbox = settings.messages is MessageScope.INBOX
    return ResourceKind.INBOX if is_inbox else ResourceKind.MAILBOX_MESSAGES


def _take_keeper_limits(settings: Settings) -> KeeperLimits:
    return KeeperLimits(
        tick_s=settings.keeper_tick_s,
        outage_wait_s=settings.outage_wait_s,
        put_off_s=settings.keeper_put_off_s,
        stop_s=settings.drain_s,
        places={
            DutyKind.RESOLVE: settings.resolves_max,
            DutyKind.COMPARE: 1,
            DutyKind.SUBSCRIBE: settings.subscribes_max,
            DutyKind.DELETE: settings.deletes_max,
            DutyKind.READ_MESSAGES: settings.inbox_reads_max,
            DutyKind.READ_EVENTS: settings.calendar_reads_max,
        },
    )


def _take_subscribing_limits(settings: Settings) -> SubscribingLimits:
    return SubscribingLimits(
        margins=Margins(
            fraction=settings.renew_fraction,
            floor_s=settings.renew_floor_s,
            jitter_fraction=settings.renew_jitter_fraction,
        ),
        compare_interval_s=settings.compare_interval_s,
        reauthorize_quiet_s=settings.reauthorize_quiet_s,
    )


def _take_reading_limits(settings: Settings) -> ReadingLimits:
    return ReadingLimits(
        sweep_interval_s=settings.sweep_interval_s,
        full_resync_s=settings.full_resync_hours * 3600,
        mark_again_s=settings.mark_again_s,
        notified_kept_s=settings.heard_kept_s,
        silence=SilenceLimits(after_s=settings.silence_after_s, slack_s=settings.silence_slack_s),
    )
