"""The words of tracing: which spans there are, what they tell, and the tracing that records nothing. No I/O.

A trace travels as text, W3C `traceparent`: from step to step, through Redis in the entry, and out with each
update. So a step needs nothing but the text of the one before, in whatever process that ran.
Spans never hold an address, a subject or an id of a mail: the log line of the same `trace_id` says whose.

Source: https://www.w3.org/TR/trace-context/#traceparent-header
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol, Self

Value = bool | int | float | str
TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class SpanName(StrEnum):
    """The steps of an entry, in their order."""

    WEBHOOK = "webhook"
    INTAKE = "intake"
    PROCESS = "process"
    FETCH = "fetch"
    DERIVE = "derive"
    COMMIT = "commit"


SPANS: Final[Mapping[SpanName, str]] = {
    SpanName.WEBHOOK: "a POST of Graph of which something was taken, from its last byte to the answer",
    SpanName.INTAKE: "its entries are stored in Redis",
    SpanName.PROCESS: "one entry, from being taken by a worker to its end; each try has its own",
    SpanName.FETCH: "the item is read: out of the notification, or from Graph with all waiting for company",
    SpanName.DERIVE: "the facts join the state of the meeting, and what follows is derived",
    SpanName.COMMIT: "state and updates are written in one step; updates carry this span on",
}
"""README lists them; a test holds both equal."""

ATTRIBUTES: Final[Mapping[str, str]] = {
    "http.request.method": "of the POST",
    "http.route": "path of the POST",
    "http.response.status_code": "what Graph was answered",
    "messaging.system": "`redis`",
    "messaging.message.id": "id of the entry in the intake stream; `entry_id` in log lines",
    "messaging.batch.message_count": "entries of the POST",
    "response_sync.kind": "of the entry: `message`, `event`, `lifecycle`, `due`, `snapshot`",
    "response_sync.origin": "how the entry came to be: `notification`, `sweep`, ..",
    "response_sync.attempt": "how many tries failed before this one",
    "response_sync.deliveries": "how often the entry was handed out to a worker",
    "response_sync.outcome": "how it ended: as in `notification.processed`, or `deferred`, `dead_lettered`",
    "response_sync.carried": "whether the item came along with its notification",
    "response_sync.facts": "how many facts joined",
    "response_sync.updates": "how many updates were published",
    "error.type": "name of the error that ended the span; its words stand in the log",
}
"""Everything that a span may tell; a test holds README and what is exported to this list.

Source: https://opentelemetry.io/docs/specs/semconv/
"""


class Span(Protocol):
    """A step that is under way."""

    @property
    def traceparent(self) -> str:
        """What to hand to the steps that follow; always well formed."""

    def tell(self, attributes: Mapping[str, Value]) -> None:
        """Add to what is known of the step; the names are those of `ATTRIBUTES`."""

    def fail(self, error: BaseException) -> None:
        """Note that an error ended the step: by its name only."""

    def end(self) -> None:
        """End the step, once."""


class Tracing(Protocol):
    """Begins spans.

    Attributes:
        is_on: whether anything is recorded; where every microsecond counts nothing is asked for otherwise.
    """

    is_on: bool

    def begin(
        self,
        name: SpanName,
        *,
        parent: str,
        attributes: Mapping[str, Value] | None = None,
    ) -> Span:
        """Begin a step that ends elsewhere; the caller must end it.

        Args:
            parent: traceparent of the step before; a new trace begins where it is empty or malformed.
        """

    def span(
        self,
        name: SpanName,
        *,
        parent: str,
        attributes: Mapping[str, Value] | None = None,
        began_at: datetime | None = None,
    ) -> AbstractContextManager[Span]:
        """Give a step that lasts as long as the block; an error that leaves the block fails it.

        Args:
            began_at: UTC; now if not given.
        """


class _Passed:
    """A span that is not recorded: it hands on the trace that it was given, or makes one when asked."""

    __slots__ = ("_parent", "_random_hex")

    def __init__(self, parent: str, random_hex: Callable[[int], str]) -> None:
        self._parent = parent
        self._random_hex = random_hex

    @property
    def traceparent(self) -> str:
        if not TRACEPARENT.fullmatch(self._parent):
            ids = self._random_hex(24)
            self._parent = f"00-{ids[:32]}-{ids[32:]}-01"
        return self._parent

    def tell(self, attributes: Mapping[str, Value]) -> None: ...

    def fail(self, error: BaseException) -> None: ...

    def end(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Untraced:
    """Records nothing. Traces pass through all the same, and each entry has one, for logs and consumers."""

    is_on = False

    def __init__(self, random_hex: Callable[[int], str] = secrets.token_hex) -> None:
        """Take what is needed.

        Args:
            random_hex: gives so many random bytes as hex.
        """
        self._random_hex = random_hex

    def begin(self, name: SpanName, *, parent: str, attributes: Mapping[str, Value] | None = None) -> _Passed:
        """Give a span that hands on what it was given."""
        return _Passed(parent, self._random_hex)

    def span(
        self,
        name: SpanName,
        *,
        parent: str,
        attributes: Mapping[str, Value] | None = None,
        began_at: datetime | None = None,
    ) -> _Passed:
        """Give a span that hands on what it was given."""
        return _Passed(parent, self._random_hex)


UNTRACED: Final = Untraced()


def find_trace_id(traceparent: str) -> str:
    """Give the id of the trace, 32 hex digits, by which log lines and spans find each other."""
    return traceparent[3:35]
