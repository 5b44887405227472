"""What a trial tells while it runs, and what it fails with. Must never judge anything."""

from __future__ import annotations

import sys
import time


class BrokenPromiseError(AssertionError):
    """A promise of the service that did not hold; its text says which, one fault a line."""


class History:
    """What happened, with the seconds since the trial began; every line is also printed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.monotonic()
        self.lines: list[str] = []

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._began

    def tell(self, text: str) -> None:
        """Take note of something, and print it."""
        line = f"{self._name} {self.age_s:7.1f} s  {text}"
        self.lines.append(line)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Take note of something too small to be printed unless the trial fails."""
        self.lines.append(f"{self._name} {self.age_s:7.1f} s    {text}")

    def demand(self, faults: list[str], *, of: str) -> None:
        """Fail unless there are no faults.

        Raises:
            BrokenPromiseError: there are; at most 20 are named.
        """
        if faults:
            rest = [f"... and {len(faults) - 20} more"] if len(faults) > 20 else []
            raise BrokenPromiseError("\n".join([f"{of}: {len(faults)} faults", *faults[:20], *rest]))
