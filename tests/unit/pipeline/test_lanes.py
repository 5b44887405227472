"""Entries that can touch the same owner follow one another; others do not wait."""

from __future__ import annotations

from service.entries import IntakeEntry, Kind, Origin
from service.pipeline.lanes import lane_of, lanes_of
from service.reconcile.model import Address, MailboxKey, OwnerKey
from service.roster import WatchedOwner, build_watch_list


def owner(key: str, *inboxes: str) -> WatchedOwner:
    return WatchedOwner(
        key=OwnerKey(key),
        roster_address=Address(key),
        address=key,
        name=key,
        inboxes=tuple(MailboxKey(inbox) for inbox in inboxes),
    )


def entry(kind: Kind, mailbox: str = "", owner_key: str = "") -> IntakeEntry:
    return IntakeEntry(kind=kind, origin=Origin.NOTIFICATION, mailbox=mailbox, owner=owner_key)


def test_an_owner_and_all_inboxes_that_serve_them_share_a_lane() -> None:
    lanes = lanes_of(
        build_watch_list([owner("alex", "adele", "zoe"), owner("bob", "zoe"), owner("carl", "c")])
    )
    shared = {
        lane_of(entry(Kind.MESSAGE, "adele"), lanes),
        lane_of(entry(Kind.MESSAGE, "zoe"), lanes),
        lane_of(entry(Kind.EVENT, "alex"), lanes),
        lane_of(entry(Kind.EVENT, "bob"), lanes),
        lane_of(entry(Kind.DUE, owner_key="bob"), lanes),
        lane_of(entry(Kind.SNAPSHOT, owner_key="bob"), lanes),
    }
    assert len(shared) == 1
    assert lane_of(entry(Kind.EVENT, "carl"), lanes) not in shared


def test_a_mailbox_that_nobody_watches_is_a_lane_of_its_own() -> None:
    assert lane_of(entry(Kind.MESSAGE, "stranger"), {}) == "stranger"
