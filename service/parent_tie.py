"""Ties a child process to its parent, so that none outlives a parent that was killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def build_tie_to_parent() -> Callable[[], None] | None:
    """Give the `preexec_fn` by which a child ends when we are killed; None where there is no such thing.

    Source: https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    """
    if sys.platform != "linux":
        return None
    # Loaded before the fork: between fork and exec the child may only make plain calls.
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return tie
