"""Builds what is kept in Redis, and what reads and writes it. Nothing is sent before it is used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.limits.redis_side import take_redis_limits
from service.settings import Settings
from service.streams.connection import RedisTarget, connect
from service.streams.dead_letters import DeadLetters
from service.streams.due_list import DueList
from service.streams.generation import RedisGeneration
from service.streams.intake_stream import RedisIntakeStream
from service.streams.keys import KeyNames
from service.streams.lease import RedisLease
from service.streams.link import RedisLink
from service.streams.logins import RedisSignIns
from service.streams.pulse import RedisPulse
from service.streams.records import RedisRecords
from service.streams.sign_in import TokenSignIn
from service.streams.state import RedisStateStore
from service.streams.update_stream import UpdateStreamReader

_SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Everything that is kept in Redis, over one link."""

    link: RedisLink
    keys: KeyNames
    intake: RedisIntakeStream
    due_list: DueList
    dead_letters: DeadLetters
    states: RedisStateStore
    records: RedisRecords
    sign_ins: RedisSignIns
    lease: RedisLease
    generation: RedisGeneration
    updates: UpdateStreamReader
    pulse: RedisPulse


@asynccontextmanager
async def open_streams(settings: Settings) -> AsyncIterator[Streams]:
    """Build what is kept in Redis; nothing is sent before it is used.

    Raises:
        ConfigError: REDIS_URL cannot be used.
    """
    with _opened_sign_in(settings) as sign_in:
        target = RedisTarget(
            url=settings.redis_url.get_secret_value(),
            sentinel=settings.redis_sentinel,
            is_cluster=settings.redis_cluster,
            ca_file=Path(settings.ca_bundle) if settings.ca_bundle else None,
            sign_in=sign_in,
        )
        link = connect(target, take_redis_limits(settings))
        try:
            yield _build_streams(settings, link)
        finally:
            await link.aclose()


@contextmanager
def _opened_sign_in(settings: Settings) -> Iterator[TokenSignIn | None]:
    """Give what signs in with tokens; None where REDIS_URL holds name and password."""
    if not settings.redis_entra:
        yield None
        return
    from service.bootstrap.redis_sign_in import open_sign_in

    with open_sign_in(settings) as sign_in:
        yield sign_in


def _build_streams(settings: Settings, link: RedisLink) -> Streams:
    keys = KeyNames(stream=settings.stream, partitions=settings.partitions)
    due_list = DueList(link, keys)
    dead_letters = DeadLetters(
        link,
        keys,
        entries_max=settings.dead_letters_max,
        age_max_s=settings.dead_letter_days * _SECONDS_PER_DAY,
    )
    records = RedisRecords(link, keys)
    intake = RedisIntakeStream(link, keys, due_list=due_list, dead_letters=dead_letters)
    generation = RedisGeneration(link, keys, intake)
    return Streams(
        link=link,
        keys=keys,
        intake=intake,
        due_list=due_list,
        dead_letters=dead_letters,
        states=RedisStateStore(
            link,
            keys,
            stream_entries_max=settings.stream_maxlen,
            state_lifetime_min_s=settings.state_lifetime_min_s,
            forgotten_kept_s=settings.forgotten_kept_s,
            gone_kept_s=settings.gone_kept_s,
            seen=generation.seen,
        ),
        records=records,
        sign_ins=RedisSignIns(link, keys, records),
        lease=RedisLease(link, keys),
        generation=generation,
        updates=UpdateStreamReader(link, keys),
        pulse=RedisPulse(
            link,
            keys,
            forget_s=settings.pulse_forget_s,
            processes_max=settings.pulse_processes_max,
            minutes_kept=settings.pulse_minutes,
        ),
    )
