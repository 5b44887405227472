"""MAPI properties as Graph's extended properties, and the global object id. Bytes and text only.

Sources: MS-OXOCAL 2.2.1.27 (PidLidGlobalObjectId), MS-OXPROPS, and
https://learn.microsoft.com/graph/api/resources/extended-properties-overview
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from service.sandbox.wire import GraphFault

_MEETING: Final = "6ed8da90-450b-101b-98da-00aa003f1305"
_APPOINTMENT: Final = "00062002-0000-0000-c000-000000000046"
_TYPES: Final = {
    name.lower(): name
    for name in (
        *("ApplicationTime", "Binary", "Boolean", "CLSID", "Currency", "Double", "Error", "Float"),
        *("Integer", "Long", "Short", "String", "SystemTime"),
    )
}
_NAMED: Final = re.compile(r"^(\w+) \{([0-9a-fA-F-]{36})\} (Id|Name) (.+)$")
_TAG: Final = re.compile(r"^(\w+) (0[xX][0-9a-fA-F]{1,8})$")
_FILETIME_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)
_BLOB_START: Final = bytes.fromhex("040000008200E00074C5B7101A82E008")
_FOREIGN_START: Final = b"vCal-Uid\x01\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class PropertyId:
    """The id of an extended property, compared parsed.

    Attributes:
        type: MAPI type in the spelling of the documentation.
        set: property set as lower-case guid; empty for a tag.
        name: number of a tag or of an id; text of a named property, in its own case.
    """

    type: str
    set: str
    name: int | str

    def render(self) -> str:
        """Spell the id as Graph answers: hex in lower case, without leading zeros."""
        if not self.set:
            return f"{self.type} 0x{self.name:x}"
        kind, name = ("Id", f"0x{self.name:x}") if isinstance(self.name, int) else ("Name", self.name)
        return f"{self.type} {{{self.set}}} {kind} {name}"


def parse_property_id(text: str) -> PropertyId:
    """Read an id in any of the three formats.

    Raises:
        GraphFault: 400 for what is none.
    """
    if tag := _TAG.match(text):
        kind, set_, name = tag[1], "", int(tag[2], 16)
        value: int | str = name
    elif named := _NAMED.match(text):
        kind, set_ = named[1], named[2].lower()
        value = named[4] if named[3] == "Name" else _number(named[4], text)
    else:
        raise _bad_id(text)
    if kind.lower() not in _TYPES:
        raise _bad_id(text)
    return PropertyId(_TYPES[kind.lower()], set_, value)


def _number(text: str, whole: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise _bad_id(whole) from None


def _bad_id(text: str) -> GraphFault:
    return GraphFault(
        400,
        "ErrorInvalidProperty",
        f"The extended property id '{text}' is invalid. Property id is malformed.",
    )


GLOBAL_OBJECT_ID: Final = PropertyId("Binary", _MEETING, 0x3)
CLEAN_GLOBAL_OBJECT_ID: Final = PropertyId("Binary", _MEETING, 0x23)
ATTENDEE_CRITICAL_CHANGE: Final = PropertyId("SystemTime", _MEETING, 0x1)
OWNER_CRITICAL_CHANGE: Final = PropertyId("SystemTime", _MEETING, 0x1A)
SEQUENCE: Final = PropertyId("Integer", _APPOINTMENT, 0x8201)
START_WHOLE: Final = PropertyId("SystemTime", _APPOINTMENT, 0x820D)
END_WHOLE: Final = PropertyId("SystemTime", _APPOINTMENT, 0x820E)
IS_ALL_DAY: Final = PropertyId("Boolean", _APPOINTMENT, 0x8215)
COUNTER_PROPOSAL: Final = PropertyId("Boolean", _APPOINTMENT, 0x8257)
PROPOSED_START: Final = PropertyId("SystemTime", _APPOINTMENT, 0x8250)
PROPOSED_END: Final = PropertyId("SystemTime", _APPOINTMENT, 0x8251)
MESSAGE_CLASS: Final = PropertyId("String", "", 0x1A)
SENSITIVITY: Final = PropertyId("Integer", "", 0x36)
IS_RECURRING: Final = PropertyId("Boolean", _APPOINTMENT, 0x8223)
SENT_REPRESENTING_SMTP: Final = PropertyId("String", "", 0x5D02)
SENDER_SMTP: Final = PropertyId("String", "", 0x5D01)
RECEIVED_REPRESENTING_TYPE: Final = PropertyId("String", "", 0x77)
RECEIVED_REPRESENTING_ADDRESS: Final = PropertyId("String", "", 0x78)
RECEIVED_REPRESENTING_SMTP: Final = PropertyId("String", "", 0x5D08)

Properties = dict[PropertyId, str]
SENSITIVITIES: Final = ("normal", "personal", "private", "confidential")  # by PidTagSensitivity


@dataclass(frozen=True, slots=True)
class MeetingUid:
    """What makes a meeting one and the same in every mailbox.

    Attributes:
        created: when it was made; part of the blob.
        tail: what makes it unique.
        foreign: the UID that another calendar system gave; empty for Exchange's own.
    """

    created: datetime
    tail: bytes
    foreign: str = ""

    def blob(self, day: date | None = None) -> bytes:
        """Give PidLidGlobalObjectId, with the original date of one occurrence or clean."""
        if self.foreign:
            data, stamp = _FOREIGN_START + self.foreign.encode() + b"\x00", bytes(8)
        else:
            since = self.created - _FILETIME_EPOCH
            ticks = ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 10
            data, stamp = self.tail, ticks.to_bytes(8, "little")
        mark = bytes(4) if day is None else day.year.to_bytes(2, "big") + bytes((day.month, day.day))
        return _BLOB_START + mark + stamp + bytes(8) + len(data).to_bytes(4, "little") + data

    def ical_uid(self, day: date | None = None) -> str:
        """Give iCalUId: upper-case hex of the blob, or the foreign UID as it is."""
        return self.foreign or self.blob(day).hex().upper()

    def properties(self, day: date | None) -> Properties:
        """Give both global object ids as extended properties, base64."""
        return {
            GLOBAL_OBJECT_ID: b64encode(self.blob(day)).decode(),
            CLEAN_GLOBAL_OBJECT_ID: b64encode(self.blob()).decode(),
        }
