"""How a command runs: settings, logs, and a fast event loop."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from service.logs import configure_logs
from service.settings import LogLevel, Scope, Settings, list_secret_texts, read_settings

Result = TypeVar("Result")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end on uvloop, or on asyncio's own loop where there is none."""
    with asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        return runner.run(main)


def find_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give uvloop's factory; None where it is not installed (Windows)."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def prepare(scope: Scope) -> Settings:
    """Read the settings of a command that ends by itself; what is logged goes to standard error.

    Raises:
        ConfigError: the settings cannot be used.
    """
    settings = read_settings(scope)
    configure_logs(
        level=LogLevel.WARNING,
        format=settings.log_format,
        stream=sys.stderr,
        secrets=list_secret_texts(settings),
    )
    return settings
