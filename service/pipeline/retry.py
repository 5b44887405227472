"""The only place that decides on waiting: an error and the tries so far -> wait, or give up. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from service.entries import IntakeEntry
from service.errors import (
    AccessError,
    GoneError,
    GraphError,
    HeldBackError,
    LookedTooSoonError,
    PayloadError,
    RefusedError,
    SigningKeysError,
    ThrottledError,
    TokenError,
)


class Reason(StrEnum):
    """Why an entry went to the dead letters; a closed list."""

    MALFORMED = "malformed"
    UNREADABLE = "unreadable"
    REFUSED = "refused"
    NO_ACCESS = "no_access"
    NO_TOKEN = "no_token"  # noqa: S105 - a word, not a secret
    NO_SIGNING_KEYS = "no_signing_keys"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLimits:
    """Bounds of retrying.

    Attributes:
        attempts_max: tries while Graph is away or throttles.
        doomed_attempts_max: tries where waiting seldom helps (no access, refused, unreadable, unexpected).
        first_wait_s, wait_max_s: the wait doubles between the two.
        retry_after_max_s: Graph's own wish is honoured up to this.
    """

    attempts_max: int = 20
    doomed_attempts_max: int = 4
    first_wait_s: float = 0.5
    wait_max_s: float = 300
    retry_after_max_s: float = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Try again after so many seconds.

    Attributes:
        counted: for which reason a try failed, of which there are so many; None where a request never went,
            or waiting is certain to help.
    """

    seconds: float
    counted: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Do not try again; `reason` goes to the dead letters."""

    reason: Reason


_REASONS: Final = frozenset(Reason)
_CLASSES: Final = (
    (PayloadError, Reason.UNREADABLE, False),
    (ThrottledError, Reason.THROTTLED, True),
    (AccessError, Reason.NO_ACCESS, False),
    (RefusedError, Reason.REFUSED, False),
    (GoneError, Reason.REFUSED, False),
    (GraphError, Reason.UNAVAILABLE, True),
    (TokenError, Reason.NO_TOKEN, True),
    (SigningKeysError, Reason.NO_SIGNING_KEYS, True),
)


def decide_retry(
    error: Exception, tries: Mapping[Reason, int], *, limits: RetryLimits, jitter: Callable[[], float]
) -> Wait | GiveUp:
    """Decide what becomes of an entry whose processing failed.

    Each reason has a counter of its own: who was throttled often is not given up at the first refusal.

    Args:
        tries: how many failed before this one, by reason.
        jitter: gives a number from 0 to 1, anew each time.

    Source: https://learn.microsoft.com/graph/throttling
    """
    if isinstance(error, HeldBackError):
        return Wait(seconds=_honour(error.retry_after_s or 0, limits, jitter))
    if isinstance(error, LookedTooSoonError):
        return Wait(seconds=1.1)
    reason, attempts_max = _classify(error, limits)
    attempt = tries.get(reason, 0)
    if attempt + 1 >= attempts_max:
        return GiveUp(reason=reason)
    backoff_s = min(limits.first_wait_s * 2**attempt, limits.wait_max_s)
    wait_s = backoff_s * (0.5 + jitter() / 2)
    if isinstance(error, ThrottledError | SigningKeysError) and error.retry_after_s is not None:
        wait_s = _honour(error.retry_after_s, limits, jitter)
    return Wait(seconds=wait_s, counted=reason)


def parse_tries(text: str) -> dict[Reason, int]:
    """Read how often an entry failed, by reason; what cannot be read counts for nothing."""
    words = (word.partition(":") for word in text.split())
    return {Reason(name): int(count) for name, _, count in words if name in _REASONS and count.isdecimal()}


def format_tries(tries: Mapping[Reason, int]) -> str:
    """Give the text in which tries are kept with an entry."""
    return " ".join(f"{reason}:{count}" for reason, count in tries.items())


def _honour(asked_s: float, limits: RetryLimits, jitter: Callable[[], float]) -> float:
    return max(min(asked_s, limits.retry_after_max_s), 0) + jitter() * limits.first_wait_s


def _classify(error: Exception, limits: RetryLimits) -> tuple[Reason, int]:
    if isinstance(error, AccessError) and error.status == 401:
        return Reason.NO_ACCESS, limits.attempts_max  # the token, not the mailbox: that one gives 403
    for kind, reason, waiting_helps in _CLASSES:
        if isinstance(error, kind):
            return reason, limits.attempts_max if waiting_helps else limits.doomed_attempts_max
    return Reason.UNEXPECTED, limits.doomed_attempts_max


def count_attempts(entry: IntakeEntry) -> int:
    """Tell how often it was tried to process an entry."""
    return int(entry.attempt) if entry.attempt.isdecimal() else 0


def count_try(entry: IntakeEntry, tries: Mapping[Reason, int], reason: Reason | None) -> IntakeEntry:
    """Give the entry for its next try; without a reason what failed was no try."""
    if reason is None:
        return entry
    counted = {**tries, reason: tries.get(reason, 0) + 1}
    return replace(entry, attempt=str(count_attempts(entry) + 1), tries=format_tries(counted))
