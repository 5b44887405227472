"""An event as Graph gives it, as a value. No I/O. Must never fail on what an attendee or organizer wrote.

Source: https://learn.microsoft.com/graph/api/resources/event
"""

from __future__ import annotations

from datetime import UTC, date, tzinfo
from typing import Final

from service.graph import extended
from service.graph.extended import ExtendedProperties
from service.graph.node import Node, ZonedTime, require_object
from service.graph.parse_attendees import parse_rows
from service.graph.recurrence import canonical_recurrence, find_series_end, reckon_instant
from service.reconcile.instant import Instant
from service.reconcile.matching import MeetingIdentity, parse_global_object_id, parse_ical_uid
from service.reconcile.model import (
    BY_ID,
    WHOLE,
    CalendarEvent,
    EventDetails,
    EventId,
    EventType,
    InstanceKey,
    MeetingKey,
    Slot,
)
from service.reconcile.zones import find_zone, iana_name

_TYPES: Final = {kind.value.lower(): kind for kind in EventType}
_PRIVATE: Final = frozenset({"private", "confidential"})


def parse_event(
    payload: object, *, seen: Instant, zone: str | None = None, notes: list[str] | None = None
) -> CalendarEvent:
    """Read an event.

    Args:
        payload: decoded JSON of one event, with the properties of `requests.EVENT_PROPERTIES`.
        seen: the `Date` of the answer it came in.
        zone: IANA zone of the series, where the caller knows it; else the event's own is taken.
        notes: receives one sentence for each member that could not be understood.

    Raises:
        PayloadError: without id, time of last change, start or end there is nothing to say.
    """
    node = require_object(payload, notes)
    event_id = EventId(node["id"].require_text())
    last_modified = node["lastModifiedDateTime"].require_instant()
    start, end = _require_time(node["start"]), _require_time(node["end"])
    zone_name = zone or _find_zone_name(node)
    kind = _read_type(node)
    identity = _identify(node, event_id)
    return CalendarEvent(
        is_organizer=node["isOrganizer"].flag() is True,
        meeting=identity.meeting,
        instance=_find_instance(node, kind, identity, zone=find_zone(zone_name) or UTC, start=start),
        last_modified=last_modified,
        change_key=node["changeKey"].text() or "",
        seen=seen,
        sequence=ExtendedProperties(node).number(extended.SEQUENCE),
        slot=_build_slot(node, kind, start, end),
        is_cancelled=node["isCancelled"].flag() is True,
        rows=parse_rows(node["attendees"], node["organizer"]),
        details=_build_details(node, kind, start, end, zone_name),
        cancelled=_read_cancelled(node) if kind is EventType.SERIES else (),
        global_id=None if (known := _read_global_id(node)) is None else known.meeting,
    )


def parse_instance_key(node: Node, *, zone: str) -> InstanceKey:
    """Read which occurrence an item of a series is: enough are iCalUId, type, original start and start.

    Args:
        zone: IANA zone of the series.

    Raises:
        PayloadError: it is an exception, and nothing names its original date.
    """
    start = _require_time(node["start"])
    identity = _identify(node, node["id"].require_text())
    return _find_instance(node, _read_type(node), identity, zone=find_zone(zone) or UTC, start=start)


def _read_cancelled(series: Node) -> tuple[InstanceKey, ...]:
    """Read the dates of cancelled occurrences; an id that ends in no date is noted and left out.

    They are `occurrenceId`s, such as `OID.{id of the series}.2026-03-03`.
    """
    dates = set()
    for node in series["cancelledOccurrences"].items():
        text = (node.text() or "").rpartition(".")[2]
        try:
            dates.add(InstanceKey(date.fromisoformat(text).isoformat()))
        except ValueError:
            node.note("expected the date of an occurrence")
    return tuple(sorted(dates))


def _read_type(node: Node) -> EventType:
    name = node["type"].word()
    if name in _TYPES:
        return _TYPES[name]
    if name:
        node["type"].note("unknown type")
    if not node["recurrence"].is_absent:
        return EventType.SERIES
    return EventType.SINGLE if node["seriesMasterId"].text() is None else EventType.OCCURRENCE


