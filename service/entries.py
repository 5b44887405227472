"""What flows through the intake stream. Must never carry anything that a mail or an event says in plaintext.

One way in: a change notification, a lifecycle notification, a change found by a delta query, a timer
that ran out and a consumer's wish for a snapshot all become an `IntakeEntry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What an entry asks the worker to do."""

    MESSAGE = "message"
    EVENT = "event"
    LIFECYCLE = "lifecycle"
    DUE = "due"
    SNAPSHOT = "snapshot"


class Origin(StrEnum):
    """How an entry came to be."""

    NOTIFICATION = "notification"
    BASELINE = "baseline"
    SWEEP = "sweep"
    CATCH_UP = "catch-up"
    TIMER = "timer"
    REPLAY = "replay"
    CONSUMER = "consumer"


OF_ROUNDS: Final = frozenset({Origin.SWEEP, Origin.CATCH_UP, Origin.BASELINE})
"""Origins of what the keeper reads in rounds: messages as they were answered, events of primary calendars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeEntry:
    """One entry of the intake stream; every member is text, empty where it does not apply.

    Attributes:
        kind: what to do.
        origin: how the entry came to be; `baseline` makes first sight of a meeting a snapshot, `catch-up` is
            a sweep of what no notification could have announced.
        mailbox: key of the mailbox: its object id, or its address in normal form.
        item: Graph's id of the message or event, exactly as Graph gave it.
        change: `created`, `updated`, `deleted`; never trusted, a hint only.
        lifecycle: `missed`, `subscriptionRemoved` or `reauthorizationRequired` for lifecycle entries;
            `baselined`, a word of ours, follows the last entry of an owner's baseline.
        resource: of lifecycle entries, what is watched: `inbox`, `mailbox-messages`, `calendar`.
        subscription: id of the subscription that announced it.
        etag: the item's etag in the notification, if it had one.
        arrived_at: when we took it, RFC 3339 UTC.
        attempt: how many tries failed before this one, as decimal text.
        tries: the same by the reason of each failure, such as `throttled:3 no_access:1`.
        held_since: when an event was first put behind messages that waited with it, RFC 3339 UTC.
        owner, meeting, instance, attendee, pair: for `due` entries, the timer's subject; for `snapshot`
            entries, the owner alone, empty for every owner.
        traceparent: W3C trace context of the request that brought it.
        tenant: id of the tenant that the notification was for, lower case.
        content: `encryptedContent` of a rich notification as JSON: ciphertext.
        unread: why there is no `content` although the notification had some, one of `rich.unread.Unread`.
        tokens: digests of all validation tokens of the POST, between blanks; they lie beside the stream.
    """

    kind: Kind
    origin: Origin
    mailbox: str = ""
    item: str = ""
    change: str = ""
    lifecycle: str = ""
    resource: str = ""
    subscription: str = ""
    etag: str = ""
    arrived_at: str = ""
    attempt: str = "0"
    tries: str = ""
    held_since: str = ""
    owner: str = ""
    meeting: str = ""
    instance: str = ""
    attendee: str = ""
    pair: str = ""
    traceparent: str = ""
    tenant: str = ""
    content: str = ""
    unread: str = ""
    tokens: str = ""

    def to_fields(self) -> dict[str, str]:
        """Give the flat fields of the stream entry; members that are empty are left out."""
        return {name: str(value) for name in _NAMES if (value := getattr(self, name))}


CARRIED = frozenset({"tenant", "content", "unread", "tokens"})
"""What only rich notifications have; of use as long as the item is new."""
_NAMES = tuple(field.name for field in fields(IntakeEntry))


def parse_entry(flat: Mapping[str, str]) -> IntakeEntry:
    """Read an entry back from its flat fields; unknown fields are ignored.

    Raises:
        ValueError: `kind` or `origin` is missing or unknown.
    """
    known = {name: flat[name] for name in _NAMES if name in flat}
    try:
        kind, origin = Kind(known.pop("kind", "")), Origin(known.pop("origin", ""))
    except ValueError as error:
        raise ValueError(f"not an intake entry: {error}") from error
    return IntakeEntry(kind=kind, origin=origin, **known)
