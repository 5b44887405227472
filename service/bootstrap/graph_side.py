"""Builds what asks Graph and Entra ID. Nothing is sent before it is used."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from service.bootstrap.redis_side import Streams
from service.bootstrap.sign_in_side import build_sign_in_table
from service.clock import Clock, SystemClock
from service.graph.client import GraphClient
from service.graph.credentials import (
    ClientCertificate,
    ClientSecret,
    ClientSecretFile,
    Credential,
    FederatedToken,
    ManagedIdentity,
    Registration,
)
from service.graph.delta import GraphDelta
from service.graph.directory import GraphDirectory
from service.graph.dispatch import Dispatcher, ask_as_application
from service.graph.holders import Holders
from service.graph.mailboxes import GraphMailboxes
from service.graph.requests import GraphRequest
from service.graph.subscriptions import GraphSubscriptions
from service.graph.tokens import MsalTokens
from service.graph.trust import build_trust
from service.limits.graph import take_dispatch_limits
from service.metrics import Metrics
from service.observing import GraphMetrics
from service.ports import Directory
from service.settings import CLOUDS, MessageScope, Settings, SignInKind
from service.sign_ins.directory import SignedInDirectory
from service.sign_ins.table import SignInTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Everything that is asked of Graph, over one session.

    Attributes:
        mailboxes: reads what was announced, which may wait for more to be read with it.
        calendars: reads what must be known beside it, at once.
        sign_ins: who has signed in; None where nobody can.
    """

    tokens: MsalTokens
    client: GraphClient
    mailboxes: GraphMailboxes
    calendars: GraphMailboxes
    directory: Directory
    delta: GraphDelta
    subscriptions: GraphSubscriptions
    sign_ins: SignInTable | None = None


@asynccontextmanager
async def open_graph(
    settings: Settings, metrics: Metrics, streams: Streams | None = None
) -> AsyncIterator[Graph]:
    """Build what asks Graph; nothing is sent before it is used.

    Args:
        streams: where sign-ins are kept; None asks as the application alone.

    Raises:
        ConfigError: CA_BUNDLE cannot be read.
    """
    clock = SystemClock()
    observer = GraphMetrics(metrics, clock)
    trust = build_trust(Path(settings.ca_bundle) if settings.ca_bundle else None)
    tokens = _build_tokens(settings, trust, clock, observer)
    table = holders = None
    if streams is not None:
        table = build_sign_in_table(settings, streams, trust=trust, clock=clock)
        holders = Holders(None if settings.sign_in is SignInKind.DELEGATED else tokens, table)
    client = _build_client(settings, tokens, holders, trust=trust, clock=clock, observer=observer)
    limits = take_dispatch_limits(settings)
    holder_of = ask_as_application if holders is None else holders.holder_of

    def renew_where_denied(request: GraphRequest) -> None:
        if not holder_of(request):  # asked as the application
            tokens.note_denied()

    build = partial(
        Dispatcher,
        client,
        clock=clock,
        observer=observer,
        holder_of=holder_of,
        on_denied=renew_where_denied,
    )
    dispatcher = build(limits=limits)
    # Handshakes take their time: what changes subscriptions travels together, but with nothing else.
    subscribing = build(limits=replace(limits, window_s=settings.subscribe_window_s))
    is_inbox = settings.messages is MessageScope.INBOX
    try:
        async with client, _following(table):
            yield Graph(
                tokens=tokens,
                client=client,
                mailboxes=GraphMailboxes(dispatcher, observer=observer, is_inbox=is_inbox),
                calendars=GraphMailboxes(dispatcher.hurried, observer=observer),
                directory=_build_directory(dispatcher, observer, table),
                delta=GraphDelta(dispatcher.alone, observer=observer),
                subscriptions=GraphSubscriptions(subscribing, holders),
                sign_ins=table,
            )
    finally:
        await subscribing.close()
        await dispatcher.close()
        tokens.close()


def _following(table: SignInTable | None) -> AbstractAsyncContextManager[None]:
    return nullcontext() if table is None else table.following()


def _build_tokens(
    settings: Settings, trust: ssl.SSLContext, clock: Clock, observer: GraphMetrics
) -> MsalTokens:
    return MsalTokens(
        build_registration(settings),
        trust=trust,
        clock=clock,
        observer=observer,
        renew_margin_s=settings.token_renew_margin_s,
        denied_pause_s=settings.token_denied_pause_s,
        error_memory_s=settings.token_error_memory_s,
        timeout_s=settings.token_timeout_s,
        uses_proxy_environment=settings.use_proxy,
    )


def _build_client(
    settings: Settings,
    tokens: MsalTokens,
    holders: Holders | None,
    *,
    trust: ssl.SSLContext,
    clock: Clock,
    observer: GraphMetrics,
) -> GraphClient:
    return GraphClient(
        base_url=settings.graph_url,
        tokens=tokens,
        choice=holders,
        trust=trust,
        clock=clock,
        observer=observer,
        requests_max=settings.graph_requests_max,
        timeout_s=settings.graph_timeout_s,
        connect_timeout_s=settings.graph_connect_timeout_s,
        answer_bytes_max=settings.answer_bytes_max,
        uses_proxy_environment=settings.use_proxy,
    )


def _build_directory(dispatcher: Dispatcher, observer: GraphMetrics, table: SignInTable | None) -> Directory:
    directory = GraphDirectory(dispatcher.alone, observer=observer)
    return directory if table is None else SignedInDirectory(directory, lambda: table.sign_ins)


def build_registration(settings: Settings) -> Registration:
    """Say who the application is, and for what its tokens are: the cloud's Graph, also through a proxy."""
    return Registration(
        authority=settings.authority_url,
        client_id=settings.client_id,
        resource=CLOUDS[settings.cloud].graph,
        credential=_choose_credential(settings),
    )


def _choose_credential(settings: Settings) -> Credential:
    if settings.client_secret_file:
        return ClientSecretFile(Path(settings.client_secret_file))
    if settings.client_secret.is_set:
        return ClientSecret(settings.client_secret.get_secret_value())
    if settings.client_certificate_file:
        return ClientCertificate(Path(settings.client_certificate_file))
    if settings.federated_token_file:
        return FederatedToken(Path(settings.federated_token_file))
    is_system = settings.managed_identity.lower() == "system"
    return ManagedIdentity("" if is_system else settings.managed_identity)
