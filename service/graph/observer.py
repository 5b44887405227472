"""What the Graph side tells about itself while it works.

Must never be told content, nor whose anything is, but for the audit line of each access to a mailbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class GraphObserver(Protocol):
    """Counts and logs; every method returns at once and never raises."""

    def request_sent(self) -> None:
        """An HTTP request goes out; `request_answered` always follows."""

    def request_answered(self, *, kind: str, status: int, duration_s: float) -> None:
        """An HTTP request ended; 0 stands for no answer. A `$batch` is one request of kind `batch`."""

    def part_answered(self, *, kind: str, status: int) -> None:
        """One part of a `$batch` was answered."""

    def mailbox_accessed(self, *, mailbox: str, kind: str, status: int) -> None:
        """Graph answered a request that was about a mailbox, alone or within a `$batch`."""

    def request_throttled(self, *, kind: str, retry_after_s: float | None) -> None:
        """Graph asked to wait; None where it named no time."""

    def clock_read(self, *, ahead_s: float) -> None:
        """Graph told its time with an answer; so far it is ahead of ours, to the second."""

    def request_held_back(self, *, kind: str, reason: str) -> None:
        """A request was not sent; `reason` is the code of a `HeldBackError`."""

    def token_acquired(self, *, duration_s: float, expires_at_s: float) -> None:
        """A token was got; it ends at `expires_at_s`, Unix time."""

    def token_refused(self, *, outcome: str, duration_s: float) -> None:
        """A token was asked for in vain; `outcome` is the code of the refusal."""

    def payload_noted(self, *, kind: str, notes: Sequence[str]) -> None:
        """Members of an answer could not be understood; each note is a path and what was expected there."""


class SilentObserver:
    """Tells nobody."""

    def request_sent(self) -> None: ...

    def request_answered(self, *, kind: str, status: int, duration_s: float) -> None: ...

    def part_answered(self, *, kind: str, status: int) -> None: ...

    def mailbox_accessed(self, *, mailbox: str, kind: str, status: int) -> None: ...

    def request_throttled(self, *, kind: str, retry_after_s: float | None) -> None: ...

    def clock_read(self, *, ahead_s: float) -> None: ...

    def request_held_back(self, *, kind: str, reason: str) -> None: ...

    def token_acquired(self, *, duration_s: float, expires_at_s: float) -> None: ...

    def token_refused(self, *, outcome: str, duration_s: float) -> None: ...

    def payload_noted(self, *, kind: str, notes: Sequence[str]) -> None: ...