def _identify(node: Node, event_id: str) -> MeetingIdentity:
    ical_uid = node["iCalUId"].text()
    if ical_uid is not None:
        return parse_ical_uid(ical_uid.strip())
    # Without iCalUId only the id is left; an occurrence goes by its master's, so that the series stays one.
    return MeetingIdentity(
        meeting=MeetingKey(f"{BY_ID}{node['seriesMasterId'].text() or event_id}"), instance=WHOLE
    )


def _read_global_id(node: Node) -> MeetingIdentity | None:
    return parse_global_object_id(ExtendedProperties(node).binary(extended.GLOBAL_OBJECT_ID) or b"")


def _find_instance(
    node: Node, kind: EventType, identity: MeetingIdentity, *, zone: tzinfo, start: ZonedTime
) -> InstanceKey:
    """Give the original date: from an identifier that holds it, else from the original start."""
    if kind in (EventType.SINGLE, EventType.SERIES):
        return WHOLE
    if identity.instance != WHOLE:
        return identity.instance
    own = _read_global_id(node)
    if own is not None and own.instance != WHOLE:
        return own.instance
    original = node["originalStart"].instant()
    if original is None and kind is EventType.OCCURRENCE:
        original = start.instant  # an occurrence has not moved, else it were an exception
    local_date = None if original is None else _local_date(original, zone)
    if local_date is None:
        raise node["originalStart"].fail("the original start of an exception")
    return local_date


def _local_date(instant: Instant, zone: tzinfo) -> InstanceKey | None:
    try:
        return InstanceKey(instant.to_datetime().astimezone(zone).date().isoformat())
    except OverflowError:  # the zone reaches beyond the first or the last year
        return None


def _find_zone_name(node: Node) -> str:
    """Give the IANA name of the zone in which the meeting was made; UTC where Graph's name is not known.

    A series takes place by the zone of its recurrence, in whatever zone a client wrote its start last.

    Source: https://learn.microsoft.com/graph/api/resources/recurrencerange
    """
    given = (node["recurrence"]["range"]["recurrenceTimeZone"].text(), node["originalStartTimeZone"].text())
    return next((known for name in given if (known := iana_name(name)) is not None), "UTC")


def _build_slot(node: Node, kind: EventType, start: ZonedTime, end: ZonedTime) -> Slot:
    return Slot(
        start=None if start.instant is None else start.instant.ns,
        end=None if end.instant is None else end.instant.ns,
        is_all_day=node["isAllDay"].flag(),
        recurrence=_read_recurrence(node, kind),
    )


def _read_recurrence(node: Node, kind: EventType) -> str | None:
    recurrence = node["recurrence"]
    if not recurrence.is_absent:
        return canonical_recurrence(recurrence)
    is_known_single = kind is not EventType.SERIES and (node.has("type") or node.has("recurrence"))
    return "" if is_known_single else None


def _build_details(
    node: Node, kind: EventType, start: ZonedTime, end: ZonedTime, zone_name: str
) -> EventDetails:
    is_private = node["sensitivity"].word() in _PRIVATE
    master = node["seriesMasterId"].text()
    return EventDetails(
        id=EventId(node["id"].require_text()),
        ical_uid=node["iCalUId"].text(),
        series_master_id=None if master is None else EventId(master),
        type=kind,
        original_start=node["originalStart"].text(),
        subject=None if is_private else node["subject"].title(),
        start=start.given,
        end=end.given,
        is_all_day=node["isAllDay"].flag() is True,
        web_link=node["webLink"].text(),
        zone=zone_name,
        ends_at=_find_end(node, kind, start, end, find_zone(zone_name) or UTC),
        is_private=is_private,
    )


def _find_end(node: Node, kind: EventType, start: ZonedTime, end: ZonedTime, zone: tzinfo) -> Instant | None:
    if start.instant is None or end.instant is None:
        return None
    if kind is EventType.SERIES:
        return find_series_end(node["recurrence"], start=start.instant, end=end.instant, zone=zone)
    return reckon_instant(end.instant.ns)


def _require_time(node: Node) -> ZonedTime:
    time = node.zoned_time()
    if time is None:
        raise node["dateTime"].fail("a time")
    return time
