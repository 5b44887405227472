"""What waited for somebody to sign in is tried at once when somebody did, and nothing else is."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from datetime import timedelta

from service.reconcile.matching import normalize_address
from service.reconcile.model import MailboxKey, OwnerKey
from service.roster import WatchedOwner
from service.subscriptions.ledger import Ledger
from service.subscriptions.records import Fault, FaultKind, MailboxRecord, OwnerProgress, SubscriptionRecord
from service.subscriptions.schedule import Duty, DutyKind, Schedule
from service.subscriptions.signed_in import SignedIn
from service.subscriptions.watch import Watch
from tests.unit.subscriptions.fakes import START, MemoryRecords, VirtualClock

LATER = START + timedelta(hours=1)
ALEX = WatchedOwner(
    key=OwnerKey("id-alex"),
    roster_address=normalize_address("alex@contoso.com"),
    address="alex@contoso.com",
    name="Alex",
    inboxes=(MailboxKey("id-adele"),),
    is_baselined=True,
)
INBOX, CALENDAR = "inbox/id-adele", "calendar/id-alex"
DUTIES = {
    "look up": Duty(DutyKind.RESOLVE, ALEX.roster_address),
    "subscribe": Duty(DutyKind.SUBSCRIBE, INBOX),
    "read inbox": Duty(DutyKind.READ_MESSAGES, INBOX),
    "read calendar": Duty(DutyKind.READ_EVENTS, CALENDAR),
}


class Stage:
    """A ledger with Alex in it, each of his duties due in an hour, and a count of sign-ins."""

    def __init__(self, owner: WatchedOwner = ALEX) -> None:
        self.ledger = Ledger(MemoryRecords(), fence=lambda: 1)
        self.ledger.owners[owner.key] = owner
        self.ledger.progress[owner.roster_address] = OwnerProgress(added_at=START, key=owner.key)
        watch = Watch()
        watch.put(owner)
        self.schedule = Schedule()
        self.logins: Hashable = 1
        self.signed_in = SignedIn(
            ledger=self.ledger,
            watch=watch,
            schedule=self.schedule,
            clock=VirtualClock(),
            logins=lambda: self.logins,
        )
        self.wait()

    def wait(self) -> None:
        """Set each duty to be due in an hour."""
        for duty in DUTIES.values():
            self.schedule.set(duty, LATER)

    def look(self) -> set[str]:
        """Look; gives what is due now."""
        self.signed_in.look()
        return {name for name, duty in DUTIES.items() if self.schedule.due_at(duty) != LATER}


def fault(kind: FaultKind) -> Fault:
    return Fault(kind=kind, words="w", attempts=1, since=START, retry_at=LATER)


def test_nothing_is_tried_earlier_where_nothing_waited() -> None:
    assert Stage().look() == set()


def test_what_failed_for_want_of_a_sign_in_or_of_leave_is_tried_at_once() -> None:
    for kind in (FaultKind.SIGN_IN, FaultKind.ACCESS):
        stage = Stage()
        stage.ledger.subscriptions[INBOX] = SubscriptionRecord(fault=fault(kind))
        stage.ledger.mailboxes[CALENDAR] = MailboxRecord(fault=fault(kind))
        assert stage.look() == {"subscribe", "read calendar"}


def test_what_failed_for_another_reason_waits_its_time() -> None:
    stage = Stage()
    for kind in (FaultKind.PASSING, FaultKind.ABSENT, FaultKind.HANDSHAKE):
        stage.ledger.subscriptions[INBOX] = SubscriptionRecord(fault=fault(kind))
        stage.ledger.mailboxes[INBOX] = MailboxRecord(fault=fault(kind))
        stage.logins = kind
        assert stage.look() == set()


def test_an_owner_who_could_not_be_looked_up_is_looked_up_at_once() -> None:
    stage = Stage()
    progress = stage.ledger.progress[ALEX.roster_address]
    stage.ledger.progress[ALEX.roster_address] = replace(progress, fault=fault(FaultKind.SIGN_IN))
    assert stage.look() == {"look up"}


def test_an_owner_of_whom_somebody_is_known_by_address_alone_is_looked_up_again() -> None:
    assert Stage(replace(ALEX, inboxes=(MailboxKey("adele@contoso.com"),))).look() == {"look up"}


def test_it_is_looked_once_per_sign_in_and_once_per_term() -> None:
    stage = Stage()
    stage.ledger.subscriptions[INBOX] = SubscriptionRecord(fault=fault(FaultKind.SIGN_IN))
    assert stage.look() == {"subscribe"}
    stage.wait()
    assert stage.look() == set(), "nobody signed in since"
    stage.logins = 2
    assert stage.look() == {"subscribe"}
    stage.wait()
    stage.signed_in.begin_term()
    assert stage.look() == {"subscribe"}
