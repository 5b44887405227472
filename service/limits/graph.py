"""The bounds of what is asked of Graph, taken out of the settings."""

from __future__ import annotations

from service.graph.dispatch import DispatchLimits
from service.graph.newest import NewestLimits
from service.graph.throttling import ThrottlingLimits
from service.settings import Settings


def take_dispatch_limits(settings: Settings) -> DispatchLimits:
    """Give the bounds of how requests travel."""
    return DispatchLimits(
        per_mailbox_max=settings.mailbox_requests_max,
        window_s=settings.batch_window_s,
        newest=NewestLimits(
            messages_min=settings.newest_messages_min,
            messages_max=settings.newest_messages_max,
            pause_s=settings.newest_pause_s,
        ),
        throttling=ThrottlingLimits(
            mailbox_requests_max=settings.mailbox_budget_max,
            application_requests_max=settings.graph_budget_max,
            slow_s=settings.graph_slow_s,
        ),
    )
