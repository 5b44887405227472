"""What `check` and readiness ask of the server: version, eviction, persistence, whether it takes writes.

Must never change anything on the server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from service.errors import StreamError
from service.streams.keys import KeyNames
from service.streams.link import RedisLink

VERSION_MIN: Final = (7, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """A server as it describes itself; None where it does not say, as hosted ones may not.

    Attributes:
        product: `redis` or `valkey`.
        version: of the product.
        eviction: `maxmemory-policy`; only `noeviction` never loses state.
        is_append_only: writes go to the append-only file.
        fsync: `always`, `everysec` or `no`.
        has_snapshots: RDB files are written by some rule.
        replicas: connected now.
        used_bytes, limit_bytes: memory; a limit of 0 is none.
    """

    product: str
    version: tuple[int, ...]
    eviction: str | None
    is_append_only: bool | None
    fsync: str | None
    has_snapshots: bool | None
    replicas: int
    used_bytes: int
    limit_bytes: int

    @property
    def is_supported(self) -> bool:
        return self.version >= VERSION_MIN

    @property
    def can_wait_for_disk(self) -> bool:
        """Tell whether the server has WAITAOF: Valkey, and Redis from 7.2 on."""
        return self.version >= (7, 2)


async def fetch_server_facts(link: RedisLink, keys: KeyNames) -> ServerFacts:
    """Ask the server that holds the intake stream.

    Raises:
        StreamError: Redis is away, or the user may not ask INFO.
    """
    info = await link.call_at(keys.intake, "INFO")
    settings = [
        await _fetch_setting(link, keys, name)
        for name in ("maxmemory-policy", "appendonly", "appendfsync", "save")
    ]
    eviction, append_only, fsync, save = settings
    product = "valkey" if "valkey_version" in info else "redis"
    return ServerFacts(
        product=product,
        version=_parse_version(str(info[f"{product}_version"])),
        eviction=eviction or info.get("maxmemory_policy"),
        is_append_only=bool(info["aof_enabled"]) if "aof_enabled" in info else _is_yes(append_only),
        fsync=fsync,
        has_snapshots=None if save is None else bool(save),
        replicas=int(info.get("connected_slaves", 0)),
        used_bytes=int(info.get("used_memory", 0)),
        limit_bytes=int(info.get("maxmemory", 0)),
    )


async def fetch_server_time(link: RedisLink, keys: KeyNames) -> datetime:
    """Ask for the server's time, UTC, by which epochs are counted.

    Raises:
        StreamError: Redis is away.

    Source: https://redis.io/docs/latest/commands/time/
    """
    seconds, microseconds = await link.call_at(keys.intake, "TIME")
    return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(microseconds))


async def probe_writes(link: RedisLink, keys: KeyNames) -> str:
    """Tell whether Redis takes writes now: empty if so, else why not. Writes nothing.

    SETRANGE with an empty value is refused whenever a write would be, and makes no key.
    Source: https://redis.io/docs/latest/commands/setrange/
    """
    try:
        await link.call("SETRANGE", keys.probe, 0, "")
    except StreamError as error:
        return str(error)
    return ""


async def _fetch_setting(link: RedisLink, keys: KeyNames, name: str) -> str | None:
    """Ask for one setting; None where the server does not tell, as hosted ones may not."""
    try:
        answer: dict[str, Any] = await link.call_at(keys.intake, "CONFIG GET", name)
    except StreamError:
        return None
    return answer.get(name)


def _is_yes(text: str | None) -> bool | None:
    return None if text is None else text == "yes"


def _parse_version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
