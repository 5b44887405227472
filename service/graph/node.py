"""One place in a JSON payload, and liberal ways to read it. No I/O.

What cannot be read becomes None and a note that names the path. Must never put content into a note.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from service.errors import PayloadError
from service.reconcile.instant import Instant, parse_instant
from service.reconcile.model import DateTimeTimeZone
from service.reconcile.zones import find_zone

_LAST: Final = parse_instant("9999-12-31T23:59:59.999999999Z")
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonedTime:
    """A `dateTimeTimeZone`: as it was given, and the instant it means.

    Attributes:
        instant: None where the time or its zone means nothing to us.
    """

    given: DateTimeTimeZone
    instant: Instant | None


class Node:
    """A value somewhere in a payload.

    Args:
        value: decoded JSON; None stands for null and for missing alike.
        path: such as `attendees[2].status`; empty for the whole payload.
        notes: receives one sentence for each member that was there and could not be understood.
    """

    __slots__ = ("_notes", "_value", "path")

    def __init__(self, value: object, path: str = "", notes: list[str] | None = None) -> None:
        self._value = value
        self._notes: list[str] = [] if notes is None else notes
        self.path = path

    @property
    def is_absent(self) -> bool:
        """Tell whether it is null or missing."""
        return self._value is None

    @property
    def value(self) -> object:
        """The decoded JSON itself."""
        return self._value

    def __getitem__(self, name: str) -> Node:
        """Give a member; an absent one where this is no object or has none of that name."""
        path = f"{self.path}.{name}" if self.path else name
        if isinstance(self._value, dict):
            return Node(self._value.get(name), path, self._notes)
        if self._value is not None:
            self.note("expected an object")
        return Node(None, path, self._notes)

    def first(self, *names: str) -> Node:
        """Give the first member that is there; Graph spells some names in two ways."""
        members = [self[name] for name in names]
        return next((member for member in members if not member.is_absent), members[0])

    def has(self, name: str) -> bool:
        """Tell whether a member of that name is there, be it null."""
        return isinstance(self._value, dict) and name in self._value

    def items(self) -> tuple[Node, ...]:
        """Give the elements of a list, nulls left out; none where this is no list."""
        if isinstance(self._value, list):
            nodes = (Node(value, f"{self.path}[{at}]", self._notes) for at, value in enumerate(self._value))
            return tuple(node for node in nodes if not node.is_absent)
        if self._value is not None:
            self.note("expected a list")
        return ()

    def text(self) -> str | None:
        """Give a text; None where it is absent, blank, or something else."""
        text = self.title()
        return text if text is not None and text.strip() else None

    def require_text(self) -> str:
        """Give a text that has to be there.

        Raises:
            PayloadError: it is absent, blank, or something else.
        """
        text = self.text()
        if text is None:
            raise self.fail("text")
        return text

    def title(self) -> str | None:
        """Give a text that may well be blank; None where it is absent or something else."""
        if isinstance(self._value, str):
            return _clean(self._value)
        if self._value is not None:
            self.note("expected text")
        return None

    def word(self) -> str:
        """Give a text in lower case for comparison with names of Graph; empty where there is none."""
        return (self.text() or "").strip().lower()

    def flag(self) -> bool | None:
        """Give a truth value, also spelt as text; None where it is absent or something else."""
        value = self._value
        if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
            return value.strip().lower() == "true"
        if isinstance(value, bool) or value is None:
            return value
        self.note("expected true or false")
        return None

    def number(self) -> int | None:
        """Give a whole number, also spelt as text; None where it is absent or something else."""
        value = self._value
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            return int(value)
        if value is not None:
            self.note("expected a whole number")
        return None

    def instant(self) -> Instant | None:
        """Give an instant, UTC unless it says otherwise; None where it is absent or cannot be read."""
        text = self.text()
        if text is None:
            return None
        try:
            instant = parse_instant(text)
        except ValueError:
            self.note("expected an instant")
            return None
        return instant if self._is_in_calendar(instant) else None

    def require_instant(self) -> Instant:
        """Give an instant that has to be there.

        Raises:
            PayloadError: it is absent, or cannot be read.
        """
        instant = self.instant()
        if instant is None:
            raise self.fail("an instant")
        return instant

    def zoned_time(self) -> ZonedTime | None:
        """Give a `dateTimeTimeZone`; None where it has no time.

        Source: https://learn.microsoft.com/graph/api/resources/datetimetimezone
        """
        moment, zone_name = self.first("dateTime", "DateTime"), self.first("timeZone", "TimeZone")
        text = moment.text()
        if text is None:
            return None
        given = DateTimeTimeZone(date_time=text, time_zone=zone_name.text() or "UTC")
        zone = find_zone(given.time_zone)
        if zone is None:
            zone_name.note("expected a time zone that we know")
            return ZonedTime(given=given, instant=None)
        try:
            instant = parse_instant(text, zone)
        except ValueError:
            moment.note("expected a time")
            return ZonedTime(given=given, instant=None)
        return ZonedTime(given=given, instant=instant if moment._is_in_calendar(instant) else None)

    def _is_in_calendar(self, instant: Instant) -> bool:
        """Tell whether an instant lies before the year 10000, which an offset can reach."""
        if instant.ns > _LAST.ns:
            self.note("expected an instant before the year 10000")
        return instant.ns <= _LAST.ns

    def note(self, what: str) -> None:
        """Put down that this member was not what it should be."""
        sentence = f"{self.path or '$'}: {what}"
        if sentence not in self._notes:
            self._notes.append(sentence)

    def fail(self, expected: str) -> PayloadError:
        """Give the error that says what was missing here."""
        return PayloadError(self.path or "$", expected)


def require_object(payload: object, notes: list[str] | None = None) -> Node:
    """Give the payload as a node.

    Raises:
        PayloadError: it is no JSON object.
    """
    node = Node(payload, "", notes)
    if not isinstance(payload, dict):
        raise node.fail("an object")
    return node


def page_items(payload: object, notes: list[str] | None = None) -> tuple[Node, ...]:
    """Give the elements of a collection's `value`.

    Raises:
        PayloadError: there is no list of that name.

    Source: https://learn.microsoft.com/graph/paging
    """
    value = require_object(payload, notes)["value"]
    if value.is_absent:
        raise value.fail("a list")
    return value.items()


def _clean(text: str) -> str:
    """Replace halves of surrogate pairs: a preview cut in the middle of one could not be stored as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
