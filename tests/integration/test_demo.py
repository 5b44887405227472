"""The demo as a stranger sees it: it plays the walkthrough, ends by itself, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import read_bare_environment
from tests.integration.waiting import PATIENCE_S

DEADLINE_S = 100.0


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory for everything temporary; its name is short, because sockets live in it."""
    with tempfile.TemporaryDirectory(prefix="t") as name:
        made = Path(name) / "t"
        made.mkdir()
        yield made


def start_demo(place: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "service", "demo", *arguments],
        cwd=place.parent,
        env={**read_bare_environment(), "TMPDIR": str(place), "RESPONSE_SYNC_STREAM": "not-for-the-demo"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def list_left_processes(place: Path) -> list[str]:
    """Give the command lines of all living processes that were told of the temporary directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if str(place).encode() in (path / "environ").read_bytes() and int(path.name) != os.getpid():
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # ended meanwhile, or another user's
    return [line for line in found if line]


def assert_nothing_is_left(place: Path) -> None:
    assert list(place.iterdir()) == []
    deadline = time.monotonic() + PATIENCE_S
    while (left := list_left_processes(place)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def read_until(demo: subprocess.Popen[str], words: str) -> Iterator[str]:
    assert demo.stdout is not None
    for line in demo.stdout:
        yield line
        if words in line:
            return
    raise AssertionError(f"the demo ended before it said {words!r}")


def test_the_demo_plays_the_walkthrough_and_leaves_nothing_behind(place: Path) -> None:
    demo = start_demo(place)

    output, _ = demo.communicate(timeout=DEADLINE_S)

    assert demo.returncode == 0, output
    for number in range(1, 7):
        assert f"\n{number}. " in output
    updates = [line.split()[2] for line in output.splitlines() if line.lstrip().startswith("→")]
    assert sorted(updates) == ["attendee.added", "attendee.added", "response.changed", "response.confirmed"]
    assert updates.index("response.changed") < updates.index("response.confirmed")
    table = output[output.rindex("answered at") :]
    assert "tentativelyAccepted" in table
    assert "confirmed" in table
    assert "Megan Bowen" in table
    assert_nothing_is_left(place)


@pytest.mark.parametrize("words", ["Graph sandbox", "Everything stays up"], ids=["starting", "staying"])
def test_ctrl_c_leaves_no_process_and_no_directory(place: Path, words: str) -> None:
    demo = start_demo(place, "--keep")
    said = list(read_until(demo, words))

    os.kill(demo.pid, signal.SIGINT)
    output, _ = demo.communicate(timeout=DEADLINE_S)

    assert demo.returncode == 130, "".join(said) + output
    assert "Traceback" not in output
    assert_nothing_is_left(place)
