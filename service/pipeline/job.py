"""One entry that a worker took, with the read that was begun for it and the span of this try."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from service.entries import CARRIED, IntakeEntry
from service.pipeline.behind import Read
from service.pipeline.retry import count_attempts
from service.ports import Delivered
from service.tracing.spans import UNTRACED, Span, SpanName, find_trace_id


@dataclass(slots=True, kw_only=True)
class Job:
    """An entry that was taken; without `entry` it could not be read.

    Attributes:
        span: of the try; it is not recorded where the entry could not be read.
        entry: has the trace of this try, for what works on it.
    """

    delivered: Delivered
    entry: IntakeEntry | None = None
    fetched: asyncio.Task[Read] | None = None
    span: Span = field(default_factory=lambda: UNTRACED.begin(SpanName.PROCESS, parent=""))

    @property
    def came_from(self) -> str:
        """The trace that the entry came with: each try begins there."""
        return self.delivered.fields.get("traceparent", "")

    def without_content(self) -> Delivered:
        """Give the entry without what the notification carried: one that is requeued later is fetched."""
        fields = {name: text for name, text in self.delivered.fields.items() if name not in CARRIED}
        return replace(self.delivered, fields=fields)

    def end_read(self) -> None:
        """Stop the read of the entry if it still runs, and look at its error if it had one."""
        if self.fetched is not None and not self.fetched.cancel() and not self.fetched.cancelled():
            self.fetched.exception()  # looked at, so that nobody is told it was not

    def describe(self) -> dict[str, str | int]:
        """Give what each line about the entry begins with."""
        if self.entry is None:
            return {"entry_id": self.delivered.id}
        return {
            "entry_id": self.delivered.id,
            "trace_id": find_trace_id(self.span.traceparent),
            "kind": str(self.entry.kind),
            "origin": str(self.entry.origin),
            "mailbox": self.entry.mailbox or self.entry.owner,
            "attempt": count_attempts(self.entry),
        }
