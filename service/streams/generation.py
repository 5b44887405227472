"""The marks by which the service knows its own state again: layout, PARTITIONS, generation.

Must never mark a state as ours that was written with another layout or another number of partitions.
"""

from __future__ import annotations

import secrets

from service.errors import LayoutError
from service.streams.intake_stream import RedisIntakeStream
from service.streams.keys import LAYOUT_VERSION, KeyNames
from service.streams.link import RedisLink


class RedisGeneration:
    """The Redis side of `Generation`. Every method raises `StreamError`."""

    def __init__(self, link: RedisLink, keys: KeyNames, intake: RedisIntakeStream) -> None:
        self._link = link
        self._keys = keys
        self._intake = intake

    async def ensure(self) -> bool:
        """Write every mark and the consumer group where they are missing.

        Returns:
            True where the mark of any partition was missing: its meetings have to be read again.

        Raises:
            LayoutError: the keys in Redis were written with another layout or number of partitions.
        """
        await self.check_layout()
        await self._intake.ensure_group()
        written = [await self._mark(partition) for partition in range(self._keys.partitions)]
        return any(written)

    async def exists(self) -> bool:
        """Tell whether every partition has its mark."""
        for partition in range(self._keys.partitions):
            if not await self._link.call("EXISTS", self._keys.generation(partition)):
                return False
        return True

    async def check_layout(self) -> None:
        """Compare layout and number of partitions with those that were recorded; records them at first.

        Raises:
            LayoutError: they differ; says what to do.
        """
        layout, version, partitions = self._keys.layout, str(LAYOUT_VERSION), str(self._keys.partitions)
        await self._link.call("HSETNX", layout, "version", version)
        await self._link.call("HSETNX", layout, "partitions", partitions)
        held = await self._link.call("HGETALL", layout)
        if held["version"] != version:
            raise LayoutError(
                f"the keys of {self._keys.stream} have layout {held['version']}, this release has {version}: "
                "run the release that wrote them, or follow its migration."
            )
        if held["partitions"] != partitions:
            raise LayoutError(
                f"PARTITIONS is {partitions}, but the keys of {self._keys.stream} were written with "
                f"{held['partitions']}: set it back, or choose another STREAM and let all be read anew."
            )

    async def _mark(self, partition: int) -> bool:
        """Write the mark of a partition; False where it was there. Of two callers one is told True."""
        reply = await self._link.call("SET", self._keys.generation(partition), secrets.token_hex(8), "NX")
        return reply is not None
