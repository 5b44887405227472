"""What a denied call means: no consent, or a mailbox that is kept from us. No I/O.

Graph says the same in both cases. The token tells more: it names the permissions that were consented to for
the whole tenant. RBAC for Applications grants without the token knowing, so what a token lacks proves nothing
by itself: a real call has to have failed first.

Source: https://learn.microsoft.com/exchange/permissions-exo/application-rbac
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Collection
from typing import Final

from service.errors import AccessError

MAIL: Final = "Mail.Read"
CALENDARS: Final = "Calendars.Read"
SETTINGS: Final = "MailboxSettings.Read"
USERS: Final = "User.Read.All"
PERMISSIONS: Final = (MAIL, CALENDARS, SETTINGS, USERS)
"""Those of README, each of which `check` uses once at least."""
_BASIC: Final = ("Mail.ReadBasic", "Mail.ReadBasic.All")
_AS_GOOD: Final = {
    MAIL: ("Mail.Read", "Mail.ReadWrite"),
    CALENDARS: ("Calendars.Read", "Calendars.ReadWrite"),
    SETTINGS: ("MailboxSettings.Read", "MailboxSettings.ReadWrite"),
    USERS: ("User.Read.All", "User.ReadBasic.All", "User.ReadWrite.All", "Directory.Read.All"),
}


def read_consented(token: str) -> frozenset[str] | None:
    """Give the application permissions that a token carries; None where it cannot be read.

    The token is only looked into for a hint: it is not for us, and its form may change.

    Source: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        roles = claims.get("roles", [])
    except (IndexError, ValueError, binascii.Error, AttributeError):
        return None
    return frozenset(roles) if isinstance(roles, list) else None


def is_consented(permission: str, consented: Collection[str]) -> bool:
    """Tell whether a permission that opens as much is among those consented to."""
    return any(one in consented for one in _AS_GOOD[permission])


def choose_remedy(permission: str, consented: Collection[str] | None) -> str:
    """Give the one sentence that helps where a call for this permission was denied.

    Args:
        consented: as `read_consented` gives them.
    """
    if consented is None:
        return (
            f"Grant the application permission {permission} with admin consent, and take this mailbox "
            "into the scope of its access policy or RBAC assignment."
        )
    if is_consented(permission, consented):
        return (
            f"{permission} is consented to, so take this mailbox into the scope of the application access "
            "policy; changes take up to an hour or two."
        )
    if permission == MAIL and any(one in consented for one in _BASIC):
        return (
            "Grant Mail.Read with admin consent in place of Mail.ReadBasic, which hides what matches a "
            "message to its meeting."
        )
    return (
        f"Grant the application permission {permission} with admin consent, or by an RBAC assignment whose "
        "scope holds this mailbox."
    )


def cite(error: AccessError) -> str:
    """Say by which answer access was denied."""
    parts = (str(error.status or ""), error.code, error.request_id)
    return f"access denied ({' '.join(part for part in parts if part)})"
