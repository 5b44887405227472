"""The ports that tests are given: no two get the same one, be they of one process or of two."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.ports import BLOCK, LOOPBACK, choose_port, choose_ports

ROOT = Path(__file__).parents[2]
GIVE_ALL = f"from tests.ports import choose_port; print(*(choose_port() for _ in range({BLOCK})))"


def test_no_port_is_given_twice_before_all_others_were() -> None:
    given = choose_ports(*(f"number {number}" for number in range(BLOCK - 50)))  # some may be taken
    assert len(set(given.values())) == BLOCK - 50


def test_a_port_on_which_somebody_listens_is_left_out() -> None:
    with socket.create_server((LOOPBACK, choose_port())) as taken:
        assert taken.getsockname()[1] not in [choose_port() for _ in range(2 * BLOCK)]


def test_two_processes_are_never_given_the_same() -> None:
    ours = {choose_port()}
    other = subprocess.run(
        [sys.executable, "-c", GIVE_ALL], cwd=ROOT, capture_output=True, text=True, check=True
    )
    ours |= {choose_port() for _ in range(BLOCK)}
    assert not ours & {int(word) for word in other.stdout.split()}
