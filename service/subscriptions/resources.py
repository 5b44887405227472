"""Names of what is watched, and which resources a watch list needs. Pure; must never build a URL."""

from __future__ import annotations

from service.intake.client_state import ResourceKind, WatchedResource
from service.reconcile.model import MailboxKey, OwnerKey
from service.roster import WatchList


def name_resource(resource: WatchedResource) -> str:
    """Give the name under which records about a resource are kept, such as `inbox/{mailbox key}`."""
    return f"{resource.kind}/{resource.mailbox}"


def parse_resource_name(name: str) -> WatchedResource:
    """Read a resource back from its name.

    Raises:
        ValueError: the text is no such name.
    """
    kind, _, mailbox = name.partition("/")
    if not mailbox:
        raise ValueError(f"not the name of a resource: {name[:40]!r}")
    return WatchedResource(kind=ResourceKind(kind), mailbox=MailboxKey(mailbox))


def calendar_of(owner: OwnerKey) -> WatchedResource:
    """Give the calendar of an owner."""
    return WatchedResource(kind=ResourceKind.CALENDAR, mailbox=MailboxKey(owner))


def list_resources(watch_list: WatchList, messages: ResourceKind) -> dict[str, WatchedResource]:
    """Give all that has to be watched, by name: every mailbox's messages once, then every calendar.

    Args:
        messages: which messages of a mailbox are watched, `INBOX` or `MAILBOX_MESSAGES`.
    """
    inboxes = [WatchedResource(kind=messages, mailbox=mailbox) for mailbox in watch_list.inboxes]
    calendars = [calendar_of(key) for key in sorted(watch_list.owners)]
    return {name_resource(resource): resource for resource in [*inboxes, *calendars]}


def list_owner_names(watch_list: WatchList, owner: OwnerKey, messages: ResourceKind) -> tuple[str, ...]:
    """Give the names of the resources that tell about one owner: inboxes first, the calendar last."""
    inboxes = sorted(watch_list.owners[owner].inboxes)
    names = [name_resource(WatchedResource(kind=messages, mailbox=mailbox)) for mailbox in inboxes]
    return (*names, name_resource(calendar_of(owner)))
