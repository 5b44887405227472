"""`sandbox`: the stand-in for Graph and Entra ID, alone. Says where it is in one line of JSON."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from service.commands.running import run
from service.errors import CommandError
from service.logs import configure_logs
from service.sandbox.command import run_sandbox
from service.sandbox.options import ReadyLine, SandboxOptions
from service.settings import LogFormat, LogLevel


def sandbox(  # noqa: PLR0917 - typer turns each parameter into an option
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback if not given.")] = "",
    name: Annotated[
        list[str] | None,
        typer.Option(help="Host name for URLs and certificate; repeatable, the first is handed out."),
    ] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Write the ready line there as well.")] = None,
    env_file: Annotated[Path | None, typer.Option(help="Write settings for the service there.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Write the CA's certificate there.")] = None,
    trust: Annotated[Path | None, typer.Option(help="PEM file: CAs to trust when calling webhooks.")] = None,
    webhook_certificate: Annotated[
        Path | None,
        typer.Option(
            "--webhook-certificate", help="Write cert.pem and key.pem for a webhook on this machine."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same ids and faults.")] = None,
) -> None:
    """Run the Graph sandbox until SIGTERM; prints one line of JSON when it is ready."""
    names = tuple(name or ())
    options = SandboxOptions(
        port=port,
        host=host,
        name=names[0] if names else "localhost",
        more_names=names[1:],
        ready_file=ready_file,
        env_file=env_file,
        ca_file=ca_file,
        trust_file=trust,
        webhook_certificate_folder=webhook_certificate,
        seed=seed,
    )
    configure_logs(level=LogLevel.WARNING, format=LogFormat.AUTO, stream=sys.stderr)
    run(_serve(options))


async def _serve(options: SandboxOptions) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        CommandError: the port is taken, or a file cannot be written.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await run_sandbox(options, stop, _announce)
    except OSError as error:
        raise CommandError(f"The sandbox cannot run: {error}.") from error


def _announce(ready: ReadyLine) -> None:
    sys.stdout.write(ready.to_json() + "\n")
    sys.stdout.flush()
