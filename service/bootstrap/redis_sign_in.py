"""Builds the sign-in to Redis with the application's own credential."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from service.bootstrap.graph_side import build_registration
from service.clock import SystemClock
from service.graph.observer import SilentObserver
from service.graph.tokens import MsalTokens
from service.graph.trust import build_trust
from service.settings import Settings
from service.streams.sign_in import TokenSignIn

RESOURCE: Final = "https://redis.azure.com"
"""For whom these tokens are made out.

Source: https://learn.microsoft.com/azure/redis/entra-for-authentication
"""


@contextmanager
def open_sign_in(settings: Settings) -> Iterator[TokenSignIn]:
    """Build it; nobody is asked before the first connection.

    Raises:
        ConfigError: CA_BUNDLE cannot be read.
    """
    tokens = MsalTokens(
        replace(build_registration(settings), resource=RESOURCE),
        trust=build_trust(Path(settings.ca_bundle) if settings.ca_bundle else None),
        clock=SystemClock(),
        # The metrics of tokens are about Graph's; a refusal here shows as Redis being away, with its reason.
        observer=SilentObserver(),
        renew_margin_s=settings.token_renew_margin_s,
        error_memory_s=settings.token_error_memory_s,
        timeout_s=settings.token_timeout_s,
        uses_proxy_environment=settings.use_proxy,
    )
    try:
        yield TokenSignIn(tokens.fetch_token)
    finally:
        tokens.close()
