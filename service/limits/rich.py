"""What rich notifications may cost, and what vouches for them, taken out of the settings."""

from __future__ import annotations

from service.rich.authority import AuthorityLimits
from service.rich.validation_tokens import TokenRules
from service.rich.vouching import VouchingLimits
from service.settings import Settings


def take_authority_limits(settings: Settings) -> AuthorityLimits:
    """Give how often the authority is asked for its keys."""
    return AuthorityLimits(
        fresh_s=settings.signing_keys_fresh_s,
        pause_s=settings.signing_keys_pause_s,
        kept_s=settings.signing_keys_kept_s,
    )


def take_vouching_limits(settings: Settings) -> VouchingLimits:
    """Give how many verdicts are remembered."""
    return VouchingLimits(verdicts_max=settings.token_verdicts_max)


def take_token_rules(settings: Settings) -> TokenRules:
    """Give what a validation token must say."""
    return TokenRules(
        audience=settings.client_id,
        publisher=settings.validation_publisher,
        skew_s=settings.token_skew_s,
    )
