"""Waiting for a condition with a deadline, instead of sleeping for luck."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

PATIENCE_S: Final = 90.0
"""How long anything may take on the slowest machine: whoever waits so long waits for what never comes."""


async def wait_until(
    condition: Callable[[], bool | Awaitable[bool]], *, timeout_s: float = PATIENCE_S, poll_s: float = 0.02
) -> None:
    """Return once the condition holds.

    Raises:
        TimeoutError: it did not within the time limit.
    """
    async with asyncio.timeout(timeout_s):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(poll_s)
