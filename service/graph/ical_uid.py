"""Under which iCalUIds a meeting may be found. No I/O.

Source: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcical (UID)
"""

from __future__ import annotations

from typing import Final

from service.reconcile.matching import parse_global_object_id
from service.reconcile.model import MeetingKey

_HEADER: Final = bytes.fromhex("040000008200E00074C5B7101A82E008")
_NO_DATE_NO_TIME: Final = bytes(20)
_FOREIGN: Final = b"vCal-Uid\x01\x00\x00\x00"


def list_ical_uids(meeting: MeetingKey) -> tuple[str, ...]:
    """Give the forms of iCalUId that a meeting's event may show, the likelier first.

    A meeting of a foreign calendar shows its own UID, or that UID wrapped into a global object id.
    """
    if _is_global_object_id(meeting):
        return (meeting,)
    data = _FOREIGN + meeting.encode("utf-8", "replace") + b"\0"
    wrapped = _HEADER + _NO_DATE_NO_TIME + len(data).to_bytes(4, "little") + data
    return (meeting, wrapped.hex().upper())


def _is_global_object_id(text: str) -> bool:
    try:
        return parse_global_object_id(bytes.fromhex(text)) is not None
    except ValueError:
        return False
