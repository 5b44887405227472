"""The role `keeper`: keeps subscriptions, finds what notifications left out; of several the leader acts."""

from __future__ import annotations

import asyncio

from service.clock import Clock
from service.roles.worker import wait_for_layout
from service.sign_ins.keeping import SignInKeeping
from service.streams.generation import RedisGeneration
from service.subscriptions.keeper import Keeper
from service.subscriptions.status_reader import StatusReader


class KeeperRole:
    """A keeper, begun once the keys are known to be written in our layout."""

    name = "keeper"

    def __init__(
        self,
        *,
        keeper: Keeper,
        status: StatusReader,
        generation: RedisGeneration,
        clock: Clock,
        outage_wait_s: float,
        sign_ins: SignInKeeping | None = None,
    ) -> None:
        self._keeper = keeper
        self._status = status
        self._generation = generation
        self._clock = clock
        self._outage_wait_s = outage_wait_s
        self._sign_ins = sign_ins

    async def run(self, stop: asyncio.Event) -> None:
        """Keep until `stop` is set, then give the lease back.

        Raises:
            LayoutError: the keys were written with another layout or number of partitions.
        """
        if await wait_for_layout(self._generation, stop, self._clock, wait_s=self._outage_wait_s):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keeper.run(stop))
                if self._sign_ins is not None:
                    group.create_task(self._sign_ins.run(stop))

    async def find_unready(self) -> str:
        """Say which mailbox lacks its subscription or baseline; empty where none does."""
        return await self._status.find_unready(generation=self._generation)
