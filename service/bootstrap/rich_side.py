"""Builds what rich notifications need: keys, what vouches for them, and what is asked to come along."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from service.bootstrap.graph_side import Graph
from service.bootstrap.redis_side import Streams
from service.clock import SystemClock
from service.graph.notified import NotifiedItems
from service.graph.resource_data import EVENT_QUERIES, MESSAGE_QUERIES
from service.graph.trust import build_trust
from service.intake.client_state import ResourceKind
from service.limits.rich import take_authority_limits, take_token_rules, take_vouching_limits
from service.metrics import Metrics
from service.observing import GraphMetrics, RichObserver
from service.ports import NotifiedReader
from service.rich.authority import Authority
from service.rich.authority_client import AuthorityClient
from service.rich.key_ring import KeyRing
from service.rich.keys import split_places
from service.rich.opening import Opener
from service.rich.vouching import Vouching
from service.settings import Settings
from service.streams.tokens import RedisTokenStore
from service.subscriptions.resource_data import Certificate, ResourceData


def build_key_ring(settings: Settings) -> KeyRing:
    """Read the keys.

    Raises:
        ConfigError: there is none, or one cannot be used.
    """
    places = split_places(settings.encryption_key_file)
    return KeyRing(places, clock=SystemClock(), look_again_s=settings.keys_look_s)


def build_resource_data(settings: Settings) -> ResourceData:
    """Say what is to come along with notifications.

    Raises:
        ConfigError: a key cannot be used.
    """
    keys = build_key_ring(settings)

    def certificate() -> Certificate:
        current = keys.current
        return Certificate(id=current.id, encoded=current.encoded)

    queries = {
        ResourceKind.INBOX: MESSAGE_QUERIES,
        ResourceKind.MAILBOX_MESSAGES: MESSAGE_QUERIES,
        ResourceKind.CALENDAR: EVENT_QUERIES,
    }
    return ResourceData(certificate, queries)


@asynccontextmanager
async def open_notified(
    settings: Settings, streams: Streams, graph: Graph, metrics: Metrics
) -> AsyncIterator[NotifiedReader | None]:
    """Build what reads items out of rich notifications; None where nothing is to come along.

    Raises:
        ConfigError: a key cannot be used.
    """
    if not settings.is_rich:
        yield None
        return
    opener = Opener(keys=build_key_ring(settings), at_once_max=settings.decryptions_max)
    try:
        async with open_authority(settings) as authority:
            vouching = Vouching(
                authority=authority,
                tokens=RedisTokenStore(streams.link, streams.keys, read_kept_s=settings.tokens_read_kept_s),
                rules=take_token_rules(settings),
                limits=take_vouching_limits(settings),
            )
            yield NotifiedItems(
                vouching=vouching,
                opener=opener,
                mailboxes=graph.mailboxes,
                observer=RichObserver(metrics),
                graph_observer=GraphMetrics(metrics, SystemClock()),
            )
    finally:
        opener.close()


@asynccontextmanager
async def open_authority(settings: Settings) -> AsyncIterator[Authority]:
    """Build what asks the authority for issuers and signing keys; asks nothing yet."""
    client = AuthorityClient(
        trust=build_trust(Path(settings.ca_bundle) if settings.ca_bundle else None),
        timeout_s=settings.token_timeout_s,
        uses_proxy_environment=settings.use_proxy,
    )
    authority = Authority(
        settings.authority_url,
        tenant=settings.tenant_id,
        fetch=client,
        clock=SystemClock(),
        limits=take_authority_limits(settings),
    )
    async with client:
        try:
            yield authority
        finally:
            await authority.close()
