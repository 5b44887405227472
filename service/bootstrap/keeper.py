"""Builds the role `keeper`, and what tells how its work stands."""

from __future__ import annotations

from pathlib import Path

from service.bootstrap.graph_side import Graph
from service.bootstrap.identity import derive_keys, name_process
from service.bootstrap.redis_side import Streams
from service.bootstrap.rich_side import build_resource_data
from service.bootstrap.sign_in_side import build_keeping, take_terms
from service.clock import Clock, SystemClock
from service.errors import ConfigError
from service.limits.keeper import take_keeper_options, take_message_kind
from service.metrics import Metrics
from service.observing import CountedGeneration, KeeperObserver
from service.roles.keeper import KeeperRole
from service.roster import RosterEntry
from service.roster_file import parse_roster
from service.settings import Settings
from service.subscriptions.assembly import KeeperPorts, build_keeper
from service.subscriptions.signed_in import nobody
from service.subscriptions.status_reader import StatusReader
from service.subscriptions.subscribe import Destination


def build_keeper_role(settings: Settings, streams: Streams, graph: Graph, metrics: Metrics) -> KeeperRole:
    """Build what keeps subscriptions.

    Raises:
        ConfigError: OWNERS_FILE cannot be read.
    """
    clock = SystemClock()
    table = graph.sign_ins
    keeper = build_keeper(
        KeeperPorts(
            api=graph.subscriptions,
            directory=graph.directory,
            reader=graph.delta,
            intake=streams.intake,
            states=streams.states,
            records=streams.records,
            lease=streams.lease,
            generation=CountedGeneration(streams.generation, metrics),
            clock=clock,
            metrics=KeeperObserver(metrics),
            logins=(lambda: table.logins) if table is not None else nobody,
            on_operator=graph.tokens.note_repaired,
        ),
        holder=name_process(),
        destination=build_destination(settings),
        options=take_keeper_options(settings),
        seed=read_owners_file(settings),
    )
    return KeeperRole(
        keeper=keeper,
        status=build_status_reader(settings, streams, clock),
        generation=streams.generation,
        clock=clock,
        outage_wait_s=settings.outage_wait_s,
        sign_ins=None if table is None else build_keeping(settings, table, clock),
    )


def build_destination(settings: Settings) -> Destination:
    """Say where Graph is to deliver, and what is to come along.

    Raises:
        ConfigError: a key of ENCRYPTION_KEY_FILE cannot be used.
    """
    return Destination(
        public_url=settings.public_url,
        deployment=settings.deployment,
        keys=derive_keys(settings),
        resource_data=build_resource_data(settings) if settings.is_rich else None,
    )


def build_status_reader(settings: Settings, streams: Streams, clock: Clock) -> StatusReader:
    """Build what tells how every watched resource stands."""
    return StatusReader(
        records=streams.records,
        clock=clock,
        messages=take_message_kind(settings),
        terms=take_terms(settings),
    )


def read_owners_file(settings: Settings) -> tuple[RosterEntry, ...]:
    """Give the owners of OWNERS_FILE; none where it is not set.

    Raises:
        ConfigError: it cannot be read, or does not say what it should.
    """
    if not settings.owners_file:
        return ()
    path = Path(settings.owners_file)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"RESPONSE_SYNC_OWNERS_FILE cannot be read: {error}."]) from error
    return parse_roster(text, path.name)
