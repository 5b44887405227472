"""The role `worker`: works the intake stream off. Waits for Redis at the start, however long that takes."""

from __future__ import annotations

import asyncio

import structlog

from service.clock import Clock
from service.errors import LayoutError, StreamError
from service.pipeline.worker import Worker
from service.roles.witness import Witness
from service.streams.generation import RedisGeneration
from service.streams.intake_stream import RedisIntakeStream

_LOG = structlog.get_logger(__name__)


class WorkerRole:
    """A worker, begun once the keys are known to be written in our layout."""

    name = "worker"

    def __init__(
        self,
        *,
        worker: Worker,
        intake: RedisIntakeStream,
        generation: RedisGeneration,
        clock: Clock,
        outage_wait_s: float,
        witness: Witness,
    ) -> None:
        self._worker = worker
        self._witness = witness
        self._intake = intake
        self._generation = generation
        self._clock = clock
        self._outage_wait_s = outage_wait_s

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what was taken.

        Raises:
            LayoutError: the keys were written with another layout or number of partitions.
        """
        if await wait_for_layout(self._generation, stop, self._clock, wait_s=self._outage_wait_s):
            witnessing = asyncio.create_task(self._witness.run(stop))
            try:
                await self._worker.run(stop)
            finally:
                witnessing.cancel()

    async def find_unready(self) -> str:
        """Say why the group cannot be read; empty where it can."""
        try:
            await self._intake.measure()
        except StreamError as error:
            return str(error)
        return ""


async def wait_for_layout(
    generation: RedisGeneration, stop: asyncio.Event, clock: Clock, *, wait_s: float
) -> bool:
    """Wait until Redis says that the keys are ours; False where `stop` was set before.

    Raises:
        LayoutError: they are not: starting would harm them.
    """
    while not stop.is_set():
        try:
            await generation.check_layout()
        except LayoutError:
            raise
        except StreamError as error:
            _LOG.warning("redis.awaited", error=str(error), wait_s=wait_s)
            await clock.sleep(wait_s)
        else:
            return True
    return False
