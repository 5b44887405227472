"""How items look to a client."""

from __future__ import annotations

from typing import Literal

from service.sandbox.items import Json
from service.sandbox.world import World


def render_item(
    world: World,
    user_id: str,
    kind: Literal["message", "event"],
    item_id: str,
    *,
    select: str | None,
    expand: str | None,
    immutable: bool,
) -> Json:
    """Give the resource data of a rich notification."""
    raise NotImplementedError
