"""Opens the content of entries that Graph sent. Plaintext lives in memory alone.

Decrypting happens in threads of its own, a few at a time, so that it never holds up the event loop. Whatever
cannot be opened is told with its reason, for the item can still be fetched.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from service.entries import IntakeEntry
from service.rich.content import parse_content
from service.rich.decryption import decrypt_content
from service.rich.key_ring import KeyRing
from service.rich.unread import Unread, UnreadError


class Opener:
    """Opens contents; to be closed.

    Args:
        at_once_max: contents decrypted at one time; the others wait.
    """

    def __init__(self, *, keys: KeyRing, at_once_max: int = 4) -> None:
        self._keys = keys
        self._threads = ThreadPoolExecutor(at_once_max, thread_name_prefix="decrypt")

    async def open(self, entry: IntakeEntry) -> dict[str, Any]:
        """Give the resource data of an entry's item as decoded JSON.

        Raises:
            UnreadError: it cannot be opened; the item can be fetched.
        """
        if entry.unread:
            raise UnreadError(_find_reason(entry.unread))
        content = parse_content(entry.content)
        key = self._keys.find(content.encryption_certificate_id, content.encryption_certificate_thumbprint)
        if key is None:
            raise UnreadError(Unread.UNKNOWN_CERTIFICATE)
        loop = asyncio.get_running_loop()
        opened = await loop.run_in_executor(self._threads, decrypt_content, content, key.private_key)
        # The signature vouches for the content but says nothing of the item it was sent for.
        if opened.setdefault("id", entry.item) != entry.item:
            raise UnreadError(Unread.OTHER_ITEM)
        return opened

    def close(self) -> None:
        """End the threads; what waits for them is abandoned."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _find_reason(word: str) -> Unread:
    return Unread(word) if word in set(Unread) else Unread.MALFORMED
