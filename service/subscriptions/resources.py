"""Names of what is watched, and which resources an owner needs. Pure; must never build a URL."""

from __future__ import annotations

from service.intake.client_state import ResourceKind, WatchedResource
from service.reconcile.model import MailboxKey, OwnerKey
from service.roster import WatchedOwner


def name_resource(resource: WatchedResource) -> str:
    """Give the name under which records about a resource are kept, such as `inbox/{mailbox key}`."""
    return f"{resource.kind}/{resource.mailbox}"


def calendar_of(owner: OwnerKey) -> WatchedResource:
    """Give the calendar of an owner."""
    return WatchedResource(kind=ResourceKind.CALENDAR, mailbox=MailboxKey(owner))


def list_owner_resources(owner: WatchedOwner, messages: ResourceKind) -> tuple[WatchedResource, ...]:
    """Give what has to be watched for one owner: inboxes first, the calendar last; none for a faulty one.

    Args:
        messages: which messages of a mailbox are watched, `INBOX` or `MAILBOX_MESSAGES`.
    """
    if owner.fault:
        return ()
    inboxes = [WatchedResource(kind=messages, mailbox=mailbox) for mailbox in sorted(owner.inboxes)]
    return (*inboxes, calendar_of(owner.key))
