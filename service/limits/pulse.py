"""How often a process tells of itself, taken out of the settings."""

from __future__ import annotations

from service.pulse.beating import PulseLimits
from service.settings import Settings


def take_pulse_limits(settings: Settings) -> PulseLimits:
    """Give how often a process tells of itself."""
    return PulseLimits(interval_s=settings.pulse_interval_s)
