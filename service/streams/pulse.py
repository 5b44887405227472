"""What every process tells of itself in Redis, so that any can show the whole: who lives, what was counted.

Sums are kept per minute, over all processes; both kinds of key are bounded and go away by themselves. Must
never hold what names a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.streams.keys import KeyNames
from service.streams.link import RedisLink, load_script, to_duration_ms

_BEAT: Final = load_script("beat")
_READ: Final = load_script("read_pulse")
_MINUTE_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The last that was heard of a process.

    Attributes:
        at_ms: when, Redis' clock.
        text: its record.
    """

    name: str
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseReading:
    """All that is told, at one moment.

    Attributes:
        now_ms: that moment, Redis' clock.
        processes: by name.
        minutes: one per minute that was asked for, in that order; empty where nothing was counted.
    """

    now_ms: int
    processes: tuple[Heard, ...]
    minutes: tuple[Mapping[str, int], ...]


class RedisPulse:
    """Writes and reads the pulse. Every method raises `StreamError`."""

    def __init__(
        self,
        link: RedisLink,
        keys: KeyNames,
        *,
        forget_s: float = 600,
        processes_max: int = 200,
        minutes_kept: int = 60,
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            forget_s: a process that was silent for so long is shown no more.
            processes_max: more are not noted.
            minutes_kept: for how many minutes sums are kept.
        """
        self._link = link
        self._keys = keys
        self._forget_ms = to_duration_ms(forget_s)
        self._processes_max = processes_max
        self._minutes_kept_ms = to_duration_ms((minutes_kept + 2) * _MINUTE_S)

    async def beat(
        self, name: str, text: str, *, minute: int, sums: Mapping[str, int], maxima: Mapping[str, int]
    ) -> int:
        """Note that a process lives, and add what it counted since its last beat; gives Redis' time in ms.

        Args:
            minute: since 1970, in which it was counted.
            maxima: of these the greatest of the minute is kept.
        """
        flat = [part for numbers in (sums, maxima) for item in numbers.items() for part in item]
        reply = await self._link.run(
            _BEAT,
            [self._keys.processes, self._keys.minute(minute)],
            [
                name,
                text,
                self._forget_ms,
                self._processes_max,
                self._minutes_kept_ms,
                len(sums),
                *flat,
            ],
        )
        return int(reply)

    async def leave(self, name: str) -> None:
        """Forget a process that ends as it should."""
        await self._link.call("HDEL", self._keys.processes, name)

    async def read(self, minutes: Sequence[int]) -> PulseReading:
        """Give who lives, and what was counted in these minutes."""
        keys = [self._keys.processes, *(self._keys.minute(one) for one in minutes)]
        now_ms, processes, *counted = await self._link.run(_READ, keys, [])
        return PulseReading(
            now_ms=int(now_ms),
            processes=tuple(_read_processes(processes)),
            minutes=tuple(
                {name: int(number) for name, number in zip(flat[::2], flat[1::2], strict=True)}
                for flat in counted
            ),
        )


def _read_processes(flat: Sequence[Any]) -> list[Heard]:
    found = []
    for name, held in sorted(zip(flat[::2], flat[1::2], strict=True)):
        at_ms, _, text = held.partition(" ")
        found.append(Heard(name=name, at_ms=int(at_ms), text=text))
    return found
