"""How a command runs: on a fast event loop, and with an exit code that tells what went wrong."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import typer
from typer.core import TyperGroup

from service.commands.screen import open_screen, show_text
from service.errors import ConfigError, LayoutError, ServiceError, TokenError
from service.logs import configure_logs
from service.settings import LogLevel, Scope, Settings, list_secret_texts, read_settings

EXIT_FAULT: Final = 1
EXIT_SETTINGS: Final = 2
EXIT_INTERRUPTED: Final = 130
LINE_MAX: Final = 2_000

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


class ServiceGroup(TyperGroup):
    """Turns the errors of the service into words and exit codes; every command passes here."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            typer.Exit: 2 for settings, 1 for what the service says, 130 when interrupted.
        """
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            _say("The settings cannot be used:", *(f"  {fault}" for fault in error.faults))
            raise typer.Exit(EXIT_SETTINGS) from error
        except LayoutError as error:
            _say(f"{error}")
            raise typer.Exit(EXIT_SETTINGS) from error
        except TokenError as error:
            _say(f"No access token: {error}", error.remedy)
            raise typer.Exit(EXIT_FAULT) from error
        except ServiceError as error:
            _say(f"{error}")
            raise typer.Exit(EXIT_FAULT) from error
        except (KeyboardInterrupt, asyncio.CancelledError) as error:
            raise typer.Exit(EXIT_INTERRUPTED) from error


def _say(*lines: str) -> None:
    screen = open_screen(is_error=True)
    for line in filter(None, "\n".join(lines).splitlines()):
        screen.print(show_text(line, length_max=LINE_MAX))
