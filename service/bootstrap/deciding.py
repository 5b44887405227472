"""Builds what takes facts to state and updates."""

from __future__ import annotations

from collections.abc import Callable

from service.bootstrap.redis_side import Streams
from service.clock import Clock
from service.cloud_events import Redactor, build_redactor
from service.limits.deciding import take_commit_limits, take_decision_limits
from service.pipeline.committer import Committer
from service.settings import Settings
from service.tracing.spans import UNTRACED, Tracing


def build_committer(
    settings: Settings,
    streams: Streams,
    clock: Clock,
    *,
    on_conflict: Callable[[], None] = lambda: None,
    tracing: Tracing = UNTRACED,
) -> Committer:
    """Build what takes facts to state and updates.

    Args:
        on_conflict: called for each lost race.
    """
    return Committer(
        streams.states,
        clock,
        decision_limits=take_decision_limits(settings),
        commit_limits=take_commit_limits(settings),
        redactor=take_redactor(settings),
        on_conflict=on_conflict,
        tracing=tracing,
    )


def take_redactor(settings: Settings) -> Redactor:
    """Give what stands in the place of what REDACT hides."""
    return build_redactor(settings.redact, settings.secret_key.get_secret_value().encode())
