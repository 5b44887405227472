"""Builds what lets people sign in, and what asks Graph in their names. Nothing is sent before it is used."""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path

from service.bootstrap.identity import list_secret_keys
from service.bootstrap.redis_side import Streams
from service.clock import Clock
from service.graph.credentials import TokenSession
from service.graph.device_code import DeviceCode
from service.graph.observer import SilentObserver
from service.graph.personal import PersonalRegistration
from service.graph.tokens import MsalTokens
from service.graph.trust import build_trust
from service.settings import CLOUDS, Settings
from service.sign_ins.keeping import SignInKeeping
from service.sign_ins.record import SignIn, SignInTerms
from service.sign_ins.sealing import Sealer
from service.sign_ins.source import Wallet
from service.sign_ins.table import SignInTable


def build_sealer(settings: Settings) -> Sealer:
    """Build what seals sign-ins: worth something only for this deployment, tenant and application."""
    return Sealer(
        list_secret_keys(settings),
        deployment=settings.deployment,
        registration=f"{settings.tenant_id.lower()}\0{settings.client_id.lower()}",
    )


def build_sign_in_table(
    settings: Settings, streams: Streams, *, trust: ssl.SSLContext, clock: Clock
) -> SignInTable:
    """Build what knows who has signed in."""
    return SignInTable(
        streams.sign_ins,
        sealer=build_sealer(settings),
        build=partial(_build_tokens, settings=settings, trust=trust, clock=clock),
        clock=clock,
        look_s=settings.sign_in_look_s,
    )


def _build_tokens(
    sign_in: SignIn,
    wallet: Wallet,
    *,
    settings: Settings,
    trust: ssl.SSLContext,
    clock: Clock,
) -> MsalTokens:
    registration = PersonalRegistration(
        authority=settings.authority_url,
        client_id=settings.client_id,
        resource=CLOUDS[settings.cloud].graph,
        scopes=sign_in.scopes,
        wallet=wallet,
    )
    return MsalTokens(
        registration,
        trust=trust,
        clock=clock,
        observer=SilentObserver(),  # the metrics of tokens are about the application's credential
        renew_margin_s=settings.token_renew_margin_s,
        error_memory_s=settings.token_error_memory_s,
        timeout_s=settings.token_timeout_s,
        uses_proxy_environment=settings.use_proxy,
    )


def build_device_code(settings: Settings) -> tuple[DeviceCode, TokenSession]:
    """Build a sign-in on another device, and the session that must be closed after it.

    Raises:
        ConfigError: CA_BUNDLE cannot be read.
    """
    session = TokenSession(
        trust=build_trust(Path(settings.ca_bundle) if settings.ca_bundle else None),
        timeout_s=settings.token_timeout_s,
        uses_proxy_environment=settings.use_proxy,
    )
    device = DeviceCode(
        authority=settings.authority_url,
        client_id=settings.client_id,
        resource=CLOUDS[settings.cloud].graph,
        scopes=list_scopes(settings),
        session=session,
    )
    return device, session


def list_scopes(settings: Settings) -> tuple[str, ...]:
    """Give the permissions that people are asked for, in order."""
    return tuple(sorted(settings.sign_in_scopes))


def build_keeping(settings: Settings, table: SignInTable, clock: Clock) -> SignInKeeping:
    """Build what keeps sign-ins alive and says which will end."""
    return SignInKeeping(
        table, terms=take_terms(settings), clock=clock, interval_s=settings.sign_in_check_interval_s
    )


def take_terms(settings: Settings) -> SignInTerms:
    """Give how long sign-ins last."""
    return SignInTerms(idle_days=settings.sign_in_idle_days, warn_days=settings.sign_in_warn_days)
