"""From the items of a delta page to entries of the intake stream. Pure; must never judge what an item says.

Messages are put in the order in which they were sent, over the whole round. Of a series only the master and
the exceptions are fed: a plain occurrence says nothing that its master does not say.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.entries import IntakeEntry, Kind, Origin
from service.ports import DeltaItem
from service.reconcile.model import EventType, MailboxKey
from service.subscriptions.records import MessageFound


def select_messages(items: Iterable[DeltaItem]) -> tuple[MessageFound, ...]:
    """Give the event messages of a page; ordinary mail and removed messages leave no trace."""
    return tuple(
        MessageFound(id=item.id, sent_ns=item.sent_at.ns if item.sent_at else 0, etag=item.etag)
        for item in items
        if item.is_event_message and not item.is_removed
    )


def build_message_entries(
    messages: Iterable[MessageFound], *, mailbox: MailboxKey, origin: Origin, arrived_at: str
) -> list[IntakeEntry]:
    """Give one entry per message, the earliest sent first; an item told twice counts as last told."""
    last = {message.id: message for message in messages}
    return [
        IntakeEntry(
            kind=Kind.MESSAGE,
            origin=origin,
            mailbox=mailbox,
            item=message.id,
            change="created",
            etag=message.etag,
            arrived_at=arrived_at,
        )
        for message in sorted(last.values(), key=lambda message: (message.sent_ns, message.id))
    ]


def build_event_entries(
    items: Iterable[DeltaItem], *, mailbox: MailboxKey, origin: Origin, arrived_at: str, fed: set[str]
) -> list[IntakeEntry]:
    """Give the entries of a calendar page: masters before their exceptions, each item once per round.

    Args:
        fed: series masters that this round has fed already; those of this page are added.

    Source: https://learn.microsoft.com/graph/delta-query-events
    """
    last = {item.id: item for item in items}
    entries: list[IntakeEntry] = []
    for item in last.values():
        for id_, change, etag in _list_reads(item):
            if id_ not in fed:
                entries.append(
                    IntakeEntry(
                        kind=Kind.EVENT,
                        origin=origin,
                        mailbox=mailbox,
                        item=id_,
                        change=change,
                        etag=etag,
                        arrived_at=arrived_at,
                    )
                )
                if id_ != item.id or item.event_type == EventType.SERIES:
                    fed.add(id_)
    return entries


def _list_reads(item: DeltaItem) -> list[tuple[str, str, str]]:
    """Give (id, change, etag) of all that has to be read because of one item."""
    if item.is_removed:
        return [(item.id, "deleted", "")]
    if not item.series_master_id:
        return [(item.id, "updated", item.etag)]
    master = (item.series_master_id, "updated", "")
    if item.event_type == EventType.OCCURRENCE:
        return [master]
    return [master, (item.id, "updated", item.etag)]
