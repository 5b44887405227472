"""Token, permissions and mailboxes, by the calls that the service itself makes; one page of each at most."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from service.clock import Clock
from service.errors import AccessError, GraphError, ServiceError, TokenError
from service.graph.client import TokenSource
from service.ports import DeliveryOption, DeltaReader, Directory, DirectoryPerson, SubscriptionApi
from service.preflight.finding import Finding, fault, ok, warning
from service.reconcile.model import MailboxKey, OwnerKey
from service.roster import RosterEntry
from service.subscriptions.faults import classify_fault, describe_fault
from service.subscriptions.resolve import choose_inboxes

_SKEW_MAX_S: Final = 60
_GRANT: Final = "Grant the application permission {permission} with admin consent, and cover this mailbox."


class MailboxCheck:
    """Asks Graph what the service will ask."""

    def __init__(
        self,
        *,
        tokens: TokenSource,
        directory: Directory,
        delta: DeltaReader,
        subscriptions: SubscriptionApi,
        clock: Clock,
        reads_whole_mailboxes: bool = False,
    ) -> None:
        self._tokens = tokens
        self._directory = directory
        self._delta = delta
        self._subscriptions = subscriptions
        self._clock = clock
        self._reads_whole_mailboxes = reads_whole_mailboxes

    async def check(self, roster: Iterable[RosterEntry]) -> AsyncIterator[Finding]:
        """Look at token, subscriptions, and each owner with their inboxes; stops where there is no token."""
        try:
            await self._tokens.fetch_token()
        except TokenError as error:
            yield fault("token", str(error), error.remedy or "Check tenant, client id and credential.")
            return
        yield ok("token", "acquired")
        yield await self._check_subscriptions()
        for entry in roster:
            async for finding in self._check_owner(entry):
                yield finding

    async def _check_subscriptions(self) -> Finding:
        try:
            held = await self._subscriptions.list_subscriptions()
        except GraphError as error:
            return _explain("subscriptions", error)
        return ok("subscriptions", f"{len(held)} held by the application")

    async def _check_owner(self, entry: RosterEntry) -> AsyncIterator[Finding]:
        subject = f"owner {entry.address}"
        person, finding = await self._find_person(entry.address)
        yield finding
        if person is None:
            return
        yield await self._check_calendar(subject, person.key)
        delegates, finding = await self._find_delegates(entry, person.key)
        yield finding
        option, finding = await self._find_option(subject, person.key)
        yield finding
        for inbox in choose_inboxes(
            person.key, delegates, option, reads_whole_mailboxes=self._reads_whole_mailboxes
        ):
            yield await self._check_inbox(inbox)

    async def _find_person(self, address: str) -> tuple[DirectoryPerson | None, Finding]:
        """Give the person; known by the address alone where the directory may not be read."""
        subject = f"person {address}"
        try:
            person = await self._directory.find_person(address)
        except AccessError:
            key = MailboxKey(address)
            stand_in = DirectoryPerson(key=key, address=address, name="", aliases=())
            return stand_in, warning(
                subject,
                "the directory may not be read: aliases and changed addresses are not recognised",
                _GRANT.format(permission="User.Read.All"),
            )
        except GraphError as error:
            return None, _explain(subject, error)
        return person, ok(subject, f"{person.name}, {len(person.aliases)} addresses")

    async def _check_calendar(self, subject: str, key: MailboxKey) -> Finding:
        now = self._clock.now()
        look = self._delta.start_calendar(OwnerKey(key), start=now, end=now + timedelta(days=1))
        try:
            page = await look
        except GraphError as error:
            return _explain(f"{subject}, calendar", error)
        skew_s = abs((page.at.to_datetime() - now).total_seconds())
        if skew_s > _SKEW_MAX_S:
            return warning(
                f"{subject}, calendar",
                f"can be read, but our clock and Graph's are {skew_s:.0f} s apart",
                "Keep the clock by NTP: it decides on renewals and on what is late.",
            )
        return ok(f"{subject}, calendar", "can be read (Calendars.Read)")

    async def _find_delegates(self, entry: RosterEntry, key: MailboxKey) -> tuple[list[MailboxKey], Finding]:
        subject = f"owner {entry.address}, delegates"
        try:
            addresses = entry.delegates
            if addresses is None:
                addresses = await self._directory.fetch_delegates(key)
            keys = [await self._key_of(address) for address in addresses]
        except GraphError as error:
            return [], _explain(subject, error)
        named = "named in the roster" if entry.delegates is not None else "discovered"
        return keys, ok(subject, f"{len(keys)} {named}")

    async def _key_of(self, address: str) -> MailboxKey:
        try:
            return (await self._directory.find_person(address)).key
        except AccessError:
            return MailboxKey(address)

    async def _find_option(self, subject: str, key: MailboxKey) -> tuple[DeliveryOption, Finding]:
        try:
            option = await self._directory.fetch_delivery_option(key)
        except AccessError as error:
            return DeliveryOption.DELEGATE_ONLY, warning(
                f"{subject}, mailbox settings",
                f"may not be read ({error.code or error.status}): Exchange's default is taken to hold",
                _GRANT.format(permission="MailboxSettings.Read"),
            )
        except GraphError as error:
            return DeliveryOption.DELEGATE_ONLY, _explain(f"{subject}, mailbox settings", error)
        return option, ok(f"{subject}, mailbox settings", str(option))

    async def _check_inbox(self, inbox: MailboxKey) -> Finding:
        subject = f"inbox {inbox}"
        return await _try(
            subject, "can be read (Mail.Read)", self._delta.start_inbox(inbox, received_since=self._soon())
        )

    def _soon(self) -> datetime:
        """Give a time from which no message has arrived, so that none is read."""
        return self._clock.now() + timedelta(minutes=10)


async def _try(subject: str, success: str, call: Awaitable[Any]) -> Finding:
    try:
        await call
    except GraphError as error:
        return _explain(subject, error)
    return ok(subject, success)


def _explain(subject: str, error: ServiceError) -> Finding:
    """Say in the keeper's words what is wrong and what to do."""
    detail, _, remedy = describe_fault(error, classify_fault(error)).partition(": ")
    if not remedy:
        detail, remedy = str(error), "Run check again; look at Graph's service health if it stays."
    return fault(subject, detail, remedy[:1].upper() + remedy[1:])
