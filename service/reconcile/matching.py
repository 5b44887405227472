"""Which meeting and which occurrence a blob of bytes names; how an address is compared.

Must never look at a subject.

Source: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxocal (2.2.1.27, 2.2.1.28) and
https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcical (UID)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from service.reconcile.model import WHOLE, Address, InstanceKey, MeetingKey, MeetingResponse

_HEADER: Final = bytes.fromhex("040000008200E00074C5B7101A82E008")
_DATE: Final = slice(16, 20)
_SIZE: Final = slice(36, 40)
_DATA_AT: Final = 40
_FOREIGN: Final = b"vCal-Uid\x01\x00\x00\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingIdentity:
    """A meeting and, if the identifier names one occurrence, that occurrence's original date."""

    meeting: MeetingKey
    instance: InstanceKey


def parse_global_object_id(blob: bytes) -> MeetingIdentity | None:
    """Read a global object id, cleaned or not.

    Returns:
        None where the bytes are no global object id.
    """
    if len(blob) < _DATE.stop or not blob.startswith(_HEADER):
        return None
    foreign = _read_foreign_uid(blob)
    cleaned = blob[: _DATE.start] + bytes(4) + blob[_DATE.stop :]
    meeting = foreign if foreign is not None else cleaned.hex().upper()
    return MeetingIdentity(meeting=MeetingKey(meeting), instance=_read_instance(blob[_DATE]))


def parse_ical_uid(ical_uid: str) -> MeetingIdentity:
    """Read an `iCalUId`: the hex of a global object id, or the UID of a foreign calendar as it is.

    Source: https://learn.microsoft.com/graph/api/resources/event
    """
    try:
        identity = parse_global_object_id(bytes.fromhex(ical_uid))
    except ValueError:
        identity = None
    return identity or MeetingIdentity(meeting=MeetingKey(ical_uid), instance=WHOLE)


def normalize_address(given: str) -> Address:
    """Give the one form in which addresses are compared.

    SMTP addresses compare without regard to case in Exchange, legacy Exchange addresses too.
    """
    bare = given.strip()
    if bare[:5].lower() == "smtp:":
        bare = bare[5:]
    return Address(bare.casefold())


def is_legacy_address(address: str) -> bool:
    """Tell whether an address is an Exchange distinguished name instead of SMTP."""
    return address.lower().startswith("/o=")


def find_attendee(response: MeetingResponse) -> Address | None:
    """Give who answered: `from`, or the SMTP address behind a legacy one."""
    if response.attendee is None or is_legacy_address(response.attendee):
        return response.attendee_smtp or response.attendee
    return response.attendee


def wrap_foreign_uid(uid: str) -> str:
    """Give the global object id, in hex, that Exchange makes of a foreign calendar's UID."""
    data = _FOREIGN + uid.encode("utf-8", "replace") + b"\0"
    before = _HEADER + bytes(_SIZE.start - len(_HEADER))
    return (before + len(data).to_bytes(4, "little") + data).hex().upper()


def _read_foreign_uid(blob: bytes) -> str | None:
    size = int.from_bytes(blob[_SIZE], "little")
    data = blob[_DATA_AT : _DATA_AT + size]
    if not data.startswith(_FOREIGN):
        return None
    uid = data[len(_FOREIGN) :].split(b"\0", 1)[0].decode("utf-8", "replace")
    return uid or None


def _read_instance(stamp: bytes) -> InstanceKey:
    try:
        return InstanceKey(date(int.from_bytes(stamp[:2], "big"), stamp[2], stamp[3]).isoformat())
    except ValueError:
        return WHOLE
