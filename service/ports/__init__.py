"""What the loops (pipeline, subscriptions, web) need from outside, as Protocols and plain values.

`graph`, `streams` and `intake` implement these and do not know one another; only `bootstrap` joins them.
"""

from __future__ import annotations

from service.ports.graph import (
    DeliveryOption,
    DeltaItem,
    DeltaPage,
    DeltaReader,
    Directory,
    DirectoryPerson,
    GraphSubscription,
    Look,
    MailboxReader,
    NotifiedReader,
    SubscriptionApi,
    SubscriptionSpec,
    Told,
)
from service.ports.redis import (
    Book,
    Commit,
    Committed,
    Delivered,
    Generation,
    IntakeStream,
    Lease,
    OutgoingUpdate,
    Records,
    StateStore,
    StoredMeeting,
    TimerChange,
)

__all__ = [
    "Book",
    "Commit",
    "Committed",
    "Delivered",
    "DeliveryOption",
    "DeltaItem",
    "DeltaPage",
    "DeltaReader",
    "Directory",
    "DirectoryPerson",
    "Generation",
    "GraphSubscription",
    "IntakeStream",
    "Lease",
    "Look",
    "MailboxReader",
    "NotifiedReader",
    "OutgoingUpdate",
    "Records",
    "StateStore",
    "StoredMeeting",
    "SubscriptionApi",
    "SubscriptionSpec",
    "TimerChange",
    "Told",
]
