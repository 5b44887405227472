"""One entry of the update stream, opened. Reads version 1 and ignores what it does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import msgspec

PREFIX: Final = "responsesync."
DATA_SCHEMA: Final = "urn:responsesync:update:1"
WHOLE: Final = ""
"""The instance of a single meeting, or of a series as a whole."""


class NotAnUpdateError(ValueError):
    """An entry of the stream is no update of version 1; says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One change, as it was published.

    Attributes:
        stream, entry: where it stands: key of the stream and id of the entry.
        id, source: together unique.
        owner, meeting, instance: what `source` names, percent-decoded; `instance` is the original date of
            one occurrence, or `WHOLE`.
        type: without its prefix: `response.changed`, `attendee.added`, ..; more may come, ignore those that
            you do not know.
        attendee: address; None for what is said of the meeting.
        epoch, sequence: the sequence rises by one per source and epoch; a higher epoch replaces a lower.
        time: when the attendee responded, RFC 3339; None where nobody knows.
        traceparent: W3C trace context of the commit that published it, for the spans of who handles it.
        data: the payload, as `deploy/update.schema.json` describes it.
    """

    stream: str
    entry: str
    id: str
    source: str
    owner: str
    meeting: str
    instance: str
    type: str
    attendee: str | None
    epoch: int
    sequence: int
    time: str | None
    traceparent: str
    data: Mapping[str, Any]

    @property
    def value(self) -> str | None:
        """The attendee's answer now, in Graph's words; None for what is said of the meeting."""
        return self._response.get("value")

    @property
    def previous(self) -> str | None:
        return self._response.get("previous")

    @property
    def standing(self) -> str | None:
        return self.data.get("standing")

    @property
    def proposal(self) -> Mapping[str, Any] | None:
        """The time that the attendee proposes: `start` and `end`, each with `dateTime` and `timeZone`."""
        return self._response.get("proposedNewTime")

    @property
    def _response(self) -> Mapping[str, Any]:
        return self.data.get("response") or {}


def parse_update(stream: str, entry: str, fields: Mapping[str, str]) -> Update:
    """Open an entry.

    Raises:
        NotAnUpdateError: it is none, or one of another version.
    """
    try:
        return _parse(stream, entry, fields)
    except KeyError as error:
        raise NotAnUpdateError(f"{stream} {entry}: no field {error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise NotAnUpdateError(f"{stream} {entry}: {error}") from error


def _parse(stream: str, entry: str, fields: Mapping[str, str]) -> Update:
    if fields["dataschema"] != DATA_SCHEMA:
        raise ValueError(f"dataschema is {fields['dataschema']!r}, not {DATA_SCHEMA!r}")
    if not fields["type"].startswith(PREFIX):
        raise ValueError(f"type is {fields['type']!r}")
    owner, meeting, instance = _split_source(fields["source"])
    return Update(
        stream=stream,
        entry=entry,
        id=fields["id"],
        source=fields["source"],
        owner=owner,
        meeting=meeting,
        instance=instance,
        type=fields["type"].removeprefix(PREFIX),
        attendee=fields.get("subject"),
        epoch=int(fields["epoch"]),
        sequence=int(fields["sequence"]),
        time=fields.get("time"),
        traceparent=fields.get("traceparent", ""),
        data=msgspec.json.decode(fields["data"], type=dict[str, Any]),
    )


def _split_source(source: str) -> tuple[str, str, str]:
    match [unquote(part) for part in source.split("/")]:
        case ["", "owners", owner, "meetings", meeting]:
            return owner, meeting, WHOLE
        case ["", "owners", owner, "meetings", meeting, "instances", instance]:
            return owner, meeting, instance
    raise ValueError(f"source is {source!r}")
