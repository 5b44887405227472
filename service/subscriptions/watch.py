"""Which resources are watched, and for whom. No I/O; a change costs time in proportion to one owner.

A resource is watched as long as one owner needs it: a delegate's inbox may serve many.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.intake.client_state import ResourceKind, WatchedResource
from service.reconcile.model import OwnerKey
from service.roster import WatchedOwner
from service.subscriptions.resources import list_owner_resources, name_resource


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchChange:
    """What became of resources when an owner changed; names, in order.

    Attributes:
        gained: not watched before.
        lost: nobody needs them any more.
        joined: watched before for others, now for this owner too.
    """

    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()


class Watch:
    """Resources and the owners that each serves.

    Attributes:
        resources: all that is watched, by name.

    Args:
        messages: which messages of a mailbox are watched, `INBOX` or `MAILBOX_MESSAGES`.
    """

    def __init__(self, *, messages: ResourceKind = ResourceKind.INBOX) -> None:
        self._messages = messages
        self._served: dict[str, set[OwnerKey]] = {}
        self._names: dict[OwnerKey, tuple[str, ...]] = {}
        self.resources: dict[str, WatchedResource] = {}

    def owners_of(self, name: str) -> frozenset[OwnerKey]:
        """Give the owners that a resource serves; may be empty."""
        return frozenset(self._served.get(name, ()))

    def names_of(self, owner: OwnerKey) -> tuple[str, ...]:
        """Give the resources of an owner, inboxes first, the calendar last; none for an unknown one."""
        return self._names.get(owner, ())

    def put(self, owner: WatchedOwner) -> WatchChange:
        """Take an owner as they are now."""
        needed = {name_resource(one): one for one in list_owner_resources(owner, self._messages)}
        before = self.names_of(owner.key)
        gained = tuple(name for name in needed if name not in self.resources)
        joined = tuple(name for name in needed if name in self.resources and name not in before)
        for name, resource in needed.items():
            self.resources[name] = resource
            self._served.setdefault(name, set()).add(owner.key)
        lost = self._leave(owner.key, [name for name in before if name not in needed])
        self._names[owner.key] = tuple(needed)
        return WatchChange(gained=gained, lost=lost, joined=joined)

    def drop(self, owner: OwnerKey) -> WatchChange:
        """Forget an owner; an unknown one is fine."""
        return WatchChange(lost=self._leave(owner, self._names.pop(owner, ())))

    def clear(self) -> None:
        """Forget everything."""
        self._served.clear()
        self._names.clear()
        self.resources.clear()

    def _leave(self, owner: OwnerKey, names: tuple[str, ...] | list[str]) -> tuple[str, ...]:
        for name in names:
            self._served[name].discard(owner)
        lost = tuple(name for name in names if not self._served[name])
        for name in lost:
            del self._served[name], self.resources[name]
        return lost
