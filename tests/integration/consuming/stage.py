"""A stream to read from: entries as the service publishes them, and what was asked of the intake stream."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from service.consumer import Update, updates
from service.streams.keys import KeyNames
from service.streams.link import RedisLink


def build_fields(source: str, sequence: int, *, epoch: int = 1, value: str = "accepted") -> dict[str, str]:
    """Give an entry that says the answer of one attendee."""
    answer = {"value": value, "previous": "none", "time": None, "comment": None, "proposedNewTime": None}
    data: dict[str, Any] = {
        "attendee": {"address": "ann@x", "name": "Ann", "type": "required"},
        "response": answer,
        "event": {"subject": "Dinner"},
        "standing": "reported",
    }
    return {
        "specversion": "1.0",
        "id": f"{epoch}-{sequence}",
        "source": source,
        "type": "responsesync.response.changed",
        "subject": "ann@x",
        "epoch": str(epoch),
        "sequence": f"{sequence:020d}",
        "dataschema": "urn:responsesync:update:1",
        "data": json.dumps(data),
    }


def source_of(meeting: str, owner: str = "alex") -> str:
    return f"/owners/{owner}/meetings/{meeting}"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One deployment's streams on the shared server."""

    url: str
    link: RedisLink
    keys: KeyNames

    async def publish(self, *entries: dict[str, str], partition: int = 0, maxlen: int | None = None) -> None:
        for fields in entries:
            trim = () if maxlen is None else ("MAXLEN", maxlen)
            pairs = [text for pair in fields.items() for text in pair]
            await self.link.call("XADD", self.keys.updates(partition), *trim, "*", *pairs)

    async def read(self, count: int, **options: Any) -> list[Update]:
        """Read so many updates as a consumer that then leaves in good order."""
        found: list[Update] = []
        async with aclosing(self.open(**options)) as reading:
            async for update in reading:
                found.append(update)
                if len(found) == count:
                    break
        return found

    def open(self, *, group: str = "crm", consumer: str = "one", **options: Any) -> Any:
        return updates(
            self.url,
            group=group,
            consumer=consumer,
            stream=self.keys.stream,
            partitions=self.keys.partitions,
            **options,
        )

    async def count_pending(self, group: str = "crm", partition: int = 0) -> int:
        pending = await self.link.call("XPENDING", self.keys.updates(partition), group)
        return int(pending["pending"])

    async def list_wishes(self) -> Sequence[dict[str, str]]:
        """Give what was asked of the service."""
        page = await self.link.call("XRANGE", self.keys.intake, "-", "+")
        return [fields for _, fields in page]
