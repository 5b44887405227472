"""What each reason of a dead letter means, and what to do about it. Pure.

README lists the same table; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from service.pipeline.retry import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """A reason in words.

    Attributes:
        words: what happened.
        remedy: one sentence that says what to do.
    """

    words: str
    remedy: str


MEANINGS: Final[Mapping[Reason, Meaning]] = {
    Reason.MALFORMED: Meaning(
        words="the entry is none of ours: somebody else wrote into the intake stream, or a later release did",
        remedy="Find who writes there, then drop it; it cannot be requeued.",
    ),
    Reason.UNREADABLE: Meaning(
        words="Graph's answer has a shape that cannot be read",
        remedy="Report the detail as a defect, and requeue once the release that reads it runs.",
    ),
    Reason.REFUSED: Meaning(
        words="Graph refused the request, or what was asked for is gone",
        remedy="Drop it if the item was deleted; else requeue it once what the detail says is put right.",
    ),
    Reason.NO_ACCESS: Meaning(
        words="Graph denies access to the mailbox",
        remedy="Give consent or widen the scope (`response-sync check` says which), then requeue.",
    ),
    Reason.NO_TOKEN: Meaning(
        words="no access token was to be had",
        remedy="Renew the credential, or let the person sign in (see `response-sync check`); then requeue.",
    ),
    Reason.NO_SIGNING_KEYS: Meaning(
        words="the keys that sign validation tokens of rich notifications could not be fetched",
        remedy="Repair the way to AUTHORITY_URL (`response-sync check`), then requeue.",
    ),
    Reason.THROTTLED: Meaning(
        words="Graph asked to wait at every try",
        remedy="Requeue when Graph throttles no more; lower GRAPH_REQUESTS_MAX if it comes back.",
    ),
    Reason.UNAVAILABLE: Meaning(
        words="Graph was away at every try",
        remedy="Requeue when Graph is back.",
    ),
    Reason.UNEXPECTED: Meaning(
        words="an error that nobody foresaw, or an entry at which workers died",
        remedy="Report the detail as a defect; requeue it once, and drop it if it comes back.",
    ),
}


def explain_reason(word: str) -> Meaning:
    """Give the meaning of a reason as it was stored; one of another release is said to be unknown."""
    try:
        return MEANINGS[Reason(word)]
    except ValueError:
        return Meaning(
            words="a reason that this release does not know",
            remedy="Look at it with the release that wrote it.",
        )
