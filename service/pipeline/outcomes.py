"""How the processing of an entry ended; a closed list, fit for metric labels and log lines."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """What became of an entry."""

    PUBLISHED = "published"
    JOINED = "joined"
    NOT_A_RESPONSE = "not_a_response"
    NOT_OURS = "not_ours"
    NOT_WATCHED = "not_watched"
    NOT_ORGANIZER = "not_organizer"
    NOT_TALLIED = "not_tallied"
    BY_ORGANIZER = "by_organizer"
    UNMATCHED = "unmatched"
    MESSAGE_GONE = "message_gone"
    NEVER_KNOWN = "never_known"
    ALREADY_KNOWN = "already_known"
    TIMER_STALE = "timer_stale"
    LIFECYCLE = "lifecycle"
    FORGED = "forged"
    SPREAD = "spread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """The whole story of one entry.

    Attributes:
        updates: types of the updates it published, in order; may be empty.
        forgery: why nothing vouches for a forged notification; empty for others.
        owner, meeting: keys of what it was about; empty where nothing was found that is watched.
        facts: how many joined.
        skipped: why answers were found that will never be published, one word for each; may be empty.
    """

    ending: Ending
    updates: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    forgery: str = ""
    owner: str = ""
    meeting: str = ""
    facts: int = 0
