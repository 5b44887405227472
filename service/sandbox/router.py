"""Puts every route of Graph together. Holds no behaviour of its own."""

from __future__ import annotations

from service.sandbox.batch import Batch
from service.sandbox.calendar_routes import add_calendar_routes
from service.sandbox.call import Routes
from service.sandbox.event_routes import add_event_routes
from service.sandbox.mailbox_routes import add_mailbox_routes
from service.sandbox.message_delta import add_message_delta
from service.sandbox.message_routes import add_message_routes
from service.sandbox.routing import Before, Route, Router
from service.sandbox.view_delta import add_view_delta
from service.sandbox.world import World

__all__ = ["Before", "Route", "Router", "build_graph_router"]


def build_graph_router(world: World) -> Router:
    """Give a router that serves all of Graph but subscriptions."""
    router = Router(world.clock)
    routes = Routes(router, world)
    add_mailbox_routes(routes)
    add_calendar_routes(routes)
    add_event_routes(routes)
    add_message_routes(routes)
    add_message_delta(routes)
    add_view_delta(routes)
    router.add("POST", "$batch", Batch(router, world.random).answer)
    return router
