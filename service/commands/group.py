"""The group of all commands: imports one when it is used, and turns errors into words and exit codes.

Imports nothing of the service but its errors, for everything passes here first.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from service.errors import CommandError, ConfigError, LayoutError, ServiceError, TokenError

EXIT_FAULT: Final = 1
EXIT_SETTINGS: Final = 2
EXIT_INTERRUPTED: Final = 130
LINE_MAX: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A command that may not be imported yet.

    Attributes:
        place: module in `service.commands` and name in it, of a function or of a group of commands.
        summary: what the list of commands says; the first line of what the command says of itself.
        example: empty for groups, whose commands have their own.
    """

    place: str
    summary: str
    example: str = ""

    def load(self, name: str) -> Any:
        """Import it; gives it as typer's own kind of command.

        Raises:
            CommandError: it needs a package that only the extra `demo` installs.
        """
        module, _, attribute = self.place.partition(":")
        try:
            loaded = getattr(importlib.import_module(f"service.commands.{module}"), attribute)
        except ModuleNotFoundError as error:
            raise CommandError(
                f"`{name}` needs the package {error.name}; the extra `demo` brings it: "
                "pip install 'graph-response-sync[demo]', or '.[demo]' in the source."
            ) from error
        parent = typer.Typer(add_completion=False, rich_markup_mode=None)
        if isinstance(loaded, typer.Typer):
            parent.add_typer(loaded, name=name)
            return get_group(parent).commands[name]
        parent.command(name, epilog=f"Example: {self.example}")(loaded)
        return get_command(parent)


def build_group(commands: Mapping[str, Listed]) -> type[TyperGroup]:
    """Give the class of a group that has these commands, in this order."""

    class Group(ServiceGroup):
        listed = commands

    return Group


class ServiceGroup(TyperGroup):
    """Turns the errors of the service into words and exit codes; every command passes here."""

    listed: Mapping[str, Listed] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Give the names, in the order in which they are shown."""
        return list(self.listed)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; None where there is none of that name."""
        listed = self.listed.get(cmd_name)
        return None if listed is None else listed.load(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.summary) for name, one in self.listed.items()])

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
    from service.commands.screen import open_screen, show_text  # noqa: PLC0415 - only where something is wrong

    screen = open_screen(is_error=True)
    for line in filter(None, "\n".join(lines).splitlines()):
        screen.print(show_text(line, length_max=LINE_MAX))
