"""How long a subscription is asked to live: learnt from what Graph grants and from what it refuses. No I/O.

The limits differ by cloud, by year and by kind: 10,080 minutes today, 4,230 before, 1,440 with resource data.

Source: https://learn.microsoft.com/graph/api/resources/subscription
"""

from __future__ import annotations

from typing import Final

KNOWN_LIMITS_S: Final = (10_080 * 60.0, 4_230 * 60.0, 1_440 * 60.0, 60 * 60.0)
SHORTEST_S: Final = 45 * 60.0
"""Graph raises everything shorter to this."""


class Lifetimes:
    """What to ask for.

    Args:
        asked_s: the most that is ever asked for.
        margin_s: kept below every limit, because the clocks of two machines differ.
    """

    def __init__(self, *, asked_s: float, margin_s: float = 60.0) -> None:
        self._limit_s = asked_s
        self._margin_s = margin_s

    @property
    def ask_s(self) -> float:
        """Give the lifetime to ask for."""
        return max(self._limit_s - self._margin_s, self._limit_s / 2)

    def learn_refusal(self, refused_s: float) -> bool:
        """Take the next shorter limit that is known; tells whether there is one worth trying."""
        shorter = [limit for limit in KNOWN_LIMITS_S if limit - self._margin_s < refused_s]
        if not shorter:
            return False
        self._limit_s = min(self._limit_s, shorter[0])
        return self.ask_s < refused_s
