"""Which keeper acts. Any number may run; one holds the lease, and writes under its fencing number.

Must never act on a lease that may have run out: the end is reckoned from before the question was asked.
"""

from __future__ import annotations

from service.clock import Clock
from service.errors import FencedError
from service.ports import Lease


class Leadership:
    """The lease as this keeper sees it.

    Args:
        holder: a name that no other keeper has.
        duration_s: of the lease; a keeper that dies is succeeded after at most so long.
    """

    def __init__(self, *, lease: Lease, clock: Clock, holder: str, duration_s: float) -> None:
        self._lease = lease
        self._clock = clock
        self._holder = holder
        self._duration_s = duration_s
        self._fence: int | None = None
        self._until = 0.0

    @property
    def is_leading(self) -> bool:
        """Tell whether the lease is certainly ours."""
        return self._fence is not None and self._clock.monotonic() < self._until

    @property
    def fence(self) -> int:
        """Give the fencing number of our term.

        Raises:
            FencedError: we hold no lease.
        """
        self.check()
        assert self._fence is not None
        return self._fence

    def check(self) -> None:
        """Raise `FencedError` unless the lease is certainly ours."""
        if not self.is_leading:
            raise FencedError("the lease has run out")

    async def renew(self) -> bool:
        """Take or extend the lease; tells whether a new term of ours began.

        Raises:
            StreamError: Redis did not answer; the old end stands.
        """
        asked_at = self._clock.monotonic()
        before, was_leading = self._fence, self.is_leading
        self._fence = await self._lease.acquire(self._holder, duration_s=self._duration_s)
        if self._fence is None:
            return False
        self._until = asked_at + self._duration_s
        return not was_leading or self._fence != before

    async def release(self) -> None:
        """Give the lease back, so that another need not wait for its end."""
        if self._fence is not None:
            self._fence = None
            await self._lease.release(self._holder)
