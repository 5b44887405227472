"""Has looked at again, at once, what waited for somebody to sign in. Decides nothing else."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

from service.clock import Clock
from service.reconcile.model import OwnerKey
from service.subscriptions.ledger import Ledger
from service.subscriptions.records import Fault, FaultKind
from service.subscriptions.schedule import Duty, DutyKind, Schedule
from service.subscriptions.subscribing import reading_of
from service.subscriptions.watch import Watch

_WAITED: Final = (FaultKind.SIGN_IN, FaultKind.ACCESS)


def nobody() -> Hashable:
    """Give what never changes: nobody signs in."""
    return None


class SignedIn:
    """Notices that somebody signed in.

    Args:
        logins: gives something that differs once somebody did so.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        watch: Watch,
        schedule: Schedule,
        clock: Clock,
        logins: Callable[[], Hashable] = nobody,
    ) -> None:
        self._ledger = ledger
        self._watch = watch
        self._schedule = schedule
        self._clock = clock
        self._logins = logins
        self._seen: Hashable = None

    def begin_term(self) -> None:
        """Take it that somebody may have signed in since."""
        self._seen = None

    def look(self) -> None:
        """Look, and bring forward what may go better now."""
        logins = self._logins()
        if logins == self._seen:
            return
        self._seen = logins
        self._bring_owners_forward()
        self._bring_resources_forward()

    def _bring_owners_forward(self) -> None:
        """Look owners up who could not be, and those of whom somebody is known by address alone."""
        for address, progress in self._ledger.progress.items():
            owner = self._ledger.owners.get(progress.key or OwnerKey(""))
            known = (owner.key, *owner.inboxes) if owner else ()
            if _has_waited(progress.fault) or any("@" in key for key in known):
                self._bring_forward(Duty(DutyKind.RESOLVE, address))

    def _bring_resources_forward(self) -> None:
        for name, resource in self._watch.resources.items():
            subscription, mailbox = self._ledger.subscriptions.get(name), self._ledger.mailboxes.get(name)
            if subscription is not None and _has_waited(subscription.fault):
                self._bring_forward(Duty(DutyKind.SUBSCRIBE, name))
            if mailbox is not None and _has_waited(mailbox.fault):
                self._bring_forward(reading_of(resource, name))

    def _bring_forward(self, duty: Duty) -> None:
        self._schedule.bring_forward(duty, self._clock.now())


def _has_waited(fault: Fault | None) -> bool:
    return fault is not None and fault.kind in _WAITED
