"""How many sockets the system lets this process hold. Must never lower a limit."""

from __future__ import annotations

import importlib
from typing import Any, Final

import structlog

_LOG: Final = structlog.get_logger(__name__)
_RESERVE: Final = 200
"""For Redis, Graph, the admin listener and files."""


def allow_connections(count: int) -> None:
    """Raise the soft limit on open files as far as so many connections need, and the system allows.

    Many systems start a process with a soft limit of 1024, which anybody could exhaust with idle connections
    long before `CONNECTIONS_MAX` closes one. Says so where the hard limit is too low as well.

    Source: https://docs.python.org/3/library/resource.html#resource.RLIMIT_NOFILE
    """
    resource = _import_resource()
    if resource is None:
        return
    wanted = count + _RESERVE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    if allowed < wanted:
        _LOG.warning("web.files_limited", allowed=allowed, wanted=wanted)


def _import_resource() -> Any:
    """Give the module; None where the system has no such limits (Windows)."""
    try:
        return importlib.import_module("resource")
    except ImportError:
        return None
