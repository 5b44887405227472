"""What the log line and the span of an entry say of it. Pure: both are made of what is given.

Of mail that is no answer to a watched meeting nothing is logged, not even its id: what names an item, an
owner or a meeting is told only where a meeting was found.
"""

from __future__ import annotations

from typing import Final

from service.entries import IntakeEntry, Kind
from service.pipeline.outcomes import Processed
from service.ports import Delivered
from service.tracing.spans import Value

_ITEMS: Final = {Kind.MESSAGE: "message_id", Kind.EVENT: "event_id"}
Loggable = str | int | list[str]


def tell_story(entry: IntakeEntry, processed: Processed) -> dict[str, Loggable]:
    """Give the keys of the line, in order; those that do not apply are left out.

    `updates` is always there: an empty list says that nothing was published.
    """
    found: dict[str, Loggable] = {}
    if processed.meeting:
        found |= {"owner": processed.owner, "meeting": processed.meeting, "facts": processed.facts}
        if item := _ITEMS.get(entry.kind):
            found[item] = entry.item
    found["subscription_id"] = entry.subscription
    found["lifecycle"] = entry.lifecycle
    found["skipped"] = list(processed.skipped)
    found["forgery"] = processed.forgery
    return {**{name: told for name, told in found.items() if told}, "updates": list(processed.updates)}


def describe_try(delivered: Delivered, entry: IntakeEntry, *, attempts: int) -> dict[str, Value]:
    """Give what the span of one try says from its beginning."""
    return {
        "messaging.system": "redis",
        "messaging.message.id": delivered.id,
        "response_sync.kind": str(entry.kind),
        "response_sync.origin": str(entry.origin),
        "response_sync.attempt": attempts,
        "response_sync.deliveries": delivered.deliveries,
    }
