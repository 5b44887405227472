"""What Graph remembers of our keepers: whether the state in Redis is an older one than they had. Pure.

A process that ran remembers how far the state had come. One that begins beside a restored backup has Graph
alone to ask: a subscription that was renewed long after any keeper led, by what Redis says, was renewed by a
keeper of which this Redis knows nothing. Must never take what a crash leaves behind for evidence: what was
done in Graph and not written down was done while a keeper led.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from service.ports import GraphSubscription
from service.subscriptions.records import SubscriptionRecord


def find_latest_renewal(
    ours: Iterable[GraphSubscription],
    records: Iterable[SubscriptionRecord],
    *,
    asked_s: float,
    now: datetime,
) -> datetime | None:
    """Give the latest moment at which one of ours was made or renewed without our records knowing it.

    Reckoned from its end and the lifetime that it was granted, which is what we ask for where it is not
    known. None where there is none, or where lifetimes are others by now, so that nothing can be said.
    """
    known = {record.id: record for record in records if record.id}
    moments: list[datetime] = []
    for one in ours:
        record = known.get(one.id)
        if record is not None and (record.expires_at is None or one.expires_at <= record.expires_at):
            continue
        lifetime_s = record.lifetime_s if record is not None else asked_s
        moments.append(one.expires_at - timedelta(seconds=lifetime_s))
    return max((moment for moment in moments if moment <= now), default=None)


def choose_for_evidence(
    records: Mapping[str, SubscriptionRecord], *, now: datetime, interval_s: float
) -> str | None:
    """Give the resource whose renewal is to show that a keeper led; None where one was renewed lately.

    The one that was touched the longest ago, so that all take turns.
    """
    living = [
        (max(record.created_at, record.renewed_at or record.created_at), name)
        for name, record in records.items()
        if record.created_at is not None and record.is_alive(now) and record.fault is None
    ]
    if not living or now - max(living)[0] < timedelta(seconds=interval_s):
        return None
    return min(living)[1]
