"""What pages of the dashboard may cost, taken out of the settings."""

from __future__ import annotations

from service.dashboard.live import LiveLimits
from service.dashboard.meetings import MeetingLimits
from service.settings import Settings


def take_live_limits(settings: Settings) -> LiveLimits:
    """Give how many pages are kept up to date, and how often."""
    return LiveLimits(clients_max=settings.dashboard_clients_max, interval_s=settings.dashboard_interval_s)


def take_meeting_limits(settings: Settings) -> MeetingLimits:
    """Give what a search and a story may cost."""
    return MeetingLimits(
        rows_max=settings.dashboard_rows_max,
        looked_at_max=settings.dashboard_meetings_max,
        search_s=settings.dashboard_search_s,
        updates_max=settings.explain_updates_max,
    )
