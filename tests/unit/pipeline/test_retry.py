"""What becomes of an entry that failed."""

from __future__ import annotations

import pytest

from service.errors import (
    AccessError,
    HeldBackError,
    LookedTooSoonError,
    PayloadError,
    RefusedError,
    ThrottledError,
    TokenError,
    UnavailableError,
)
from service.pipeline.retry import GiveUp, Reason, RetryLimits, Wait, decide_retry

LIMITS = RetryLimits(attempts_max=5, doomed_attempts_max=2, first_wait_s=1, wait_max_s=8)


@pytest.mark.parametrize(
    ("error", "attempt", "verdict"),
    [
        (UnavailableError("away"), 0, Wait(seconds=1)),
        (UnavailableError("away"), 3, Wait(seconds=8)),
        (UnavailableError("away"), 4, GiveUp(reason=Reason.UNAVAILABLE)),
        (ThrottledError("slow", retry_after_s=42.5), 0, Wait(seconds=43.5)),
        (ThrottledError("slow", retry_after_s=10**9), 0, Wait(seconds=3601)),
        (ThrottledError("slow"), 1, Wait(seconds=2)),
        (ThrottledError("slow"), 4, GiveUp(reason=Reason.THROTTLED)),
        (TokenError("none"), 1, Wait(seconds=2)),
        (TokenError("none"), 4, GiveUp(reason=Reason.NO_TOKEN)),
        (AccessError("no"), 0, Wait(seconds=1)),
        (AccessError("no"), 1, GiveUp(reason=Reason.NO_ACCESS)),
        (AccessError("no", status=403), 1, GiveUp(reason=Reason.NO_ACCESS)),
        (AccessError("token", status=401), 3, Wait(seconds=8)),
        (AccessError("token", status=401), 4, GiveUp(reason=Reason.NO_ACCESS)),
        (RefusedError("no"), 1, GiveUp(reason=Reason.REFUSED)),
        (PayloadError("id", "text"), 1, GiveUp(reason=Reason.UNREADABLE)),
        (KeyError("bug"), 0, Wait(seconds=1)),
        (KeyError("bug"), 1, GiveUp(reason=Reason.UNEXPECTED)),
        (LookedTooSoonError("same second"), 99, Wait(seconds=1.1)),
        (HeldBackError("not sent", retry_after_s=30), 99, Wait(seconds=31, is_try=False)),
        (HeldBackError("not sent", retry_after_s=10**9), 99, Wait(seconds=3601, is_try=False)),
    ],
)
def test_each_error_waits_as_long_as_it_helps(error: Exception, attempt: int, verdict: Wait | GiveUp) -> None:
    assert decide_retry(error, attempt, limits=LIMITS, jitter=lambda: 1.0) == verdict


def test_jitter_spreads_the_waits_over_half_of_their_length() -> None:
    shortest = decide_retry(UnavailableError("away"), 2, limits=LIMITS, jitter=lambda: 0.0)
    assert shortest == Wait(seconds=2)
