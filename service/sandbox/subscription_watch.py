"""What a subscription may watch, and for how long. No I/O.

Must never let a caller watch what its token does not reach.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from service.sandbox.item_options import Test, read_expand, spell_select
from service.sandbox.people import User
from service.sandbox.registration import Application
from service.sandbox.subscription_book import Watch
from service.sandbox.subscription_resource import ResourcePath, refuse_operation
from service.sandbox.wire import Caller, GraphFault
from service.sandbox.world import World

LIFETIME_MAX: Final = timedelta(minutes=10_080)
RICH_LIFETIME_MAX: Final = timedelta(minutes=1_440)
LIFETIME_FLOOR: Final = timedelta(minutes=45)
_PERMISSIONS: Final = {
    "message": frozenset({"Mail.Read", "Mail.ReadBasic", "Mail.ReadBasic.All"}),
    "event": frozenset({"Calendars.Read"}),
}


def grant_lifetime(asked: datetime, now: datetime, *, is_rich: bool, cap_s: float | None) -> datetime:
    """Give the expiry that is granted: no less than 45 minutes, no more than the kind allows.

    Args:
        cap_s: grant no more than this, below the floor too; None for Graph's own rules.

    Raises:
        GraphFault: 400 beyond the maximum.

    Source: https://learn.microsoft.com/graph/api/resources/subscription#subscription-lifetime
    """
    longest = RICH_LIFETIME_MAX if is_rich else LIFETIME_MAX
    if asked > now + longest:
        minutes = int(longest.total_seconds() // 60)
        raise GraphFault(
            400, "ExtensionError", f"Subscription expiration can only be {minutes} minutes in the future."
        )
    granted = max(asked, now + LIFETIME_FLOOR)
    return granted if cap_s is None else min(granted, now + timedelta(seconds=cap_s))


class WatchFinder:
    """Finds what the resource of a subscription means."""

    def __init__(self, *, world: World, application: Application) -> None:
        self._world = world
        self._application = application

    def find_matching(self, watch: Watch, test: Test | None) -> set[str]:
        """Give the items that match a filter when the subscription begins."""
        if test is None:
            return set()
        box = self._world.mailbox(watch.user_id)
        held: dict[str, Any] = dict(box.messages) if watch.kind == "message" else dict(box.events)
        return {
            item_id
            for item_id, item in held.items()
            if watch.covers(getattr(item, "folder_id", "")) and test(item)
        }

    def resolve(self, path: ResourcePath, caller: Caller) -> Watch:
        """Find the mailbox and folder, and check that the caller may watch it.

        Raises:
            GraphFault: 400, 403, 404, wrapped as Outlook's errors are.
        """
        if path.user is None and caller.user_id is None:
            raise refuse_operation("Create", 400, "The resource 'me' needs a signed-in user.")
        user = self._find_user(path.user or str(caller.user_id))
        self._admit(path, user, caller)
        try:
            box = self._world.mailbox(user.id)
            folder_id = "" if path.folder is None else box.find_folder(path.folder).id
        except GraphFault as fault:
            raise refuse_operation("Create", fault.status, fault.message) from fault
        return Watch(
            user_id=user.id,
            kind=path.kind,
            folder_id=folder_id,
            select=spell_select(path),
            expand=self._read_expand(path),
            filter=path.options.get("$filter", ""),
        )

    def _read_expand(self, path: ResourcePath) -> str:
        expand = read_expand(path)
        if expand and not self._world.beliefs.extended_in_subscriptions:
            raise refuse_operation("Create", 400, "Parsing Select and Expand failed.")
        return expand

    def _find_user(self, id_or_address: str) -> User:
        try:
            return self._world.find_user(id_or_address)
        except GraphFault as fault:
            raise refuse_operation("Create", fault.status, fault.message) from fault

    def _admit(self, path: ResourcePath, user: User, caller: Caller) -> None:
        """Check permissions: application permissions reach every mailbox, a person's only the own one.

        Source: https://learn.microsoft.com/graph/api/subscription-post-subscriptions#permissions
        """
        if not _PERMISSIONS[path.kind] & caller.permissions:
            raise refuse_operation("Create", 403, "Access is denied. Check credentials and try again.")
        if caller.user_id not in (None, user.id):
            raise refuse_operation("Create", 403, "Access is denied. Check credentials and try again.")
        if caller.user_id is None and user.id in self._application.denied_mailboxes:
            raise refuse_operation("Create", 403, "Access to OData is disabled.")
