"""From an error of Graph to a fault in words, and to the wait before the next try. Pure; never waits itself.

The keeper retries for ever, ever more slowly; what a mailbox lacks never holds up the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from service.errors import (
    AccessError,
    ConflictError,
    GoneError,
    GraphError,
    RefusedError,
    ServiceError,
    SignInError,
    ThrottledError,
    TokenError,
)
from service.intake.client_state import MailboxKeyError
from service.subscriptions.plan import spread
from service.subscriptions.records import Fault, FaultKind

_ON_PREMISES: Final = ("mailboxnotenabledforrestapi", "not yet supported for this mailbox")
_KIND_BY_ERROR: Final = (
    (SignInError, FaultKind.SIGN_IN),
    (TokenError, FaultKind.CREDENTIAL),
    (GoneError, FaultKind.ABSENT),
    (ConflictError, FaultKind.REFUSED),
    (MailboxKeyError, FaultKind.REFUSED),
)
_WORDS: Final = {
    FaultKind.CREDENTIAL: "No access token: {message} {remedy}",
    FaultKind.SIGN_IN: "{message} {remedy}",
    FaultKind.ACCESS: (
        "Access denied ({cited}): give the application Mail.Read and Calendars.Read, and put this mailbox "
        "into the scope of its access policy or RBAC assignment."
    ),
    FaultKind.ABSENT: (
        "No mailbox in Exchange Online ({cited}): the address is wrong, the account has no licence, or the "
        "mailbox is on premises."
    ),
    FaultKind.QUOTA: (
        "The mailbox has its full number of subscriptions, those of all applications together ({cited}): "
        "delete some."
    ),
    FaultKind.HANDSHAKE: (
        "Graph did not reach PUBLIC_URL in its validation handshake ({cited}): is the address public, its "
        "certificate trusted, and `web` running?"
    ),
    FaultKind.REFUSED: "Graph refuses ({cited}): {message}",
    FaultKind.PASSING: "Did not work this time, is tried again ({cited}).",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How waits grow: doubled at each failure, never above the most.

    Attributes:
        passing_s, passing_max_s: for what goes away by itself, handshakes among it.
        lasting_s, lasting_max_s: for what somebody has to repair.
    """

    passing_s: float = 1.0
    passing_max_s: float = 30.0
    lasting_s: float = 30.0
    lasting_max_s: float = 3600.0


def build_fault(
    error: ServiceError, previous: Fault | None, *, subject: str, now: datetime, backoff: Backoff
) -> Fault:
    """Give the fault that stands after one more failure.

    Args:
        subject: name of the resource or owner; gives each its own place in the jitter.
    """
    kind = classify_fault(error)
    attempts = previous.attempts + 1 if previous else 1
    wait_s = reckon_wait(error, kind, attempts, subject=subject, backoff=backoff)
    return Fault(
        kind=kind,
        words=describe_fault(error, kind),
        attempts=attempts,
        since=previous.since if previous else now,
        retry_at=now + timedelta(seconds=wait_s),
    )


def classify_fault(error: ServiceError) -> FaultKind:
    """Tell which kind of fault an error is."""
    match error:
        case AccessError(status=401):
            return FaultKind.PASSING  # the token, not the mailbox; a mailbox that is closed gives 403
        case AccessError():
            return FaultKind.QUOTA if _is_quota(error) else FaultKind.ACCESS
        case RefusedError():
            return _classify_refusal(error)
        case _:
            plain = (kind for type_, kind in _KIND_BY_ERROR if isinstance(error, type_))
            return next(plain, FaultKind.PASSING)


def describe_fault(error: ServiceError, kind: FaultKind) -> str:
    """Say in words what is wrong and what to do."""
    remedy = error.remedy if isinstance(error, TokenError) else ""
    return _WORDS[kind].format(cited=_cite(error), message=str(error), remedy=remedy).strip()


def reckon_wait(
    error: ServiceError, kind: FaultKind, attempts: int, *, subject: str, backoff: Backoff
) -> float:
    """Give the seconds until the next try: Graph's own wish first, else doubled with jitter.

    Source: https://learn.microsoft.com/graph/throttling
    """
    is_lasting = kind.is_of_mailbox or kind is FaultKind.CREDENTIAL
    first_s, most_s = (
        (backoff.lasting_s, backoff.lasting_max_s)
        if is_lasting
        else (backoff.passing_s, backoff.passing_max_s)
    )
    doubled_s = min(first_s * 2.0 ** min(attempts - 1, 30), most_s)
    wait_s = doubled_s * (0.5 + 0.5 * spread(f"{subject}#{attempts}"))
    if isinstance(error, ThrottledError) and error.retry_after_s is not None:
        return max(error.retry_after_s, wait_s)
    return wait_s


def is_lifetime_refusal(error: RefusedError) -> bool:
    """Tell whether Graph found the asked lifetime too long; the limits differ by cloud and by year."""
    text = f"{error.code} {error}".casefold()
    return "expiration" in text and "validation" not in text


def _classify_refusal(error: RefusedError) -> FaultKind:
    text = f"{error.code} {error}".casefold()
    if "validation" in text or "validate" in text:
        return FaultKind.HANDSHAKE
    return FaultKind.ABSENT if any(code in text for code in _ON_PREMISES) else FaultKind.REFUSED


def _is_quota(error: AccessError) -> bool:
    """Tell a full mailbox from a closed one: only the message says it, and in no wording that is promised.

    Source: https://learn.microsoft.com/graph/change-notifications-overview#subscription-limits
    """
    text = f"{error.code} {error}".casefold()
    return any(word in text for word in ("quota", "limit", "maximum"))


def _cite(error: ServiceError) -> str:
    if not isinstance(error, GraphError):
        return type(error).__name__
    parts = (str(error.status) if error.status else "no answer", error.code, error.request_id)
    return " ".join(part for part in parts if part)
