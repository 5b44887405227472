"""Puts every route of Graph together. Holds no behaviour of its own."""

from __future__ import annotations

from service.sandbox.routing import Before, Route, Router
from service.sandbox.world import World

__all__ = ["Before", "Route", "Router", "build_graph_router"]


def build_graph_router(world: World) -> Router:
    """Give a router that serves all of Graph but subscriptions."""
    return Router(world.clock)
