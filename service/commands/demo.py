"""`demo`: the walkthrough of a delegated calendar through the real service, all on this machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from service.commands.running import run
from service.commands.screen import open_screen
from service.demo.play import play_demo
from service.logs import configure_logs
from service.settings import LogFormat, LogLevel


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running, and print where it is.")
    ] = False,
) -> None:
    """Play the walkthrough of a delegated calendar, from the sandbox's Graph API to the update stream."""
    configure_logs(level=LogLevel.WARNING, format=LogFormat.AUTO, stream=sys.stderr)
    run(play_demo(open_screen(), keeps_running=keep))
