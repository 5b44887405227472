"""Under which iCalUIds a meeting may be found. No I/O.

Source: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcical (UID)
"""

from __future__ import annotations

from service.reconcile.matching import parse_global_object_id, wrap_foreign_uid
from service.reconcile.model import MeetingKey


def list_ical_uids(meeting: MeetingKey) -> tuple[str, ...]:
    """Give the forms of iCalUId that a meeting's event may show, the likelier first.

    A meeting of a foreign calendar shows its own UID, or that UID wrapped into a global object id.
    """
    if _is_global_object_id(meeting):
        return (meeting,)
    return (meeting, wrap_foreign_uid(meeting))


def _is_global_object_id(text: str) -> bool:
    try:
        return parse_global_object_id(bytes.fromhex(text)) is not None
    except ValueError:
        return False
