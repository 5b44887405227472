"""Token, permissions and mailboxes, by the calls that the service itself makes; one page of each at most."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from service.clock import Clock
from service.errors import AccessError, GoneError, GraphError, ServiceError, TokenError
from service.graph.client import TokenSource
from service.ports import DeliveryOption, DeltaReader, Directory, DirectoryPerson, SubscriptionApi
from service.preflight.clocks import judge_clock
from service.preflight.finding import Finding, State, fault, ok, warning
from service.preflight.permissions import (
    CALENDARS,
    MAIL,
    SETTINGS,
    USERS,
    choose_remedy,
    cite,
    read_consented,
)
from service.reconcile.model import MailboxKey, OwnerKey
from service.roster import RosterEntry
from service.subscriptions.faults import classify_fault, describe_fault
from service.subscriptions.records import FaultKind
from service.subscriptions.resolve import choose_inboxes

_OF_A_PERSON: Final = {USERS: "User.Read"}
"""What a person is asked for in place of what an administrator consents to."""
_LOOK_AGAIN: Final = "Run check again; look at Graph's service health if it stays."


@dataclass(slots=True, kw_only=True)
class _Use:
    """How the calls for one permission went."""

    granted: int = 0
    denied: int = 0


class MailboxCheck:
    """Asks Graph what the service will ask; used once."""

    def __init__(
        self,
        *,
        tokens: TokenSource | None,
        directory: Directory,
        delta: DeltaReader,
        subscriptions: SubscriptionApi,
        clock: Clock,
        reads_whole_mailboxes: bool = False,
    ) -> None:
        """Prepare; nothing is asked.

        Args:
            tokens: the application's; None where it has none.
        """
        self._tokens = tokens
        self._directory = directory
        self._delta = delta
        self._subscriptions = subscriptions
        self._clock = clock
        self._reads_whole_mailboxes = reads_whole_mailboxes
        self._consented: frozenset[str] | None = None
        self._uses = {permission: _Use() for permission in (USERS, CALENDARS, SETTINGS, MAIL)}
        self._told_clock = False
        self._inboxes: set[MailboxKey] = set()

    async def check(self, roster: Iterable[RosterEntry]) -> AsyncIterator[Finding]:
        """Look at token, subscriptions, and each owner with their inboxes; stops where there is no token.

        Ends with a line for each permission that was used.
        """
        if self._tokens is not None:
            try:
                self._consented = read_consented(await self._tokens.fetch_token())
            except TokenError as error:
                yield fault("token", str(error), error.remedy or "Check tenant, client id and credential.")
                return
            yield ok("token", "acquired")
        yield await self._check_subscriptions()
        for entry in roster:
            async for finding in self._check_owner(entry):
                yield finding
        for permission, use in self._uses.items():
            if use.granted or use.denied:
                yield self._sum_up(permission, use)

    def _sum_up(self, permission: str, use: _Use) -> Finding:
        """Tell a permission that is missing from a mailbox that is kept from us."""
        asked_for = _OF_A_PERSON.get(permission, permission) if self._tokens is None else permission
        subject, calls = f"permission {asked_for}", use.granted + use.denied
        if not use.denied:
            return ok(subject, f"{calls} of {calls} calls were granted")
        detail = f"{use.denied} of {calls} calls were denied"
        remedy = self._choose_remedy(permission)
        if use.granted:
            remedy = (
                f"{permission} works for others: take the denied mailboxes into the scope of the access "
                "policy or RBAC assignment."
            )
        judge = fault if permission in (MAIL, CALENDARS) else warning
        return judge(subject, detail, remedy)

    def _choose_remedy(self, permission: str) -> str:
        """Give the one sentence that helps: an administrator's consent, or that of whose mailbox it is."""
        if self._tokens is not None:
            return choose_remedy(permission, self._consented)
        return (
            "Let this person sign in (`response-sync login ADDRESS`), with what is missing in SIGN_IN_SCOPES."
        )

    async def _check_subscriptions(self) -> Finding:
        try:
            held = await self._subscriptions.list_subscriptions()
        except (GraphError, TokenError) as error:
            return _explain("subscriptions", error)
        holder = "whoever signed in" if self._tokens is None else "the application"
        return ok("subscriptions", f"{len(held)} held by {holder}")

    async def _check_owner(self, entry: RosterEntry) -> AsyncIterator[Finding]:
        subject = f"owner {entry.address}"
        person, finding = await self._find_person(entry.address)
        yield finding
        if person is None:
            return
        async for finding in self._check_calendar(subject, person.key):
            yield finding
        names: dict[MailboxKey, str] = {person.key: str(entry.address)}
        yield await self._find_delegates(entry, person.key, names)
        delegates = [key for key in names if key != person.key]
        option, finding = await self._find_option(subject, person.key)
        yield finding
        whole = self._reads_whole_mailboxes
        for inbox in choose_inboxes(person.key, delegates, option, reads_whole_mailboxes=whole):
            if inbox not in self._inboxes:  # a delegate's inbox may serve many
                self._inboxes.add(inbox)
                yield await self._check_inbox(inbox, names)

    async def _find_person(self, address: str) -> tuple[DirectoryPerson | None, Finding]:
        """Give the person; known by the address alone where the directory may not be read."""
        subject = f"person {address}"
        try:
            person = await self._directory.find_person(address)
        except AccessError as error:
            self._uses[USERS].denied += 1
            key = MailboxKey(address)
            stand_in = DirectoryPerson(key=key, address=address, name="", aliases=())
            return stand_in, warning(
                subject,
                f"{cite(error)}: aliases and changed addresses are not recognised",
                self._choose_remedy(USERS),
            )
        except (GraphError, TokenError) as error:
            return None, _explain(subject, error)
        self._uses[USERS].granted += 1
        addresses = f"{len(person.aliases)} address{'' if len(person.aliases) == 1 else 'es'}"
        return person, ok(subject, f"{person.name}, {addresses}")

    async def _check_calendar(self, subject: str, key: MailboxKey) -> AsyncIterator[Finding]:
        """Read the calendar of a day, and the time of Graph with it, once."""
        subject, now = f"{subject}, calendar", self._clock.now()
        try:
            page = await self._delta.start_calendar(OwnerKey(key), start=now, end=now + timedelta(days=1))
        except (GraphError, TokenError) as error:
            yield self._deny(subject, error, CALENDARS)
            return
        self._uses[CALENDARS].granted += 1
        yield ok(subject, f"can be read ({CALENDARS})")
        if not self._told_clock:
            self._told_clock = True
            yield judge_clock("Graph", page.at.to_datetime(), self._clock.now())

    async def _find_delegates(
        self, entry: RosterEntry, key: MailboxKey, names: dict[MailboxKey, str]
    ) -> Finding:
        """Add the delegates' mailboxes and addresses to `names`."""
        subject = f"owner {entry.address}, delegates"
        try:
            addresses = entry.delegates
            if addresses is None:
                addresses = await self._directory.fetch_delegates(key)
            gone = [address for address in addresses if not await self._add_delegate(address, names)]
        except (GraphError, TokenError) as error:
            return self._deny(subject, error, CALENDARS)
        named = "named in the roster" if entry.delegates is not None else "discovered"
        if gone:
            return warning(
                subject,
                f"{len(addresses)} {named}, of whom the directory does not know {', '.join(gone)}",
                "Correct the roster, or let the owner remove who left from the calendar's delegates.",
            )
        return ok(subject, f"{len(addresses)} {named}")

    async def _add_delegate(self, address: str, names: dict[MailboxKey, str]) -> bool:
        try:
            names[(await self._directory.find_person(address)).key] = str(address)
        except AccessError:
            names[MailboxKey(address)] = str(address)
        except GoneError:
            return False
        return True

    async def _find_option(self, subject: str, key: MailboxKey) -> tuple[DeliveryOption, Finding]:
        subject = f"{subject}, mailbox settings"
        try:
            option = await self._directory.fetch_delivery_option(key)
        except AccessError as error:
            self._uses[SETTINGS].denied += 1
            return DeliveryOption.DELEGATE_ONLY, warning(
                subject,
                f"{cite(error)}: Exchange's default is taken to hold",
                self._choose_remedy(SETTINGS),
            )
        except (GraphError, TokenError) as error:
            return DeliveryOption.DELEGATE_ONLY, _explain(subject, error)
        self._uses[SETTINGS].granted += 1
        return option, ok(subject, str(option))

    async def _check_inbox(self, inbox: MailboxKey, names: Mapping[MailboxKey, str]) -> Finding:
        subject, look = f"inbox {names.get(inbox, inbox)}", self._look_into(inbox)
        try:
            await look
        except (GraphError, TokenError) as error:
            return self._deny(subject, error, MAIL)
        self._uses[MAIL].granted += 1
        return ok(subject, f"can be read ({MAIL})")

    def _look_into(self, inbox: MailboxKey) -> Awaitable[Any]:
        """Ask for messages as sweeps do, from a time on at which none has arrived, so that none is read."""
        soon: datetime = self._clock.now() + timedelta(minutes=10)
        if self._reads_whole_mailboxes:
            return self._delta.list_messages(inbox, received_since=soon)
        return self._delta.start_inbox(inbox, received_since=soon)

    def _deny(self, subject: str, error: ServiceError, permission: str) -> Finding:
        """Say what is wrong; a denial by the permission that was needed."""
        if not isinstance(error, AccessError) or classify_fault(error) is not FaultKind.ACCESS:
            return _explain(subject, error)
        self._uses[permission].denied += 1
        return fault(subject, cite(error), self._choose_remedy(permission))


def _explain(subject: str, error: ServiceError) -> Finding:
    """Say in the keeper's words what is wrong and what to do."""
    if isinstance(error, TokenError):
        return fault(subject, str(error), error.remedy)
    detail, _, remedy = describe_fault(error, classify_fault(error)).partition(": ")
    if not remedy:
        detail, remedy = str(error), _LOOK_AGAIN
    return Finding(subject=subject, state=State.FAULT, detail=detail, remedy=remedy[:1].upper() + remedy[1:])
