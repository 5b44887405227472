"""Rich notifications in a history: really encrypted, opened without threads; nobody forges anything here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from service.entries import IntakeEntry
from service.graph.resource_data import EVENT_QUERIES, MESSAGE_QUERIES
from service.intake.client_state import ResourceKind
from service.rich.content import parse_content
from service.rich.decryption import decrypt_content
from service.rich.keys import EncryptionKey, make_key_file
from service.rich.unread import Unread, UnreadError
from service.sandbox.notifications import Recipient
from service.subscriptions.resource_data import Certificate, ResourceData


@cache
def find_key() -> EncryptionKey:
    """Give a key, made once: that takes some tenths of a second."""
    with TemporaryDirectory() as directory:
        return make_key_file(Path(directory), now=datetime(2026, 1, 1, tzinfo=UTC), bits=2048, days=1)


def build_resource_data() -> ResourceData:
    """Say what is to come along with notifications."""
    key = find_key()
    queries = dict.fromkeys((ResourceKind.INBOX, ResourceKind.MAILBOX_MESSAGES), MESSAGE_QUERIES)
    return ResourceData(
        lambda: Certificate(id=key.id, encoded=key.encoded), queries | {ResourceKind.CALENDAR: EVENT_QUERIES}
    )


class SomeTokens:
    """Stands in for what signs validation tokens."""

    def sign_for(self, recipients: Iterable[Recipient]) -> list[str]:
        return ["e30.e30.e30" for _ in recipients]


class Trusting:
    """Vouches for everything that has tokens; signatures are tried elsewhere."""

    async def vouch(self, entry: IntakeEntry) -> None:
        if not entry.tokens:
            raise UnreadError(Unread.NO_TOKENS)


class InlineOpener:
    """Opens contents where it is called: threads know nothing of virtual time."""

    async def open(self, entry: IntakeEntry) -> Mapping[str, Any]:
        opened = decrypt_content(parse_content(entry.content), find_key().private_key)
        assert opened["id"] == entry.item
        return opened


class Counted:
    """Counts what became of resource data."""

    def __init__(self) -> None:
        self.taken = 0
        self.unread: dict[str, int] = {}

    def data_taken(self, *, kind: str) -> None:
        self.taken += 1

    def data_unread(self, entry: IntakeEntry, *, reason: Unread) -> None:
        self.unread[reason] = self.unread.get(reason, 0) + 1
