"""The whole system read back from the pulse: who lives, and what was counted minute by minute. Only reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from service.pulse.record import ProcessRecord, decode_process
from service.streams.pulse import PulseReading

_BEATS_MISSED_MAX: Final = 3
_MS_PER_S: Final = 1_000
_SECONDS_PER_MINUTE: Final = 60


class PulseReader(Protocol):
    """The pulse as it is kept; raises `StreamError`."""

    async def read(self, minutes: list[int]) -> PulseReading: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process as it was last heard of.

    Attributes:
        heard_at: UTC, by Redis' clock.
        silent_s: since then, by the same clock.
    """

    name: str
    record: ProcessRecord
    heard_at: datetime
    silent_s: float

    @property
    def is_alive(self) -> bool:
        """Tell whether it told of itself as often as it should."""
        return self.silent_s <= self.record.interval_s * _BEATS_MISSED_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What all processes counted in one minute.

    Attributes:
        minute: since 1970.
        counts: by name, see `counting.py`; what is not there is 0. `lag_ms` and `waiting` are the greatest.
    """

    minute: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """The whole system at one moment.

    Attributes:
        at: UTC, by Redis' clock.
        minutes: the oldest first; the last one is still being counted.
    """

    at: datetime
    processes: tuple[Process, ...]
    minutes: tuple[Minute, ...]

    def count_alive(self) -> dict[str, int]:
        """Give how many living processes there are of each role."""
        counts = {"web": 0, "worker": 0, "keeper": 0}
        for process in self.processes:
            for role in process.record.roles if process.is_alive else ():
                counts[role] = counts.get(role, 0) + 1
        return counts

    def sum_up(self, name: str, *, minutes: int) -> int:
        """Give what was counted in the last so many minutes, the present one included."""
        return sum(one.counts.get(name, 0) for one in self.minutes[-minutes:])


async def read_vitals(pulse: PulseReader, now: datetime, *, minutes: int) -> Vitals:
    """Read the present minute and those before it.

    Args:
        minutes: how many.

    Raises:
        StreamError: Redis is away.
    """
    last = int(now.timestamp()) // _SECONDS_PER_MINUTE
    asked = list(range(last - minutes + 1, last + 1))
    reading = await pulse.read(asked)
    return Vitals(
        at=_to_moment(reading.now_ms),
        processes=tuple(_list_processes(reading)),
        minutes=tuple(
            Minute(minute=minute, counts=counts)
            for minute, counts in zip(asked, reading.minutes, strict=True)
        ),
    )


def _list_processes(reading: PulseReading) -> list[Process]:
    """Give the processes whose record this release can read; another release may write others."""
    found = []
    for heard in reading.processes:
        try:
            record = decode_process(heard.text)
        except msgspec.DecodeError:
            continue
        silent_s = max(reading.now_ms - heard.at_ms, 0) / _MS_PER_S
        found.append(
            Process(name=heard.name, record=record, heard_at=_to_moment(heard.at_ms), silent_s=silent_s)
        )
    return found


def _to_moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / _MS_PER_S, UTC)
