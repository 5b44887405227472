"""All that is left to chance, drawn from one seed in the order in which it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Final, TypeVar

T = TypeVar("T")

_QUICK_S: Final = ((None, None, 0.0, 0.001, 0.02), (None, None, 0.1, 0.5))
_SLOW_S: Final = (None, 0.05, 0.3, 1.5)
"""None: nobody goes first."""


class Chance:
    """Draws; two with the same seed draw the same."""

    def __init__(self, seed: int | str) -> None:
        self.random = Random(seed)
        self._quick_s = self.random.choice(_QUICK_S)

    def happens(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def pick(self, among: Sequence[T]) -> T:
        return self.random.choice(among)

    def between(self, low: float, high: float) -> float:
        return self.random.uniform(low, high)

    def count(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    async def pause(self, *, is_long_way: bool = False) -> None:
        """Let others go first, or not: what two processes do at one time falls together anyhow."""
        pause_s = self.pick(_SLOW_S if is_long_way else self._quick_s)
        if pause_s is not None:
            await asyncio.sleep(pause_s)
