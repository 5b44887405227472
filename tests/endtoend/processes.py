"""Processes of `python -m service`, each with a log of its own. Never ends another process."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from service.settings import read_bare_environment

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 90.0
PR_SET_PDEATHSIG = 1


@dataclass(slots=True, kw_only=True)
class Running:
    """A process that runs, or has ended.

    Attributes:
        log: what it and those before it of the same name wrote to standard output and error.
    """

    name: str
    process: Process
    log: Path

    async def kill(self) -> None:
        """End it as a power cut does."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    def pause(self) -> None:
        """Stop it in its tracks, as a machine does that is overloaded."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def terminate(self) -> tuple[int, float]:
        """Ask it to end; gives exit code and how long it took.

        Raises:
            TimeoutError: it did not; it is killed then.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                code = await self.process.wait()
        except TimeoutError:
            await self.kill()
            raise
        return code, loop.time() - began

    def read_log(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What came of a command that ended by itself."""

    code: int
    output: str
    errors: str


async def start(
    name: str, arguments: Sequence[str], *, settings: Mapping[str, str], directory: Path, reads: bool = False
) -> Running:
    """Start a command in a session of its own.

    Args:
        settings: all that it is told; nothing of our own environment but the bare necessities.
        reads: its standard output is for us instead of the log.
    """
    log = directory / f"{name}.log"
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service",
            *arguments,
            stdin=DEVNULL,
            stdout=PIPE if reads else file,
            stderr=file,
            cwd=directory,
            env={**read_bare_environment(), **settings},
            start_new_session=True,
            preexec_fn=build_tie_to_parent(),
        )
    return Running(name=name, process=process, log=log)


async def run_to_end(
    arguments: Sequence[str], *, settings: Mapping[str, str], directory: Path, timeout_s: float = 90.0
) -> Ended:
    """Run a command that ends by itself.

    Raises:
        TimeoutError: it did not end in time; it is killed then.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        *arguments,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        cwd=directory,
        env={**read_bare_environment(), **settings},
        preexec_fn=build_tie_to_parent(),
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
    return Ended(code=process.returncode or 0, output=output.decode(), errors=errors.decode())


def build_tie_to_parent() -> Callable[[], None] | None:
    """Give what ends a child together with the test run; None where the system has no such thing.

    Source: https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
