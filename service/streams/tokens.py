"""The validation tokens beside the intake stream. Read by workers; web writes them with their entries."""

from __future__ import annotations

from service.streams.keys import KeyNames
from service.streams.link import RedisLink


class RedisTokenStore:
    """Reads validation tokens, and lets those that were read go soon.

    Args:
        read_kept_s: how long a token stays after it was read: other items of its POST may still need it.
    """

    def __init__(self, link: RedisLink, keys: KeyNames, *, read_kept_s: float = 600.0) -> None:
        self._link = link
        self._keys = keys
        self._read_kept_s = max(round(read_kept_s), 1)

    async def read_token(self, digest: str) -> str | None:
        """Give a token; None where it is gone.

        Raises:
            StreamError: Redis refused or is away.
        """
        token: str | None = await self._link.call("GETEX", self._keys.token(digest), "EX", self._read_kept_s)
        return token
