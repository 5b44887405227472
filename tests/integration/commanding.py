"""Running commands in this process, against the server of the tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from typer.testing import Result

from service.bootstrap.redis_side import Streams, open_streams
from service.settings import Scope, read_settings

Run = Callable[..., Result]
"""Runs a command by its arguments; `typed` is what somebody types into it."""


def with_streams(work: Callable[[Streams], Any]) -> Any:
    """Do something with what is kept in Redis."""

    async def main() -> Any:
        async with open_streams(read_settings(Scope.REDIS)) as streams:
            return await work(streams)

    return asyncio.run(main())
