"""Facts in few words, for stories: seconds after a fixed start, slots by letter, people by name. No rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from service.reconcile.instant import NS_PER_S, Instant, parse_instant
from service.reconcile.model import (
    WHOLE,
    Address,
    AliasFact,
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

OWNER: Final = OwnerKey("owner-alex")
MEETING: Final = MeetingKey("040000008200E00074C5B7101A82E008")
ZONE: Final = "Europe/Berlin"
ZERO: Final = parse_instant("2026-03-02T09:00:00Z")
YEAR_ONE: Final = parse_instant("0001-01-01T00:00:00Z")

DATES: Final = tuple(InstanceKey(day) for day in ("2026-03-09", "2026-03-16", "2026-03-30"))
"""Mondays of the series; the last one stands after the clocks went forward in Berlin."""
UNKNOWN: Final = Slot(start=None, end=None, is_all_day=None, recurrence=None)

NONE = ResponseValue.NONE
ACCEPTED = ResponseValue.ACCEPTED
TENTATIVE = ResponseValue.TENTATIVE
DECLINED = ResponseValue.DECLINED


def address(name: str) -> Address:
    return Address(f"{name}@example.com")


def second(s: float) -> Instant:
    """Give the instant `s` seconds after the start of every story."""
    ns = ZERO.ns + round(s * NS_PER_S)
    return Instant(ns=ns, text=Instant(ns=ns, text="").to_utc_text())


def slot(start: str = "2026-03-09T10:00:00Z", *, minutes: int = 30, recurrence: str | None = "") -> Slot:
    start_ns = parse_instant(start).ns
    return Slot(
        start=start_ns, end=start_ns + minutes * 60 * NS_PER_S, is_all_day=False, recurrence=recurrence
    )


X: Final = slot("2026-03-09T10:00:00Z")
Y: Final = slot("2026-03-09T14:00:00Z")
Z: Final = slot("2026-03-10T08:00:00Z")
SERIES_X: Final = slot("2026-03-09T10:00:00Z", recurrence="weekly:monday")
SERIES_Y: Final = slot("2026-03-09T14:00:00Z", recurrence="weekly:monday")
SERIES_Z: Final = slot("2026-03-10T08:00:00Z", recurrence="weekly:tuesday")


def proposal(start: str) -> Proposal:
    """Propose half an hour from `start` (UTC) on."""
    begin = parse_instant(start)
    end_ns = begin.ns + 1800 * NS_PER_S
    end = Instant(ns=end_ns, text=Instant(ns=end_ns, text="").to_utc_text())
    return Proposal(
        start=begin,
        end=end,
        given_start=DateTimeTimeZone(date_time=begin.text.removesuffix("Z"), time_zone="UTC"),
        given_end=DateTimeTimeZone(date_time=end.text.removesuffix("Z"), time_zone="UTC"),
    )


def row(
    name: str,
    value: ResponseValue = NONE,
    at: float | Instant | None = None,
    *,
    proposed: Proposal | None = None,
    type_: AttendeeType = AttendeeType.REQUIRED,
) -> AttendeeRow:
    """Make a row; `at` in seconds of the story."""
    return AttendeeRow(
        address=address(name),
        given_address=f"{name.title()}@Example.com",
        name=name.title(),
        type=type_,
        value=value,
        at=second(at) if isinstance(at, int | float) else at,
        proposal=proposed,
    )


def event(
    at: float,
    *rows: AttendeeRow,
    slot: Slot = X,
    instance: InstanceKey = WHOLE,
    seen: float | None = None,
    sequence: int | None = 0,
    change_key: str | None = None,
    is_cancelled: bool = False,
    zone: str = ZONE,
) -> EventFact:
    """Read the event as it was last modified at `at`; seen one second later unless told."""
    return EventFact(
        owner=OWNER,
        meeting=MEETING,
        instance=instance,
        last_modified=second(at),
        change_key=change_key or f"key-{at:012.3f}",
        seen=second(at + 1 if seen is None else seen),
        sequence=sequence,
        slot=slot,
        is_cancelled=is_cancelled,
        rows=_by_address(rows),
        details=_details(instance, slot, zone),
    )


def _by_address(rows: Iterable[AttendeeRow]) -> tuple[AttendeeRow, ...]:
    return tuple(sorted(rows, key=lambda row: row.address))


def _details(instance: InstanceKey, slot: Slot, zone: str) -> EventDetails:
    def given(ns: int | None) -> DateTimeTimeZone:
        text = Instant(ns=ns or 0, text="").to_utc_text().removesuffix("Z")
        return DateTimeTimeZone(date_time=text, time_zone="UTC")

    is_series = instance == WHOLE and bool(slot.recurrence)
    kinds = {True: EventType.SERIES, False: EventType.EXCEPTION if instance else EventType.SINGLE}
    return EventDetails(
        id=EventId(f"event-{instance}"),
        ical_uid=MEETING,
        series_master_id=EventId("event-") if instance else None,
        type=kinds[is_series],
        original_start=f"{instance}T10:00:00Z" if instance else None,
        subject="Review",
        start=given(slot.start),
        end=given(slot.end),
        is_all_day=bool(slot.is_all_day),
        web_link=None,
        zone=zone,
        ends_at=None,
        is_private=False,
    )


def answer(
    name: str,
    value: ResponseValue,
    at: float,
    *,
    slot: Slot = X,
    instance: InstanceKey = WHOLE,
    sequence: int | None = 0,
    proposed: Proposal | None = None,
    comment: str = "",
    message: str | None = None,
) -> ResponseFact:
    """Read the response message that `name` sent at `at`."""
    message_id = message or f"<{name}-{at}>"
    return ResponseFact(
        owner=OWNER,
        meeting=MEETING,
        instance=instance,
        attendee=address(name),
        slot=slot,
        sequence=sequence,
        value=value,
        at=second(at),
        comment=comment,
        proposal=proposed,
        witness=MessageWitness(
            mailbox=MailboxKey("mailbox-adele"),
            id=MessageId(message_id),
            internet_message_id=message_id,
            sender=None,
            from_=None,
            sent=second(at).text,
        ),
    )


def gone(at: float, instance: InstanceKey = WHOLE) -> GoneFact:
    return GoneFact(owner=OWNER, meeting=MEETING, instance=instance, at=second(at))


def alias(name: str, person: str) -> AliasFact:
    return AliasFact(owner=OWNER, meeting=MEETING, alias=address(name), person=address(person))


def due(
    name: str,
    message: tuple[ResponseValue, float],
    calendar: tuple[ResponseValue, float] | None = None,
    instance: InstanceKey = WHOLE,
) -> DueFact:
    """Let the grace period of a message's answer against the calendar's run out; answers are (value, at)."""
    value, at = message
    pair = Pair(
        message=value,
        message_ns=second(at).ns,
        calendar=NONE if calendar is None else calendar[0],
        calendar_ns=0 if calendar is None else second(calendar[1]).ns,
    )
    return DueFact(owner=OWNER, meeting=MEETING, instance=instance, attendee=address(name), pair=pair)
