"""Which permissions of Entra ID let a token do what, as the permission tables of Graph say. Tables only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Need:
    """One of these suffices.

    Attributes:
        application: roles of an application's token.
        own: scopes of a person's token for the person's own mailbox.
        shared: scopes for the mailboxes of others that are open to the person; none: never open.
    """

    application: frozenset[str]
    own: frozenset[str]
    shared: frozenset[str] = frozenset()


def _need(application: str, own: str, shared: str = "") -> Need:
    return Need(frozenset(application.split()), frozenset(own.split()), frozenset(shared.split()))


READ_CALENDAR: Final = _need(
    "Calendars.Read Calendars.ReadWrite",
    "Calendars.Read Calendars.ReadWrite Calendars.Read.Shared Calendars.ReadWrite.Shared",
    "Calendars.Read.Shared Calendars.ReadWrite.Shared",
)
WRITE_CALENDAR: Final = _need(
    "Calendars.ReadWrite", "Calendars.ReadWrite Calendars.ReadWrite.Shared", "Calendars.ReadWrite.Shared"
)
READ_MAIL: Final = _need("Mail.Read Mail.ReadWrite", "Mail.Read Mail.ReadWrite")
WRITE_MAIL: Final = _need("Mail.ReadWrite", "Mail.ReadWrite")
READ_SETTINGS: Final = _need(
    "MailboxSettings.Read MailboxSettings.ReadWrite", "MailboxSettings.Read MailboxSettings.ReadWrite"
)
WRITE_SETTINGS: Final = _need("MailboxSettings.ReadWrite", "MailboxSettings.ReadWrite")
READ_USER: Final = _need(
    "User.Read.All User.ReadBasic.All Directory.Read.All",
    "User.Read User.ReadBasic.All User.Read.All",
    "User.ReadBasic.All User.Read.All",
)
