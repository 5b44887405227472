"""How every watched resource stands, out of the books: for readiness, `subscriptions list` and the dashboard.

Pure: `status_reader.py` fetches the books.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from service.intake.client_state import ResourceKind
from service.ports import Book
from service.reconcile.instant import parse_instant
from service.reconcile.model import Address, MailboxKey, OwnerKey
from service.roster import (
    RosterEntry,
    WatchedOwner,
    decode_roster_entry,
    decode_watched_owner,
    name_mailboxes,
)
from service.sign_ins.record import (
    SignIn,
    SignInState,
    SignInStatus,
    SignInTerms,
    decode_sign_in,
    judge_sign_in,
)
from service.subscriptions.ledger import decode_book, decode_mailboxes_book
from service.subscriptions.records import (
    MailboxRecord,
    OwnerProgress,
    SubscriptionRecord,
    decode_subscription,
)
from service.subscriptions.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceStatus:
    """One watched resource.

    Attributes:
        name: such as `inbox/{mailbox key}`.
        mailbox: address of whose mailbox it is; the key where the address is not known.
        owners: addresses of the owners that it serves, in order.
        subscription_id: empty while there is none.
        left_s: seconds until the subscription ends; 0 where there is none or it has ended.
        heard_at: the last notification that the present subscription brought.
        staleness_s: seconds since all changes were known to be fed; None before the first round.
        is_silent: notifications stay away although things change, and none has come since.
        is_on_trial: it was made anew because of that, and nothing has shown yet whether it helped.
        is_full_round: a round that reads everything is under way.
        pages, items: how far the round under way is.
        full_at: start of the last complete full round; None before the first.
        deleted_at: when an operator ended the subscription; None where they did not.
        faults: what is wrong, in words; empty where nothing is.
        is_watchable: False where the mailbox itself cannot be watched.
        waits_for: what readiness waits for, in words; empty where for nothing.
        notices: what will be wrong soon, in words.
    """

    name: str
    mailbox: str
    owners: tuple[str, ...]
    subscription_id: str
    expires_at: datetime | None
    left_s: float
    heard_at: datetime | None
    staleness_s: float | None
    is_silent: bool
    is_on_trial: bool = False
    is_full_round: bool
    pages: int
    items: int
    full_at: datetime | None = None
    deleted_at: datetime | None = None
    faults: tuple[str, ...]
    is_watchable: bool
    waits_for: str
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerStatus:
    """One entry of the roster.

    Attributes:
        key: None while nobody was found.
        delegates_named: the entry names them; otherwise they are discovered.
        inboxes: keys of the mailboxes that are read for the owner.
        fault: what is wrong, in words; empty where nothing is.
        waits_for: what readiness waits for, in words; empty where for nothing.
    """

    roster_address: Address
    key: OwnerKey | None
    name: str
    delegates_named: bool
    inboxes: tuple[str, ...]
    is_baselined: bool
    fault: str
    waits_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperStatus:
    """All entries of the roster, all resources and all sign-ins, each in order."""

    owners: tuple[OwnerStatus, ...]
    resources: tuple[ResourceStatus, ...]
    sign_ins: tuple[SignInStatus, ...] = ()

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Give what readiness waits for, in words; faulty mailboxes hold nothing back."""
        lacks = [*(one.waits_for for one in self.owners), *(one.waits_for for one in self.resources)]
        return tuple(lack for lack in lacks if lack)

    @property
    def is_ready(self) -> bool:
        """Tell whether every mailbox that can be watched has its subscription and its baseline."""
        return not self.waits_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The records from which a status is made."""

    roster: Mapping[Address, RosterEntry]
    owners: Mapping[OwnerKey, WatchedOwner]
    subscriptions: Mapping[str, SubscriptionRecord]
    mailboxes: Mapping[str, MailboxRecord]
    progress: Mapping[Address, OwnerProgress]
    notified: Mapping[str, str]
    sign_ins: Mapping[str, SignIn] = field(default_factory=dict)


def build_status(
    books: Books,
    *,
    now: datetime,
    messages: ResourceKind = ResourceKind.INBOX,
    terms: SignInTerms | None = None,
) -> KeeperStatus:
    """Put the books together."""
    terms = terms or SignInTerms()
    watch = Watch(messages=messages)
    for owner in books.owners.values():
        if owner.roster_address in books.roster:
            watch.put(owner)
    addresses = name_mailboxes(books.owners.values())
    judged = tuple(judge_sign_in(one, now=now, terms=terms) for _, one in sorted(books.sign_ins.items()))
    ending = [one for one in judged if one.state is not SignInState.GOOD]
    return KeeperStatus(
        owners=tuple(_describe_owner(books, address) for address in sorted(books.roster)),
        resources=tuple(
            _describe_resource(books, watch, name, now=now, ending=ending, addresses=addresses)
            for name in sorted(watch.resources)
        ),
        sign_ins=judged,
    )


def _describe_owner(books: Books, address: Address) -> OwnerStatus:
    progress = books.progress.get(address)
    key = progress.key if progress else None
    owner = books.owners.get(key) if key is not None else None
    fault = progress.fault if progress else None
    words = owner.fault if owner and owner.fault else fault.words if fault else ""
    is_excused = bool(owner and owner.fault) or bool(fault and fault.kind.is_of_mailbox)
    waits_for = ""
    if not is_excused and (owner is None or not owner.is_baselined):
        lack = "not looked up yet" if owner is None else "baseline not complete"
        waits_for = f"{address}: {lack}" + (f" ({words})" if words else "")
    return OwnerStatus(
        roster_address=address,
        key=key,
        name=owner.name if owner else "",
        delegates_named=books.roster[address].delegates is not None,
        inboxes=owner.inboxes if owner else (),
        is_baselined=owner is not None and owner.is_baselined,
        fault=words,
        waits_for=waits_for,
    )


def _describe_resource(
    books: Books,
    watch: Watch,
    name: str,
    *,
    now: datetime,
    ending: Sequence[SignInStatus],
    addresses: Mapping[MailboxKey, str],
) -> ResourceStatus:
    subscription = books.subscriptions.get(name, SubscriptionRecord())
    mailbox = books.mailboxes.get(name, MailboxRecord())
    faults = [fault for fault in (subscription.fault, mailbox.fault) if fault is not None]
    is_watchable = not any(fault.kind.is_of_mailbox for fault in faults)
    under_way = mailbox.round
    ends_at = subscription.expires_at if subscription.is_alive(now) else None
    heard_at = _read_instant(books.notified.get(subscription.id, ""))
    is_silent = mailbox.is_silent and not _is_heard_since(mailbox, heard_at)
    return ResourceStatus(
        name=name,
        mailbox=addresses.get(watch.resources[name].mailbox, name.partition("/")[2]),
        owners=tuple(sorted(books.owners[key].address for key in watch.owners_of(name))),
        subscription_id=subscription.id,
        expires_at=subscription.expires_at,
        left_s=(ends_at - now).total_seconds() if ends_at else 0.0,
        heard_at=heard_at,
        staleness_s=(now - mailbox.complete_at).total_seconds() if mailbox.complete_at else None,
        is_silent=is_silent,
        is_on_trial=is_silent and mailbox.unheard_since is None and heard_at is None,
        is_full_round=under_way is not None and under_way.is_full,
        pages=under_way.pages if under_way else 0,
        items=under_way.items if under_way else 0,
        full_at=mailbox.full_at,
        deleted_at=subscription.deleted_at,
        faults=tuple(dict.fromkeys(fault.words for fault in faults)),
        is_watchable=is_watchable,
        waits_for=_name_lack(name, subscription, mailbox, now) if is_watchable else "",
        notices=_list_notices(name, ending),
    )


def _is_heard_since(mailbox: MailboxRecord, heard_at: datetime | None) -> bool:
    """Tell whether a notification came since the last round, which is the one that judged."""
    return heard_at is not None and mailbox.complete_at is not None and heard_at > mailbox.complete_at


def _list_notices(name: str, ending: Sequence[SignInStatus]) -> tuple[str, ...]:
    """Say that the sign-in of whose mailbox it is will end soon."""
    mailbox = name.partition("/")[2]
    return tuple(one.words for one in ending if one.sign_in.is_of(mailbox))[:1]


def _name_lack(name: str, subscription: SubscriptionRecord, mailbox: MailboxRecord, now: datetime) -> str:
    if not subscription.is_alive(now) and subscription.deleted_at is None:
        return f"{name}: no subscription" + (f" ({subscription.fault.words})" if subscription.fault else "")
    if mailbox.full_at is None:
        return f"{name}: not read yet" + (f" ({mailbox.fault.words})" if mailbox.fault else "")
    return ""


def _read_instant(text: str) -> datetime | None:
    try:
        return parse_instant(text).to_datetime() if text else None
    except ValueError:
        return None


def decode_books(texts: Mapping[Book, Mapping[str, str]]) -> Books:
    """Read the books from what Redis holds of them, each record by its name.

    Records of a newer version that we cannot read are left out.
    """
    mailboxes, progress = decode_mailboxes_book(texts[Book.MAILBOXES])
    return Books(
        roster={
            Address(name): entry
            for name, entry in decode_book(texts[Book.ROSTER], decode_roster_entry).items()
        },
        owners={
            OwnerKey(key): owner
            for key, owner in decode_book(texts[Book.OWNERS], decode_watched_owner).items()
        },
        subscriptions=decode_book(texts[Book.SUBSCRIPTIONS], decode_subscription),
        mailboxes=mailboxes,
        progress=progress,
        notified=texts[Book.NOTIFIED],
        sign_ins=decode_book(texts[Book.SIGN_INS], decode_sign_in),
    )
