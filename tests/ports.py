"""Ports for what tests start: whoever is given one finds it free, however late it is bound.

A port that the system chose is anybody's again until it is bound; on a busy machine another test's listener
or connection gets it. So each process that runs tests has a block of ports below those that the system
chooses from, and holds its first one as a sign that the block is taken.
Source: https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html (ip_local_port_range)
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from typing import Final

LOOPBACK: Final = "127.0.0.1"
FIRST, END, BLOCK = 12_000, 32_000, 250


def choose_port() -> int:
    """Give a port of this process's block on which nobody listens; the next call gives another."""
    return next(port for port in _turns() if _is_free(port))


def choose_ports(*names: str) -> dict[str, int]:
    """Give a port for each name."""
    return {name: choose_port() for name in names}


@cache
def _turns() -> Iterator[int]:
    """Take a block for as long as this process lives; gives its ports in turn, for ever."""
    for first in range(FIRST, END, BLOCK):
        sign = socket.socket()
        try:
            sign.bind((LOOPBACK, first))
        except OSError:
            sign.close()
        else:
            sign.detach()  # held until the process ends, without an object that asks to be closed
            return cycle(range(first + 1, first + BLOCK))
    raise RuntimeError("every block of ports is taken")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as every listener does
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
