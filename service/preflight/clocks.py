"""How far clocks are apart, and whether that harms. No I/O.

A clock that is wrong spoils client assertions and TLS, and the times by which lateness and renewals are
decided.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from service.preflight.finding import Finding, fault, ok, warning

NOTICED_S: Final = 5.0
"""Beyond what a second's resolution and the way there and back explain; the dashboard tells from there on."""
HARMFUL_S: Final = 60.0
_REMEDY: Final = (
    "Let this machine take its time from NTP: it decides on renewals, on what is late, and on tokens."
)
_REDIS_REMEDY: Final = (
    "Let this machine and Redis' take their time from NTP; where `clock of Graph` agrees it is Redis' alone."
)


def judge_clock(name: str, theirs: datetime, ours: datetime) -> Finding:
    """Judge another clock by one look at it.

    Args:
        name: whose clock it is, such as `Graph`.
    """
    ahead_s = (theirs - ours).total_seconds()
    subject = f"clock of {name}"
    if abs(ahead_s) <= NOTICED_S:
        return ok(subject, "agrees with ours")
    side = "ahead of" if ahead_s > 0 else "behind"
    detail = f"{abs(ahead_s):.0f} s {side} ours"
    judge = fault if abs(ahead_s) > HARMFUL_S else warning
    return judge(subject, detail, _REMEDY if name == "Graph" else _REDIS_REMEDY)
