"""Builds every object from the settings: the only place that names all concrete classes. Holds no rule."""

from service.bootstrap.graph_side import Graph, open_graph
from service.bootstrap.redis_side import Streams, build_committer, open_streams
from service.bootstrap.roles import (
    RoleName,
    build_destination,
    build_status_reader,
    build_web,
    open_roles,
    read_owners_file,
)

__all__ = [
    "Graph",
    "RoleName",
    "Streams",
    "build_committer",
    "build_destination",
    "build_status_reader",
    "build_web",
    "open_graph",
    "open_roles",
    "open_streams",
    "read_owners_file",
]
