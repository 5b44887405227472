"""Which entries must follow one another: those of inboxes and calendars that meet in an owner. Pure.

Entries of one lane are committed in the order of the intake stream, so that no answer is skipped because a
later one overtook it. Lanes do not wait for one another.
"""

from __future__ import annotations

from service.entries import IntakeEntry, Kind
from service.reconcile.model import MailboxKey, OwnerKey
from service.roster import WatchList


def lanes_of(watch: WatchList) -> dict[str, str]:
    """Give each mailbox and owner key its lane: the least key that it is connected with."""
    lane: dict[str, str] = {}

    def root(key: str) -> str:
        while lane.setdefault(key, key) != key:
            lane[key] = lane[lane[key]]
            key = lane[key]
        return key

    for owner in watch.owners.values():
        for inbox in owner.inboxes or (MailboxKey(owner.key),):
            low, high = sorted((root(owner.key), root(inbox)))
            lane[high] = low
    return {key: root(key) for key in lane}


def lane_of(entry: IntakeEntry, lanes: dict[str, str]) -> str:
    """Give the lane of an entry; a mailbox that nobody watches is a lane of its own."""
    is_of_owner = entry.kind in (Kind.DUE, Kind.SNAPSHOT)
    key = OwnerKey(entry.owner) if is_of_owner else MailboxKey(entry.mailbox)
    return lanes.get(key, key)
