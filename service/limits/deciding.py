"""The bounds of reconciling and committing, taken out of the settings."""

from __future__ import annotations

from service.pipeline.committer import CommitLimits
from service.reconcile.decide import DecisionLimits
from service.settings import Settings


def take_commit_limits(settings: Settings) -> CommitLimits:
    """Give the bounds of committing."""
    return CommitLimits(races_max=settings.races_max, look_again_s=settings.look_again_s)


def take_decision_limits(settings: Settings) -> DecisionLimits:
    """Give what the operator set about reconciling."""
    return DecisionLimits(
        tolerance_s=settings.tolerance_s,
        grace_s=settings.grace_s,
        retention_days=settings.retention_days,
        waiting_hours=settings.waiting_hours,
        journal_max=settings.journal_max,
        answers_max=settings.answers_held_max,
        loose_max=settings.loose_answers_held_max,
    )
