"""What was published of a meeting, read back from the update stream. Only reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import unquote

from service.cloud_events import TYPE_PREFIX
from service.stream_ids import ms_of
from service.streams.update_stream import PublishedUpdate

PAGE_UPDATES: Final = 1_000
CLOCK_SLACK_MS: Final = 60_000
"""Epochs may run ahead of the ids of a stream by a little, where many meetings were born at once."""


class UpdateReader(Protocol):
    """The update stream, as far as it is searched; raises `StreamError`."""

    async def list_newest(
        self, stream: str, *, count: int, before: str = ""
    ) -> tuple[PublishedUpdate, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """An update as far as the story tells of it.

    Attributes:
        id: of the entry in the stream, which begins with the time of publishing.
        event_id: the update's own `id`.
        subject: the attendee; None at meeting level.
        instance: original date of the occurrence; None for the whole.
    """

    id: str
    event_id: str
    source: str
    subject: str | None
    instance: str | None
    type: str
    value: str | None
    previous: str | None
    standing: str | None
    time: str | None

    @classmethod
    def read(cls, entry_id: str, fields: Mapping[str, str]) -> Published:
        """Read an entry of the stream; members that are not there are None."""
        data = read_data(fields)
        response = data.get("response") or {}
        source = fields.get("source", "")
        _, is_occurrence, instance = source.partition("/instances/")
        return cls(
            id=entry_id,
            event_id=fields.get("id", ""),
            source=source,
            subject=fields.get("subject"),
            instance=unquote(instance) if is_occurrence else None,
            type=fields.get("type", "").removeprefix(TYPE_PREFIX),
            value=response.get("value"),
            previous=response.get("previous"),
            standing=data.get("standing"),
            time=fields.get("time"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a meeting's stream says.

    Attributes:
        found: oldest first.
        ended_at: id of the oldest update that was looked at, where there may be older ones; else empty.
    """

    found: list[Published]
    ended_at: str


async def search_published(
    updates: UpdateReader, stream: str, *, source: str, epoch: int | None, entries_max: int
) -> Search:
    """Read the update stream backwards to the birth of a meeting's state, or to the limit.

    Args:
        source: of the meeting as a whole; its occurrences are found too.
        epoch: when its state was born, Redis' time in ms.

    Raises:
        StreamError: Redis is away.
    """
    born_ms = (epoch or 0) - CLOCK_SLACK_MS
    found: list[Published] = []
    before, left = "", entries_max
    while left > 0:
        page = await updates.list_newest(stream, count=min(PAGE_UPDATES, left), before=before)
        for update in page:
            one = Published.read(update.id, update.fields)
            if one.source == source or one.source.startswith(f"{source}/instances/"):
                found.append(one)
        if len(page) < min(PAGE_UPDATES, left) or ms_of(page[-1].id) < born_ms:
            return Search(found=found[::-1], ended_at="")
        before, left = page[-1].id, left - len(page)
    return Search(found=found[::-1], ended_at=before)


def select_story(found: Iterable[Published], subject: str | None) -> list[Published]:
    """Give what was published of an attendee, and what was said of the meeting meanwhile, in order.

    A move or an ending is why an answer was reset, or is not spoken of any more.

    Args:
        subject: the attendee as the stream names them.
    """
    return [one for one in found if one.subject in (None, subject)]


def read_data(fields: Mapping[str, str]) -> dict[str, Any]:
    """Read the `data` of an update; empty where it is not what the contract says."""
    try:
        data = json.loads(fields.get("data", ""))
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
