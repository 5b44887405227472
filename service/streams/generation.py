"""The marks by which the service knows its own state again: layout, PARTITIONS, generation, watermark.

A state that is missing (FLUSHALL, an empty restart) lacks the mark of its generation. One that is older than
what was seen (a backup was restored, a fail-over lost writes) has it; there the watermark tells, which the
leading keeper raises at every tick and every process remembers. Must never mark a state as ours that was
written with another layout or another number of partitions, nor build on an epoch of an older state.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from service.errors import LayoutError
from service.streams.intake_stream import RedisIntakeStream
from service.streams.keys import LAYOUT_VERSION, KeyNames
from service.streams.link import RedisLink, load_script, to_ms

_LOOK: Final = load_script("look_at_generation")
_END_EPOCH: Final = load_script("end_epoch")
_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)
_log = structlog.get_logger("generation")


class RedisGeneration:
    """The Redis side of `Generation`. Every method raises `StreamError`.

    Attributes:
        led_at: the least watermark of all partitions when it was last looked at, before it was raised: when
            a keeper last led, by this state and that keeper's clock. None where none ever did.
    """

    def __init__(self, link: RedisLink, keys: KeyNames, intake: RedisIntakeStream) -> None:
        self._link = link
        self._keys = keys
        self._intake = intake
        self._seen = [0] * keys.partitions
        self.led_at: datetime | None = None

    async def ensure(self, *, meanwhile: Callable[[], Awaitable[object]] | None = None) -> bool:
        """Write every mark and the consumer group where they are missing.

        Meetings that stand in a partition whose mark is missing are of an older state: their epochs end
        first, so that all that is said of them from then on comes under higher ones.

        Args:
            meanwhile: called now and then while that takes its time.

        Returns:
            True where the mark of any partition was missing: its meetings have to be read again.

        Raises:
            LayoutError: the keys in Redis were written with another layout or number of partitions.
        """
        await self.check_layout()
        await self._intake.ensure_group()
        written = [await self._mark(partition, meanwhile) for partition in range(self._keys.partitions)]
        return any(written)

    async def exists(self, *, led_at: datetime | None = None) -> bool:
        """Tell whether every partition has its mark and is not older than what this process has seen.

        An older one loses its mark, for everybody.

        Args:
            led_at: the time by the clock of the keeper that leads; None asks only.
        """
        raise_to = "" if led_at is None else str(to_ms(led_at))
        looks = [await self._look(partition, raise_to) for partition in range(self._keys.partitions)]
        least = min(found for _, found in looks)
        self.led_at = _1970 + timedelta(milliseconds=least) if least else None
        return all(is_there for is_there, _ in looks)

    def seen(self, partition: int) -> int:
        """Give the highest watermark that this process has seen of a partition; 0 before the first look."""
        return self._seen[partition]

    async def disown(self) -> None:
        """Take every mark away: it is known in another way that the state is an older one."""
        for partition in range(self._keys.partitions):
            await self._link.call("DEL", self._keys.generation(partition))

    async def check_layout(self) -> None:
        """Compare layout and number of partitions with those that were recorded; records them at first.

        Raises:
            LayoutError: they differ; says what to do.
        """
        await self._link.call("HSETNX", self._keys.layout, "version", str(LAYOUT_VERSION))
        await self._link.call("HSETNX", self._keys.layout, "partitions", str(self._keys.partitions))
        if difference := await self.find_layout_fault():
            raise LayoutError(difference)

    async def find_layout_fault(self) -> str:
        """Say how layout or partitions differ from what is recorded and what to do; empty where they fit.

        Writes nothing; where nothing is recorded all fits.
        """
        version, partitions = str(LAYOUT_VERSION), str(self._keys.partitions)
        held = await self._link.call("HGETALL", self._keys.layout)
        if held.get("version", version) != version:
            return (
                f"the keys of {self._keys.stream} have layout {held['version']}, this release has {version}: "
                "run the release that wrote them, or follow its migration."
            )
        if held.get("partitions", partitions) != partitions:
            return (
                f"PARTITIONS is {partitions}, but the keys of {self._keys.stream} were written with "
                f"{held['partitions']}: set it back, or choose another STREAM and let all be read anew."
            )
        return ""

    async def _look(self, partition: int, raise_to: str) -> tuple[bool, int]:
        """Give whether a partition's state is there and the newest, and its watermark as it was found."""
        keys = [self._keys.generation(partition), self._keys.watermark(partition)]
        state, text = await self._link.run(_LOOK, keys, [self._seen[partition], raise_to])
        found = int(text)
        if state == "older":
            _log.error("generation.went_back", partition=partition, evidence="memory")
        if state == "there":
            raised = max(found + 1, int(raise_to)) if raise_to else found
            self._seen[partition] = max(self._seen[partition], raised)
        return state == "there", found

    async def _mark(self, partition: int, meanwhile: Callable[[], Awaitable[object]] | None) -> bool:
        """Write the mark of a partition; False where it was there. Of two callers one is told True."""
        generation = self._keys.generation(partition)
        if await self._link.call("EXISTS", generation):
            return False
        await self._end_epochs(partition, meanwhile)
        reply = await self._link.call("SET", generation, secrets.token_hex(8), "NX")
        return reply is not None

    async def _end_epochs(self, partition: int, meanwhile: Callable[[], Awaitable[object]] | None) -> None:
        """End the epoch of every meeting; without the mark nobody commits anything beside."""
        pattern = self._keys.meeting_pattern(partition)
        async for names in self._link.scan(self._keys.generation(partition), pattern):
            for name in names:
                await self._link.run(_END_EPOCH, [name], [])
            if meanwhile is not None:
                await meanwhile()
