"""Child processes of the demo: each ends when we end, whatever ends us, and none outlives a Ctrl-C.

Must never end a process that it did not start.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.errors import CommandError
from service.parent_tie import build_tie_to_parent

STOP_TIMEOUT_S: Final = 8.0
LOG_TAIL_LINES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A running process of ours.

    Attributes:
        name: of the role, for a person.
        log: file with what it writes to standard error (and output, if that is not read by us).
    """

    name: str
    process: Process
    log: Path

    def read_log_tail(self) -> str:
        """Give the last lines of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        except OSError:
            return ""

    async def read_line(self, timeout_s: float) -> str:
        """Give the first line of its standard output.

        Raises:
            CommandError: it ended, or said nothing in time.
        """
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self.process.stdout.readline()
        except TimeoutError as error:
            raise CommandError(
                f"{self.name} was not ready in {timeout_s:g} s\n{self.read_log_tail()}"
            ) from error
        if not line:
            raise CommandError(f"{self.name} ended before it was ready\n{self.read_log_tail()}")
        return line.decode()

    def check_alive(self) -> None:
        """Say so if it has ended.

        Raises:
            CommandError: it has.
        """
        if self.process.returncode is not None:
            raise CommandError(f"{self.name} ended ({self.process.returncode})\n{self.read_log_tail()}")


@asynccontextmanager
async def run_child(
    name: str,
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path,
    reads_output: bool = False,
) -> AsyncIterator[Child]:
    """Run `python -m service <arguments>` for as long as the block lasts.

    Args:
        environment: the whole environment of the child.
        directory: where it runs, and where its log goes.
        reads_output: its standard output is for us; otherwise it goes to the log.
    """
    log = directory / f"{name}.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service",
            *arguments,
            stdin=DEVNULL,
            stdout=PIPE if reads_output else file,
            stderr=file,
            cwd=directory,
            env=dict(environment),
            start_new_session=True,  # Ctrl-C is for us; we end the children in order.
            preexec_fn=build_tie_to_parent(),
        )
    try:
        yield Child(name=name, process=process, log=log)
    finally:
        await asyncio.shield(_stop(process))


async def _stop(process: Process) -> None:
    """Ask first, force when it does not obey."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
