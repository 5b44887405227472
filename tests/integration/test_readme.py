"""The commands of README do what README says, typed as they stand there."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

from service.settings import read_bare_environment
from tests.integration.surroundings import DEADLINE_S
from tests.ports import choose_port

ROOT = Path(__file__).parents[2]


def read_block(heading: str) -> str:
    """Give the first block of commands under a heading."""
    section = (ROOT / "README.md").read_text().split(f"\n## {heading}\n", 1)[1]
    block = re.search(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1]


def adapt(block: str, public_port: int) -> str:
    """Leave out what enters the .venv, for it may have another name here, and end the parts in any shell."""
    lines = [line for line in block.splitlines() if not line.startswith(". PATH/TO")]
    assert lines.pop() == "kill %1 %2"
    return "\n".join(["trap 'kill 0' EXIT", *lines]).replace("localhost:8080", f"localhost:{public_port}")


async def test_a_stranger_sees_an_update_without_a_tenant(tmp_path: Path) -> None:
    public_port = choose_port()
    places = [str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {
        **read_bare_environment(),
        "PATH": os.pathsep.join(places),
        "PORT": str(public_port),
        "RESPONSE_SYNC_ADMIN_PORT": str(choose_port()),
    }
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-euc",
        adapt(read_block("Without a tenant"), public_port),
        cwd=tmp_path,
        env=environment,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            output, _ = await process.communicate()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    said = output.decode()
    assert re.search(r"(attendee\.added|response\.snapshot) +christiec@.*Lunch", said), said
    assert re.search(r"2030-01-08T12:00 UTC +Lunch: 1 none", said), said
    assert "Traceback" not in said


def test_every_target_of_make_that_readme_names_is_one() -> None:
    text, makefile = ((ROOT / name).read_text() for name in ("README.md", "Makefile"))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert named
    assert named <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
