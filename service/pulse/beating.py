"""The loop in which a process tells of itself, and keeps some things in order. Never holds up the work.

What could not be told, because Redis was away, is told with the next beat.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from service.clock import Clock, OtherClock
from service.errors import ServiceError, StreamError
from service.metrics import Metrics
from service.pulse.counting import MinuteCounts, to_ms
from service.pulse.record import ProcessRecord, encode_process
from service.streams.intake_stream import IntakeDepth
from service.streams.pulse import RedisPulse

_LOG: Final = structlog.get_logger(__name__)
_SECONDS_PER_MINUTE: Final = 60
_MS_PER_S: Final = 1_000
_REASON_MAX: Final = 300

Probe = Callable[[], Awaitable[str]]
"""Tells why a role is not ready; empty where it is."""
Chore = Callable[[], Awaitable[object]]
"""Something small to be done from time to time. May raise `StreamError`."""


class Measurable(Protocol):
    """The intake stream, as far as it is measured; raises `StreamError`."""

    async def measure(self) -> IntakeDepth: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseLimits:
    """Bounds of the loop.

    Attributes:
        interval_s: between two beats.
        timeout_s: for each probe, each chore, and for a beat.
    """

    interval_s: float = 5.0
    timeout_s: float = 2.0


class Beating:
    """Tells of one process until it is cancelled."""

    def __init__(
        self,
        pulse: RedisPulse,
        *,
        name: str,
        version: str,
        probes: Mapping[str, Probe],
        private: frozenset[str],
        intake: Measurable,
        metrics: Metrics,
        clock: Clock,
        chores: tuple[Chore, ...] = (),
        limits: PulseLimits | None = None,
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            probes: by role; every role of the process has one.
            private: roles whose reasons name people, so that only the fact is told.
            chores: done once a minute.
        """
        self._pulse = pulse
        self._name = name
        self._version = version
        self._probes = dict(probes)
        self._private = private
        self._intake = intake
        self._metrics = metrics
        self._clock = clock
        self._chores = chores
        self._limits = limits or PulseLimits()
        self._counts = MinuteCounts(metrics)
        self._started_at = clock.now()
        self._redis_clock = OtherClock(clock)
        self._is_told = True

    async def run(self) -> None:
        """Beat until cancelled; then say that the process ends."""
        minute = 0
        try:
            while True:
                await self.beat()
                if minute != (minute := self._minute()):
                    await self._do_chores()
                await self._clock.sleep(self._limits.interval_s)
        finally:
            await self._leave()

    async def beat(self) -> None:
        """Tell once. Redis being away is told in the log, the first time of each outage."""
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                await self._tell()
        except (StreamError, TimeoutError) as error:
            if self._is_told:
                _LOG.warning("pulse.lost", error=str(error) or "no answer in time")
            self._is_told = False
        else:
            self._is_told = True

    async def _tell(self) -> None:
        sums, totals = self._counts.look()
        record = await self._describe()
        depth = await self._intake.measure()
        now_ms = await self._pulse.beat(
            self._name,
            encode_process(record),
            minute=self._minute(),
            sums=sums,
            maxima=self._measure(depth),
        )
        self._counts.take(totals)
        self._redis_clock.note(datetime.fromtimestamp(now_ms / _MS_PER_S, UTC))
        self._metrics.clock_ahead.labels("redis").set_function(self._redis_clock.reckon_ahead_s)

    def _measure(self, depth: IntakeDepth) -> dict[str, int]:
        now_s = self._clock.now().timestamp()
        oldest_s = max(now_s - depth.oldest_ms / _MS_PER_S, 0.0) if depth.oldest_ms is not None else 0.0
        return {"lag_ms": to_ms(oldest_s), "waiting": depth.entries}

    async def _describe(self) -> ProcessRecord:
        metrics = self._metrics
        reasons = await asyncio.gather(*(self._ask(role) for role in self._probes))
        return ProcessRecord(
            roles=tuple(self._probes),
            started_at=self._started_at,
            version=self._version,
            interval_s=self._limits.interval_s,
            unready={role: why for role, why in zip(self._probes, reasons, strict=True) if why},
            in_flight=_read_gauge(metrics.entries_in_flight),
            graph_in_flight=_read_gauge(metrics.graph_in_flight),
            is_leader=bool(_read_gauge(metrics.is_leader)),
            clocks={
                sample.labels["clock"]: round(sample.value, 3)
                for family in metrics.clock_ahead.collect()
                for sample in family.samples
                if math.isfinite(sample.value)
            },
            token_expires_at_s=_read_gauge(metrics.token_expires),
        )

    async def _ask(self, role: str) -> str:
        try:
            async with asyncio.timeout(self._limits.timeout_s / 2):
                reason = await self._probes[role]()
        except TimeoutError:
            reason = "no answer in time"
        except ServiceError as error:
            reason = str(error) or type(error).__name__
        if reason and role in self._private:
            return "not every mailbox is watched yet"
        return reason[:_REASON_MAX]

    async def _do_chores(self) -> None:
        for chore in self._chores:
            try:
                async with asyncio.timeout(self._limits.timeout_s):
                    await chore()
            except (StreamError, TimeoutError) as error:
                _LOG.debug("pulse.chore_failed", error=str(error) or "no answer in time")

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                await self._pulse.leave(self._name)
        except (StreamError, TimeoutError) as error:
            _LOG.debug("pulse.chore_failed", error=str(error) or "no answer in time")

    def _minute(self) -> int:
        return int(self._clock.now().timestamp()) // _SECONDS_PER_MINUTE


def _read_gauge(gauge: object) -> int:
    (family,) = gauge.collect()  # type: ignore[attr-defined]
    return int(family.samples[0].value)
