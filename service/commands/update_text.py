"""One update as a line for a person, and the attendees as a consumer of the stream knows them.

Everything shown here came from mail and calendars: it is escaped by `screen.show_text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from service.cloud_events import TYPE_PREFIX
from service.commands.screen import build_table, show_text
from service.views.published import read_data

VALUE_STYLES: Final = {"accepted": "green", "tentativelyAccepted": "yellow", "declined": "red"}
STANDING_STYLES: Final = {"confirmed": "green", "conflicting": "bold red", "reported": "yellow"}


def describe_update(stream_id: str, fields: Mapping[str, str]) -> Text:
    """Give one line: when it was published, what it is, whom it concerns, from what to what."""
    data = read_data(fields)
    kind = fields.get("type", "?").removeprefix(TYPE_PREFIX)
    line = Text.assemble(
        show_text(format_stream_time(stream_id), "dim"), "  ", show_text(f"{kind:<20}", "bold cyan"), " "
    )
    attendee, response = data.get("attendee"), data.get("response")
    if isinstance(attendee, dict) and isinstance(response, dict):
        line.append_text(show_text(attendee.get("address", "?")))
        line.append("  ")
        line.append_text(_describe_answer(kind, response, data))
    event = data.get("event") or {}
    line.append("  ")
    line.append_text(show_text(f"“{event.get('subject') or 'private'}”", "dim"))
    return line


def format_stream_time(stream_id: str) -> str:
    """Give the time that a stream id holds, UTC, to the millisecond."""
    digits = stream_id.partition("-")[0]
    if not digits.isdecimal():
        return "--:--:--.---"
    return datetime.fromtimestamp(int(digits) / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]


def format_stream_moment(stream_id: str) -> str:
    """Give the day and time that a stream id holds, RFC 3339 in UTC, to the millisecond."""
    digits = stream_id.partition("-")[0]
    if not digits.isdecimal():
        return "unknown"
    moment = datetime.fromtimestamp(int(digits) / 1000, UTC)
    return f"{moment.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"


def _describe_answer(kind: str, response: Mapping[str, Any], data: Mapping[str, Any]) -> Text:
    value, previous, standing = response.get("value"), response.get("previous"), data.get("standing")
    line = Text()
    if kind in ("response.changed", "response.reset"):
        line.append_text(show_text(f"{previous or 'nothing'} → "))
    line.append_text(show_text(value, VALUE_STYLES.get(str(value), "")))
    line.append_text(show_text(f" ({standing})", STANDING_STYLES.get(str(standing), "dim")))
    if comment := response.get("comment"):
        line.append_text(show_text(f" “{comment}”", "italic"))
    return line


@dataclass(slots=True)
class Attendance:
    """Who is coming to one meeting, as folded from the updates of one source.

    Attributes:
        rows: address -> name, value, standing, time; in the order in which they were heard of.
    """

    subject: str = ""
    rows: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)

    def apply(self, fields: Mapping[str, str]) -> None:
        """Take in the next update of the source."""
        data = read_data(fields)
        self.subject = (data.get("event") or {}).get("subject") or self.subject
        attendee, response = data.get("attendee"), data.get("response")
        if not isinstance(attendee, dict) or not isinstance(response, dict):
            return
        address = str(attendee["address"])
        if fields.get("type") == f"{TYPE_PREFIX}attendee.removed":
            self.rows.pop(address, None)
            return
        self.rows[address] = (
            str(attendee.get("name") or ""),
            str(response["value"]),
            str(data["standing"]),
            str(response.get("time") or ""),
        )

    def find_answer(self, address: str) -> tuple[str, str] | None:
        """Give value and standing of an attendee; None where nothing was heard of them."""
        for one, (_, value, standing, _) in self.rows.items():
            if one.casefold() == address.casefold():
                return value, standing
        return None

    def build_table(self) -> Table:
        """Give the table of attendees."""
        rows = [
            (
                name,
                address,
                show_text(value, VALUE_STYLES.get(value, "")),
                show_text(standing, STANDING_STYLES.get(standing, "")),
                time,
            )
            for address, (name, value, standing, time) in self.rows.items()
        ]
        return build_table(self.subject, ("attendee", "address", "answer", "standing", "answered at"), rows)
