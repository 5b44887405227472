"""Extended (MAPI) properties: their ids, and their values in a payload. No I/O.

Graph answers with the id in another spelling than was asked for (case, leading zeros), so ids are compared
parsed, never as text.

Source: https://learn.microsoft.com/graph/api/resources/extended-properties-overview and
https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxprops
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from service.graph.node import Node
from service.reconcile.instant import Instant, parse_instant

_ID: Final = re.compile(
    r"\w+\s+(?:\{(?P<set>[0-9a-f-]{36})\}\s+id\s+)?0x(?P<number>[0-9a-f]{1,8})", re.IGNORECASE | re.ASCII
)
_MEETING: Final = "6ED8DA90-450B-101B-98DA-00AA003F1305"
_APPOINTMENT: Final = "00062002-0000-0000-C000-000000000046"


@dataclass(frozen=True, slots=True)
class PropertyId:
    """The id of an extended property.

    Attributes:
        kind: `String`, `Integer`, `Boolean`, `SystemTime` or `Binary`.
        number: tag, or id within the set.
        set: GUID of the property set; empty for tagged properties.
    """

    kind: str
    number: int
    set: str = ""

    def __str__(self) -> str:
        if self.set:
            return f"{self.kind} {{{self.set}}} Id 0x{self.number:X}"
        return f"{self.kind} 0x{self.number:04X}"

    @property
    def key(self) -> tuple[str, int]:
        """What two spellings of one id have in common."""
        return (self.set.lower(), self.number)


GLOBAL_OBJECT_ID: Final = PropertyId("Binary", 0x3, _MEETING)
CLEAN_GLOBAL_OBJECT_ID: Final = PropertyId("Binary", 0x23, _MEETING)
ATTENDEE_CRITICAL_CHANGE: Final = PropertyId("SystemTime", 0x1, _MEETING)
"""When the response was made."""
SEQUENCE: Final = PropertyId("Integer", 0x8201, _APPOINTMENT)
START: Final = PropertyId("SystemTime", 0x820D, _APPOINTMENT)
END: Final = PropertyId("SystemTime", 0x820E, _APPOINTMENT)
ALL_DAY: Final = PropertyId("Boolean", 0x8215, _APPOINTMENT)
COUNTER_PROPOSAL: Final = PropertyId("Boolean", 0x8257, _APPOINTMENT)
PROPOSED_START: Final = PropertyId("SystemTime", 0x8250, _APPOINTMENT)
PROPOSED_END: Final = PropertyId("SystemTime", 0x8251, _APPOINTMENT)
MESSAGE_CLASS: Final = PropertyId("String", 0x001A)
SENSITIVITY: Final = PropertyId("Integer", 0x0036)
RECEIVED_REPRESENTING_SMTP: Final = PropertyId("String", 0x5D08)
RECEIVED_REPRESENTING_ADDRESS: Final = PropertyId("String", 0x0078)
SENDER_SMTP: Final = PropertyId("String", 0x5D01)
SENT_REPRESENTING_SMTP: Final = PropertyId("String", 0x5D02)

OF_MESSAGES: Final = (
    GLOBAL_OBJECT_ID,
    CLEAN_GLOBAL_OBJECT_ID,
    ATTENDEE_CRITICAL_CHANGE,
    SEQUENCE,
    START,
    END,
    ALL_DAY,
    COUNTER_PROPOSAL,
    PROPOSED_START,
    PROPOSED_END,
    MESSAGE_CLASS,
    SENSITIVITY,
    RECEIVED_REPRESENTING_SMTP,
    RECEIVED_REPRESENTING_ADDRESS,
    SENDER_SMTP,
    SENT_REPRESENTING_SMTP,
)
"""What is asked for with each message."""
OF_EVENTS: Final = (SEQUENCE, GLOBAL_OBJECT_ID)
"""What is asked for with each event."""


def build_expand(ids: Sequence[PropertyId]) -> str:
    """Give the `$expand` that asks for these properties, not yet percent-encoded.

    Source: https://learn.microsoft.com/graph/api/singlevaluelegacyextendedproperty-get
    """
    wanted = " or ".join(f"id eq '{wanted}'" for wanted in ids)
    return f"singleValueExtendedProperties($filter={wanted})"


class ExtendedProperties:
    """The extended properties that came with a message or an event."""

    def __init__(self, owner: Node) -> None:
        self._values: dict[tuple[str, int], Node] = {}
        for item in owner["singleValueExtendedProperties"].items():
            match = _ID.fullmatch(item["id"].text() or "")
            if match is not None:
                self._values[((match["set"] or "").lower(), int(match["number"], 16))] = item["value"]

    def text(self, wanted: PropertyId) -> str | None:
        """Give a text; None where it was not sent."""
        return self._node(wanted).text()

    def number(self, wanted: PropertyId) -> int | None:
        """Give a whole number; None where it was not sent or cannot be read."""
        return self._node(wanted).number()

    def flag(self, wanted: PropertyId) -> bool | None:
        """Give a truth value; None where it was not sent or cannot be read."""
        return self._node(wanted).flag()

    def instant(self, wanted: PropertyId) -> Instant | None:
        """Give an instant; None where it was not sent, or is one of MAPI's words for "no date"."""
        instant = self._node(wanted).instant()
        return None if instant is None or not _FIRST.ns < instant.ns < _LAST.ns else instant

    def binary(self, wanted: PropertyId) -> bytes | None:
        """Give the bytes; None where they were not sent or cannot be read."""
        node = self._node(wanted)
        text = node.text()
        if text is None:
            return None
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            node.note("expected base64")
            return None

    def _node(self, wanted: PropertyId) -> Node:
        return self._values.get(wanted.key, Node(None))


# A FILETIME of zero is the start of 1601; Outlook writes 4501 for "none".
_FIRST: Final = parse_instant("1601-01-02T00:00:00Z")
_LAST: Final = parse_instant("4500-01-01T00:00:00Z")
