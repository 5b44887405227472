"""The limits of each part, taken out of the settings. Holds no default: those stand with the settings."""

from __future__ import annotations

from service.intake.listener import ListenerLimits
from service.intake.webhook import WebhookLimits
from service.pipeline.committer import CommitLimits
from service.pipeline.retry import RetryLimits
from service.pipeline.worker import WorkerLimits
from service.reconcile.decide import DecisionLimits
from service.settings import Settings
from service.streams.connection import RedisLimits


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
    )


def take_redis_limits(settings: Settings) -> RedisLimits:
    """Give how long and how often Redis is tried."""
    return RedisLimits(
        connect_timeout_s=settings.redis_connect_timeout_s,
        command_timeout_s=settings.redis_timeout_s,
        retries_max=settings.redis_retries_max,
        connections_max=settings.redis_connections_max,
        health_check_s=settings.redis_health_check_s,
    )
