"""Builds the client for `REDIS_URL`: one server, the master that sentinels name, or a cluster.

The only file that knows redis-py's constructors. Must never wait without an end: connecting, each command
and each retry are bounded.

Source: https://redis.readthedocs.io/en/stable/connections.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlsplit, urlunsplit

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster, Sentinel, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import RedisClusterException, RedisError

from service.errors import ConfigError
from service.streams.link import Client, RedisLink, translate_error

_SENTINEL_PORT: Final = 26379
_CLUSTER_PORT: Final = 6379
_CLUSTER_RETRIES: Final = 3
_CLUSTER_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisTarget:
    """Where Redis is.

    Attributes:
        url: `redis://`, `rediss://` or `unix://`. With a sentinel or a cluster several `host:port` may stand
            where one does, separated by commas. Name and password are the server's; those of sentinels go
            into the query: `?sentinel_username=..&sentinel_password=..`.
        sentinel: name of the master that the sentinels watch; empty without sentinels.
        is_cluster: the servers are a cluster.
        ca_file: PEM file whose certificates are trusted beside the system's.
        sign_in: gives each connection its name and password in place of the URL's; not for sentinels.
    """

    url: str
    sentinel: str = ""
    is_cluster: bool = False
    ca_file: Path | None = None
    sign_in: CredentialProvider | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisLimits:
    """How long and how often is tried.

    Attributes:
        connect_timeout_s: for TCP and TLS.
        command_timeout_s: for one command, there and back.
        retries_max: more tries when a connection broke.
        connections_max: open at one time; who needs one more waits, at most `command_timeout_s`.
    """

    connect_timeout_s: float = 2.0
    command_timeout_s: float = 5.0
    retries_max: int = 3
    connections_max: int = 50


def connect(target: RedisTarget, limits: RedisLimits | None = None) -> RedisLink:
    """Build the link to Redis; nothing is sent before the first command.

    Raises:
        ConfigError: the URL cannot be used.
    """
    limits = limits or RedisLimits()
    try:
        client, *others = _build_clients(target, limits)
    except (ValueError, TypeError, RedisClusterException) as error:
        raise ConfigError([f"REDIS_URL cannot be used: {error}"]) from error
    return RedisLink(
        client,
        others=others,
        is_cluster=target.is_cluster,
        command_timeout_s=limits.command_timeout_s,
        retries_max=limits.retries_max,
    )


async def open_connection(link: RedisLink, key: str) -> AbstractConnection:
    """Open one connection of its own to the server that takes writes for a key; the caller closes it.

    Raises:
        StreamError: Redis is away.
    """
    client: Any = link.client
    connection: Any
    try:
        if link.is_cluster:
            # Sent for what it teaches the client: which server holds the slot now.
            await client.execute_command("EXISTS", key)
            node = client.get_node_from_key(key)
            connection = node.connection_class(**node.connection_kwargs)
        else:
            connection = client.connection_pool.make_connection()
        await connection.connect()
    except (RedisError, RedisClusterException, OSError) as error:
        raise translate_error(error) from error
    return cast(AbstractConnection, connection)


def _build_clients(target: RedisTarget, limits: RedisLimits) -> list[Client]:
    """Give the client that is used, and after it those that must be closed with it."""
    if target.is_cluster:
        return [_build_for_cluster(target, limits)]
    if target.sentinel:
        return _build_behind_sentinels(target, limits)
    options: dict[str, Any] = {**parse_url(target.url)}
    if options.get("connection_class") is SSLConnection:
        options |= _build_trust(target)
    options |= _build_options(limits) | _build_sign_in(target)
    pool = BlockingConnectionPool(**{**options, "timeout": limits.command_timeout_s})
    # An option of the URL that nobody knows shows only when a connection is built, so one is built.
    pool.connection_class(**pool.connection_kwargs)
    return [cast(Client, Redis.from_pool(pool))]


def _build_for_cluster(target: RedisTarget, limits: RedisLimits) -> Client:
    hosts, options = _split_url(target, _CLUSTER_PORT)
    nodes = [ClusterNode(host, port) for host, port in hosts]
    # Here a try is a look at who holds the slot now.
    # A server that does not answer must be noticed by the client library, before the link gives up.
    tries = {
        "retry": Retry(NoBackoff(), _CLUSTER_RETRIES),
        "socket_timeout": limits.command_timeout_s * _CLUSTER_SHARE,
    }
    options |= _build_options(limits) | _build_sign_in(target) | tries
    return cast(Client, RedisCluster(startup_nodes=nodes, **options))


def _build_behind_sentinels(target: RedisTarget, limits: RedisLimits) -> list[Client]:
    hosts, options = _split_url(target, _SENTINEL_PORT)
    query = parse_qs(urlsplit(target.url).query)
    credentials = {
        name: query[f"sentinel_{name}"][0] for name in ("username", "password") if f"sentinel_{name}" in query
    }
    trust = {name: value for name, value in options.items() if name.startswith("ssl")}
    patience = {
        "socket_connect_timeout": limits.connect_timeout_s,
        "socket_timeout": limits.connect_timeout_s,
        "retry": Retry(NoBackoff(), 0),
    }
    build: Any = Sentinel
    sentinel = build(
        hosts, sentinel_kwargs={**credentials, **trust, **patience}, **options, **_build_options(limits)
    )
    return [sentinel.master_for(target.sentinel), *sentinel.sentinels]


def _build_options(limits: RedisLimits) -> dict[str, Any]:
    return {
        "decode_responses": True,
        # Foreign bytes in a stream must not make it unreadable for ever.
        "encoding_errors": "replace",
        # Replies have the same shape in every version of the client library.
        "protocol": 2,
        "socket_connect_timeout": limits.connect_timeout_s,
        # The link bounds each command by itself; see there for what the client library's own limit does.
        "socket_timeout": None,
        # The link tries again by itself: the client library's own tries nest and multiply.
        "health_check_interval": 0,
        "max_connections": limits.connections_max,
        "retry": Retry(NoBackoff(), 0),
    }


def _build_sign_in(target: RedisTarget) -> dict[str, Any]:
    return {"credential_provider": target.sign_in} if target.sign_in else {}


def _build_trust(target: RedisTarget) -> dict[str, Any]:
    return {"ssl_ca_certs": str(target.ca_file)} if target.ca_file else {}


def _split_url(target: RedisTarget, default_port: int) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """Give the hosts that a URL lists, and all else that it says as options of the client.

    Raises:
        ValueError: a host or port cannot be read.
    """
    parts = urlsplit(target.url)
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError("sentinels and clusters are reached by redis:// or rediss://")
    user, _, listed = parts.netloc.rpartition("@")
    hosts = [_split_host(text, default_port) for text in listed.split(",")]
    alone = urlunsplit(("redis", f"{user}@h" if user else "h", parts.path, "", ""))
    options = {name: value for name, value in parse_url(alone).items() if name != "host"}
    if parts.scheme == "rediss":
        options |= {"ssl": True, **_build_trust(target)}
    return hosts, options


def _split_host(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text.strip()}")
    if not parts.hostname:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or default_port
