"""Looks at the whole system once: all that *Now* shows is in Redis, whoever serves the page. Only reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from service.cloud_events import Redactor
from service.dashboard.picture import build_outage, build_picture, encode_picture
from service.dashboard.troubles import Observed, redis_away
from service.errors import StreamError
from service.ports import Generation
from service.pulse.reading import Vitals
from service.streams.intake_stream import IntakeDepth
from service.streams.server_facts import ServerFacts
from service.subscriptions.status import KeeperStatus

_TIMEOUT_S: Final = 5.0


class Intake(Protocol):
    async def measure(self) -> IntakeDepth: ...


class Status(Protocol):
    async def read(self) -> KeeperStatus: ...


class Updates(Protocol):
    async def find_ends(self) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where everything is read; all of them raise `StreamError`."""

    vitals: Callable[[], Awaitable[Vitals]]
    facts: Callable[[], Awaitable[ServerFacts]]
    probe_writes: Callable[[], Awaitable[str]]
    intake: Intake
    status: Status
    generation: Generation
    updates: Updates


class Observer:
    """Gives the picture of the moment."""

    def __init__(
        self, sources: Sources, *, redactor: Redactor, sweep_interval_s: float, rows_max: int
    ) -> None:
        self._sources = sources
        self._redactor = redactor
        self._sweep_interval_s = sweep_interval_s
        self._rows_max = rows_max

    async def look(self) -> bytes:
        """Give the picture as JSON; where Redis is away, one that says so."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                seen, positions = await self._observe()
        except TimeoutError:
            return encode_picture(build_outage(redis_away(f"Redis did not answer within {_TIMEOUT_S:g} s.")))
        except StreamError as error:
            return encode_picture(build_outage(redis_away(str(error))))
        # Thousands of mailboxes take a while, in which this process has other things to do.
        return await asyncio.to_thread(self._draw, seen, positions)

    def _draw(self, seen: Observed, positions: Mapping[str, str]) -> bytes:
        return encode_picture(
            build_picture(seen, redactor=self._redactor, rows_max=self._rows_max, positions=positions)
        )

    async def _observe(self) -> tuple[Observed, Mapping[str, str]]:
        sources = self._sources
        seen = Observed(
            vitals=await sources.vitals(),
            depth=await sources.intake.measure(),
            status=await sources.status.read(),
            has_generation=await sources.generation.exists(),
            redis=await sources.facts(),
            refusal=await sources.probe_writes(),
            sweep_interval_s=self._sweep_interval_s,
        )
        return seen, await sources.updates.find_ends()
