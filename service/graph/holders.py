"""Whose token a request goes with: of whoever has signed in their own, of all others the application's.

Must never take one person's token for another's mailbox.
"""

from __future__ import annotations

from typing import Final, Protocol

from service.errors import AccessError, SignInError
from service.graph.client import TokenSource
from service.graph.requests import GraphRequest, RequestKind

_NOBODY_TO_ASK: Final = "only people who signed in may be asked about, and they only about themselves"


class People(Protocol):
    """Who has signed in."""

    def find(self, mailbox: str) -> str | None:
        """Give the object id of whose mailbox it is; None where they have not signed in."""

    def list_people(self) -> tuple[str, ...]:
        """Give the object id of everybody who has signed in, in order."""

    def source_of(self, person: str) -> TokenSource:
        """Give the tokens of somebody who has signed in."""


class Holders:
    """Chooses.

    Args:
        application: None where the tenant grants the application nothing.
    """

    def __init__(self, application: TokenSource | None, people: People) -> None:
        self._application = application
        self._people = people

    @property
    def has_application(self) -> bool:
        """Tell whether the application may ask in its own name."""
        return self._application is not None

    def list_people(self) -> tuple[str, ...]:
        """Give the object id of everybody who has signed in, in order."""
        return self._people.list_people()

    def find(self, mailbox: str) -> str | None:
        """Give the object id of whose mailbox it is; None where they have not signed in."""
        return self._people.find(mailbox)

    def holder_of(self, request: GraphRequest) -> str:
        """Give a name for whose token it is: what has the same may share a `$batch`."""
        found = self._people.find(request.asker)
        if found is not None:
            return found
        return "" if self._application is not None else request.asker

    def source_of(self, request: GraphRequest) -> TokenSource:
        """Give the tokens.

        Raises:
            SignInError: whose mailbox it is has to sign in first.
            AccessError: it is about somebody who cannot be asked.
        """
        found = self._people.find(request.asker)
        if found is not None:
            return self._people.source_of(found)
        if self._application is not None:
            return self._application
        if request.kind is RequestKind.PERSON or not request.asker:
            raise AccessError(_NOBODY_TO_ASK, status=403, code="noApplication")
        raise SignInError(
            "Whose mailbox it is has not signed in, and the application may read nothing by itself.",
            code="notSignedIn",
            remedy="Run `response-sync login ADDRESS` with the address of that person.",
            is_permanent=True,
            needs_sign_in=True,
        )
