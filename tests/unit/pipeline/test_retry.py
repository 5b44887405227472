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
from service.pipeline.retry import GiveUp, Reason, RetryLimits, Wait, decide_retry, format_tries, parse_tries

LIMITS = RetryLimits(attempts_max=5, doomed_attempts_max=2, first_wait_s=1, wait_max_s=8)


@pytest.mark.parametrize(
    ("error", "attempt", "verdict"),
    [
        (UnavailableError("away"), 0, Wait(seconds=1, counted=Reason.UNAVAILABLE)),
        (UnavailableError("away"), 3, Wait(seconds=8, counted=Reason.UNAVAILABLE)),
        (UnavailableError("away"), 4, GiveUp(reason=Reason.UNAVAILABLE)),
        (ThrottledError("slow", retry_after_s=42.5), 0, Wait(seconds=43.5, counted=Reason.THROTTLED)),
        (ThrottledError("slow", retry_after_s=10**9), 0, Wait(seconds=3601, counted=Reason.THROTTLED)),
        (ThrottledError("slow"), 1, Wait(seconds=2, counted=Reason.THROTTLED)),
        (ThrottledError("slow"), 4, GiveUp(reason=Reason.THROTTLED)),
        (TokenError("none"), 1, Wait(seconds=2, counted=Reason.NO_TOKEN)),
        (TokenError("none"), 4, GiveUp(reason=Reason.NO_TOKEN)),
        (AccessError("no"), 0, Wait(seconds=1, counted=Reason.NO_ACCESS)),
        (AccessError("no"), 1, GiveUp(reason=Reason.NO_ACCESS)),
        (AccessError("no", status=403), 1, GiveUp(reason=Reason.NO_ACCESS)),
        (AccessError("token", status=401), 3, Wait(seconds=8, counted=Reason.NO_ACCESS)),
        (AccessError("token", status=401), 4, GiveUp(reason=Reason.NO_ACCESS)),
        (RefusedError("no"), 1, GiveUp(reason=Reason.REFUSED)),
        (PayloadError("id", "text"), 1, GiveUp(reason=Reason.UNREADABLE)),
        (KeyError("bug"), 0, Wait(seconds=1, counted=Reason.UNEXPECTED)),
        (KeyError("bug"), 1, GiveUp(reason=Reason.UNEXPECTED)),
        (LookedTooSoonError("same second"), 99, Wait(seconds=1.1)),
        (HeldBackError("not sent", retry_after_s=30), 99, Wait(seconds=31)),
        (HeldBackError("not sent", retry_after_s=10**9), 99, Wait(seconds=3601)),
    ],
)
def test_each_error_waits_as_long_as_it_helps(error: Exception, attempt: int, verdict: Wait | GiveUp) -> None:
    tries = dict.fromkeys(Reason, attempt)
    assert decide_retry(error, tries, limits=LIMITS, jitter=lambda: 1.0) == verdict


@pytest.mark.parametrize(
    "error", [AccessError("no", status=403), PayloadError("id", "text"), KeyError("bug")]
)
def test_failures_of_other_kinds_use_up_no_try(error: Exception) -> None:
    others = {Reason.THROTTLED: 3, Reason.UNAVAILABLE: 4}
    verdict = decide_retry(error, others, limits=LIMITS, jitter=lambda: 1.0)
    assert isinstance(verdict, Wait)
    assert verdict.counted is not None
    again = {**others, verdict.counted: 1}
    assert decide_retry(error, again, limits=LIMITS, jitter=lambda: 1.0) == GiveUp(reason=verdict.counted)


def test_tries_are_kept_as_text_and_what_cannot_be_read_counts_for_nothing() -> None:
    tries = {Reason.THROTTLED: 3, Reason.NO_ACCESS: 1}
    assert parse_tries(format_tries(tries)) == tries
    assert parse_tries("throttled:3 bored:2 refused:-1 unreadable: no_access:1 :") == tries
    assert parse_tries("") == {}


def test_jitter_spreads_the_waits_over_half_of_their_length() -> None:
    tries = {Reason.UNAVAILABLE: 2}
    shortest = decide_retry(UnavailableError("away"), tries, limits=LIMITS, jitter=lambda: 0.0)
    assert shortest == Wait(seconds=2, counted=Reason.UNAVAILABLE)
