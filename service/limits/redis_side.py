"""How long and how often Redis is tried, taken out of the settings."""

from __future__ import annotations

from service.settings import Settings
from service.streams.connection import RedisLimits


def take_redis_limits(settings: Settings) -> RedisLimits:
    """Give how long and how often Redis is tried."""
    return RedisLimits(
        connect_timeout_s=settings.redis_connect_timeout_s,
        command_timeout_s=settings.redis_timeout_s,
        retries_max=settings.redis_retries_max,
        connections_max=settings.redis_connections_max,
    )
