"""What happened in a history, line by line, for whoever has to find out why it failed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

LINES_MAX: Final = 400


class Story:
    """Lines, each with its time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.lines: list[str] = []
        self._now = now

    def tell(self, what: str) -> None:
        if len(self.lines) < LINES_MAX:
            self.lines.append(f"{self._now():%d %H:%M:%S.%f}"[:-3] + f" {what}")

    def __str__(self) -> str:
        return "\n".join(self.lines)
