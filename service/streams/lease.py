"""A lease: one holder at a time, by Redis' clock alone. Must never be extended by anyone but its holder.

Source: https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/
"""

from __future__ import annotations

from typing import Final

from service.streams.keys import KEEPER, KeyNames
from service.streams.link import RedisLink, load_script, to_duration_ms

_ACQUIRE: Final = load_script("acquire_lease")
_RELEASE: Final = load_script("release_lease")


class RedisLease:
    """The Redis side of `Lease`. Every method raises `StreamError`.

    A holder that was away too long may believe that it still holds the lease; what it writes with the
    fencing number it was given is refused once another has a higher one.
    """

    def __init__(self, link: RedisLink, keys: KeyNames, *, name: str = KEEPER) -> None:
        self._link = link
        self._lease = keys.lease(name)
        self._fence = keys.fence(name)

    async def acquire(self, holder: str, *, duration_s: float) -> int | None:
        """Take or extend the lease.

        Returns:
            The fencing number: the same while it is extended, a greater one each time it is taken;
            None where another holds it.
        """
        reply = await self._link.run(
            _ACQUIRE, [self._lease, self._fence], [holder, to_duration_ms(duration_s)]
        )
        return None if reply is None else int(reply)

    async def find_holder(self) -> str:
        """Give who holds it now; empty where nobody does."""
        holder: str | None = await self._link.call("GET", self._lease)
        return holder or ""

    async def release(self, holder: str) -> None:
        """Give it back, if it is ours."""
        await self._link.run(_RELEASE, [self._lease], [holder])
