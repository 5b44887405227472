"""Short ways to say facts in tests: seconds instead of instants, letters instead of addresses."""

from __future__ import annotations

from service.reconcile.instant import Instant, parse_instant
from service.reconcile.model import (
    WHOLE,
    Address,
    AttendeeRow,
    AttendeeType,
    DateTimeTimeZone,
    DueFact,
    EventDetails,
    EventFact,
    EventId,
    EventType,
    GoneFact,
    InstanceKey,
    MailboxKey,
    MeetingKey,
    MessageId,
    MessageWitness,
    OwnerKey,
    Pair,
    Proposal,
    ResponseFact,
    ResponseValue,
    Slot,
)

OWNER = OwnerKey("owner")
MEETING = MeetingKey("meeting")
YEAR_ONE = parse_instant("0001-01-01T00:00:00Z")
DAY_S = 86_400
FIRST_DAY = "2026-03-02"


def at(second: float) -> Instant:
    """Give an instant so many seconds after the start of 2 March 2026."""
    whole, fraction = divmod(second, 1)
    minutes, seconds = divmod(int(whole), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    digits = f".{round(fraction * 10**7):07d}" if fraction else ""
    return parse_instant(f"2026-03-{2 + days:02d}T{hours:02d}:{minutes:02d}:{seconds:02d}{digits}Z")


def slot(place: int = 0, *, recurrence: str | None = "") -> Slot:
    """Give a slot of an hour; `place` counts hours from the start of 2 March 2026."""
    start = at(place * 3600).ns
    return Slot(start=start, end=start + 3600 * 10**9, is_all_day=False, recurrence=recurrence)


UNKNOWN_SLOT = Slot(start=None, end=None, is_all_day=None, recurrence=None)


def proposal(second: float) -> Proposal:
    given = DateTimeTimeZone(date_time=at(second).text.removesuffix("Z"), time_zone="UTC")
    return Proposal(start=at(second), end=at(second + 60), given_start=given, given_end=given)


def row(
    address: str, value: str = "none", answered: float | None = None, *, proposed: Proposal | None = None
) -> AttendeeRow:
    """Give a row of an event; year 1 where no second is given."""
    return AttendeeRow(
        address=Address(address),
        given_address=address,
        name=address.upper(),
        type=AttendeeType.REQUIRED,
        value=ResponseValue(value),
        at=YEAR_ONE if answered is None else at(answered),
        proposal=proposed,
    )


def event(
    modified: float,
    *rows: AttendeeRow,
    place: int = 0,
    sequence: int | None = 0,
    instance: str = WHOLE,
    is_series: bool = False,
    is_cancelled: bool = False,
    seen: float | None = None,
    zone: str = "UTC",
    recurrence: str = "",
    change_key: str = "",
) -> EventFact:
    """Give an event as read; seen when it was modified unless said otherwise."""
    kind = EventType.SERIES if is_series else EventType.EXCEPTION if instance else EventType.SINGLE
    span = slot(place, recurrence="daily" if is_series and not recurrence else recurrence)
    clock = DateTimeTimeZone(date_time="2026-03-02T00:00:00.0000000", time_zone="UTC")
    details = EventDetails(
        id=EventId(f"id-{instance}"),
        ical_uid=MEETING,
        series_master_id=EventId("id-") if instance else None,
        type=kind,
        original_start=f"{instance}T00:00:00Z" if instance else None,
        subject="Dinner",
        start=clock,
        end=clock,
        is_all_day=False,
        web_link=None,
        zone=zone,
        ends_at=at(30 * DAY_S - 1),
        is_private=False,
    )
    return EventFact(
        owner=OWNER,
        meeting=MEETING,
        instance=InstanceKey(instance),
        last_modified=at(modified),
        change_key=change_key or f"key-{modified}",
        seen=at(modified if seen is None else seen),
        sequence=sequence,
        slot=span,
        is_cancelled=is_cancelled,
        rows=tuple(sorted(rows, key=lambda each: each.address)),
        details=details,
    )


def response(
    address: str,
    value: str,
    answered: float,
    *,
    place: int | None = 0,
    sequence: int | None = 0,
    instance: str = WHOLE,
    proposed: Proposal | None = None,
    comment: str = "",
    is_series: bool = False,
) -> ResponseFact:
    """Give a response message; `place=None` leaves the slot unknown."""
    span = UNKNOWN_SLOT if place is None else slot(place, recurrence="daily" if is_series else "")
    return ResponseFact(
        owner=OWNER,
        meeting=MEETING,
        instance=InstanceKey(instance),
        attendee=Address(address),
        slot=span,
        sequence=sequence,
        value=ResponseValue(value),
        at=at(answered),
        comment=comment,
        proposal=proposed,
        witness=MessageWitness(
            mailbox=MailboxKey("inbox"),
            id=MessageId(f"{address}-{answered}"),
            internet_message_id=f"<{address}-{answered}@example>",
            sender=None,
            from_=None,
            sent=at(answered).text,
        ),
    )


def gone(second: float, *, instance: str = WHOLE) -> GoneFact:
    return GoneFact(owner=OWNER, meeting=MEETING, instance=InstanceKey(instance), at=at(second))


def due(
    address: str,
    message: tuple[str, float],
    calendar: tuple[str, float] | None = None,
    *,
    instance: str = WHOLE,
) -> DueFact:
    pair = Pair(
        message=message[0],
        message_ns=at(message[1]).ns,
        calendar="none" if calendar is None else calendar[0],
        calendar_ns=0 if calendar is None else at(calendar[1]).ns,
    )
    return DueFact(
        owner=OWNER, meeting=MEETING, instance=InstanceKey(instance), attendee=Address(address), pair=pair
    )
