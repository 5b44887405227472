"""Whether a mailbox's notifications stay away although things change in it. Pure; trusts no silence.

A sweep that finds something shows that something changed since the sweep before. If no notification has come
since then, and none comes within the longest time that Graph takes, the subscription is dead.

Source: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from service.subscriptions.records import MailboxRecord, SubscriptionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceLimits:
    """When silence is called so.

    Attributes:
        after_s: how long a notification may be late; Graph names three minutes for Outlook.
        slack_s: how much older the note of the last notification may be than the notification.
    """

    after_s: float = 300.0
    slack_s: float = 15.0


def is_notification_due(record: MailboxRecord, held: SubscriptionRecord | None) -> bool:
    """Tell whether notifications should have announced all that changed since the last complete round.

    Not of a mailbox that could not be read meanwhile, nor where no subscription has lived since that round:
    what a sweep then finds says nothing against the way to PUBLIC_URL.

    Args:
        record: as it stands before the round.
        held: None where there was never a subscription.
    """
    if record.fault is not None or held is None or held.fault is not None or not held.id:
        return False
    if held.created_at is None or record.complete_at is None:
        return True
    return held.created_at <= record.complete_at


def judge_silence(
    record: MailboxRecord,
    *,
    changed_after: datetime | None,
    has_found: bool,
    heard_at: datetime | None,
    now: datetime,
    limits: SilenceLimits,
) -> MailboxRecord:
    """Give the record after a complete round.

    Args:
        changed_after: start of the round before; what was found changed after it. None: not known.
        has_found: the round brought items, ordinary mail included.
        heard_at: when the subscription last brought a notification; None where it never did.
    """
    if record.is_silent and record.unheard_since is None and heard_at is not None:
        record = replace(record, is_silent=False)
    if record.unheard_since is None and has_found and changed_after is not None:
        record = replace(record, unheard_since=changed_after, unheard_noticed_at=now)
    if record.unheard_since is None or record.unheard_noticed_at is None:
        return record
    if heard_at is not None and heard_at >= record.unheard_since - timedelta(seconds=limits.slack_s):
        return replace(record, unheard_since=None, unheard_noticed_at=None, is_silent=False)
    if now - record.unheard_noticed_at >= timedelta(seconds=limits.after_s):
        return replace(record, unheard_since=None, unheard_noticed_at=None, is_silent=True)
    return record
