"""Remembers how far the state had come, so that an older one, as of a restored backup, is noticed.

Keepers look at every tick; this lets web and worker processes look as well, which may have outlived all
keepers. Must never write anything but take the mark of an older state away.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from service.clock import Clock, sleep_or_stop
from service.errors import StreamError
from service.ports import Generation


class Witness:
    """Looks at the state now and then.

    Args:
        every_s: between two looks; what was done since the last one is not known to have been lost.
    """

    def __init__(self, generation: Generation, clock: Clock, *, every_s: float) -> None:
        self._generation = generation
        self._clock = clock
        self._every_s = every_s

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set; while Redis is away nothing is seen."""
        while not stop.is_set():
            with suppress(StreamError):
                await self._generation.exists()
            await sleep_or_stop(self._clock, stop, self._every_s)
