"""Makes every id and key that the sandbox hands out, from one seed; tells what could be an id at all."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from random import Random
from typing import Final
from uuid import UUID

from service.sandbox.wire import GraphFault

_REGULAR: Final = "AAMkA"
_IMMUTABLE: Final = "AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A"
_CONTAINER: Final = "AQMkA"
_WELL_FORMED: Final = re.compile(r"A[AQ](?:Mk|kA)[\w+/-]{12,}={0,2}", re.ASCII)


class Ids:
    """Ids as Exchange makes them: long, case-sensitive, and of one mailbox alone."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._changes = random.randrange(1 << 24, 1 << 30)

    def guid(self) -> str:
        """Give a new object id."""
        return str(UUID(bytes=self._random.randbytes(16), version=4))

    def regular(self, mailbox_id: str) -> str:
        """Give an item id of the default kind, which ends when the item moves."""
        return self._id(_REGULAR, mailbox_id, 18)

    def immutable(self, mailbox_id: str) -> str:
        """Give an item id that lives as long as the item stays in the mailbox."""
        return self._id(_IMMUTABLE, mailbox_id, 12)

    def container(self, mailbox_id: str) -> str:
        """Give the id of a folder or calendar."""
        return self._id(_CONTAINER, mailbox_id, 9)

    def change_key(self, mailbox_id: str, prefix: bytes = b"") -> str:
        """Give the change key of a new version.

        Args:
            prefix: messages carry four bytes for their kind and four for a length before the rest.
        """
        self._changes += self._random.randrange(1, 4)
        return b64encode(prefix + UUID(mailbox_id).bytes + self._changes.to_bytes(6, "big")).decode()

    def conversation(self) -> str:
        return "AAQkA" + urlsafe_b64encode(self._random.randbytes(30)).decode()

    def internet_message_id(self) -> str:
        token = self._random.randbytes(16).hex()
        return f"<{token}@{token[:6].upper()}PR17MB3593.namprd17.prod.outlook.com>"

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def _id(self, prefix: str, mailbox_id: str, entropy: int) -> str:
        blob = UUID(mailbox_id).bytes[:9] + self._random.randbytes(entropy)
        return f"{prefix}{urlsafe_b64encode(blob).decode().rstrip('=')}AAA="


def check_id(given: str) -> None:
    """Refuse what cannot be the id of an item or folder, whatever the mailbox holds.

    Raises:
        GraphFault: 400.
    """
    if not _WELL_FORMED.fullmatch(given):
        raise GraphFault(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def quote_etag(change_key: str) -> str:
    """Give the etag that belongs to a change key."""
    return f'W/"{change_key}"'
