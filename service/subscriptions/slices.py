"""Goes through much on the event loop without holding up what else runs there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final, TypeVar

SLICE: Final = 200
"""So many of a thing that takes microseconds; a slice is over in milliseconds."""
_T = TypeVar("_T")


async def in_slices(things: Sequence[_T]) -> AsyncIterator[_T]:
    """Give one after another; after each slice others have their turn, and may change what matters."""
    for at, thing in enumerate(things):
        if at and at % SLICE == 0:
            await asyncio.sleep(0)
        yield thing
