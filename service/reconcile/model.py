"""The words of the field as values: identifiers, slots, and the five kinds of fact. Knows no rule.

Facts are what has been read; they are joined in `facts.py` and understood in `derive.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from service.reconcile.instant import Instant

OwnerKey = NewType("OwnerKey", str)
"""Object id of the owner, or the address in normal form where the directory may not be read."""
MailboxKey = NewType("MailboxKey", str)
"""Object id of a mailbox, or its address in normal form; an owner's calendar has the owner's."""
MeetingKey = NewType("MeetingKey", str)
"""Cleaned global object id in upper-case hex, a foreign UID, or `id:` and an event id."""
InstanceKey = NewType("InstanceKey", str)
"""Empty for a single meeting or a whole series, else the original date of one occurrence, YYYY-MM-DD."""
Address = NewType("Address", str)
"""An e-mail address in normal form; made by `matching.normalize_address` only."""
EventId = NewType("EventId", str)
MessageId = NewType("MessageId", str)

WHOLE: Final = InstanceKey("")
BY_ID: Final = "id:"
"""How the key of a meeting begins whose event shows no iCalUId."""


class ResponseValue(StrEnum):
    """What an attendee said, in Graph's words.

    Source: https://learn.microsoft.com/graph/api/resources/responsestatus
    """

    NONE = "none"
    NOT_RESPONDED = "notResponded"
    ACCEPTED = "accepted"
    TENTATIVE = "tentativelyAccepted"
    DECLINED = "declined"

    @property
    def is_answer(self) -> bool:
        return self not in (ResponseValue.NONE, ResponseValue.NOT_RESPONDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class DateTimeTimeZone:
    """Graph's `dateTimeTimeZone`, as it was given.

    Source: https://learn.microsoft.com/graph/api/resources/datetimetimezone
    """

    date_time: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposed new time; two proposals are the same when their instants are.

    Attributes:
        start, end: as instants.
        given_start, given_end: as Graph gave them.
    """

    start: Instant
    end: Instant
    given_start: DateTimeTimeZone
    given_end: DateTimeTimeZone

    @property
    def span(self) -> tuple[int, int]:
        return (self.start.ns, self.end.ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What an attendee answers to; members that are not known are None.

    Attributes:
        start, end: nanoseconds as in `Instant.ns`, UTC.
        is_all_day: whether the meeting lasts whole days.
        recurrence: canonical text of the pattern and range; empty where it is known that there is none.
    """

    start: int | None
    end: int | None
    is_all_day: bool | None
    recurrence: str | None

    @property
    def is_unknown(self) -> bool:
        return self.start is None and self.end is None


class EventType(StrEnum):
    """Source: https://learn.microsoft.com/graph/api/resources/event"""

    SINGLE = "singleInstance"
    OCCURRENCE = "occurrence"
    EXCEPTION = "exception"
    SERIES = "seriesMaster"


class AttendeeType(StrEnum):
    """Source: https://learn.microsoft.com/graph/api/resources/attendee"""

    REQUIRED = "required"
    OPTIONAL = "optional"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendeeRow:
    """One attendee on the organizer's event.

    Attributes:
        address: in normal form.
        given_address, name: as Graph gave them.
        at: when the attendee responded; None where Graph gave no time. Year 1 stays year 1.
    """

    address: Address
    given_address: str
    name: str
    type: AttendeeType
    value: ResponseValue
    at: Instant | None
    proposal: Proposal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDetails:
    """What an update says of the event beside the answers; `subject` is None for private events.

    Attributes:
        zone: IANA name of the time zone in which the meeting was made (a series: of the series).
        ends_at: when the meeting, or the last occurrence of the series, is over; None for endless series.
        is_private: the event is private or confidential: nothing that people wrote is published.
    """

    id: EventId
    ical_uid: str | None
    series_master_id: EventId | None
    type: EventType
    original_start: str | None
    subject: str | None
    start: DateTimeTimeZone
    end: DateTimeTimeZone
    is_all_day: bool
    web_link: str | None
    zone: str
    ends_at: Instant | None
    is_private: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFact:
    """E: the organizer's event as it was read once.

    Attributes:
        instance: `WHOLE` for a single meeting or a series master.
        seen: the `Date` of the answer it came in; `last_modified` if it came in a notification.
        sequence: appointment sequence; None where it is not known.
        rows: one for each attendee, the organizer left out; at most one per address, by address.
        answered_as: cleaned global object id that answers name, where the event shows no iCalUId and its
            meeting therefore goes by an event id; None otherwise.
    """

    owner: OwnerKey
    meeting: MeetingKey
    instance: InstanceKey
    last_modified: Instant
    change_key: str
    seen: Instant
    sequence: int | None
    slot: Slot
    is_cancelled: bool
    rows: tuple[AttendeeRow, ...]
    details: EventDetails
    answered_as: MeetingKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A name and an address as a mail gave them; either may be empty."""

    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageWitness:
    """Where a response message lies and who sent it, as published in `witnesses.message`."""

    mailbox: MailboxKey
    id: MessageId
    internet_message_id: str
    sender: Person | None
    from_: Person | None
    sent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFact:
    """R: a response message.

    Attributes:
        attendee: the address under which it was received.
        at: PidLidAttendeeCriticalChange, else sentDateTime.
        comment: the preview of the body, at most 255 characters.
    """

    owner: OwnerKey
    meeting: MeetingKey
    instance: InstanceKey
    attendee: Address
    slot: Slot
    sequence: int | None
    value: ResponseValue
    at: Instant
    comment: str
    proposal: Proposal | None
    witness: MessageWitness


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneFact:
    """Gone: Graph announced the end of an event, and a look into the calendar did not find it.

    Attributes:
        at: the `Date` of the answer in which it was not found.
    """

    owner: OwnerKey
    meeting: MeetingKey
    instance: InstanceKey
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Pair:
    """A message's answer and the calendar's that stood opposite each other: value and instant of both.

    `calendar` is NONE and 0 where the calendar had nothing.
    """

    message: str
    message_ns: int
    calendar: str
    calendar_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DueFact:
    """Due: the grace period passed while exactly this pair stood."""

    owner: OwnerKey
    meeting: MeetingKey
    instance: InstanceKey
    attendee: Address
    pair: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasFact:
    """Alias: two addresses are one person.

    Attributes:
        alias: the address under which an answer or a row was received.
        person: the address under which the person is published.
        is_by_name: found through a unique display name only; said so in `explain`.
        is_denied: the directory knows the two as different people: what was guessed of them does not hold.
    """

    owner: OwnerKey
    meeting: MeetingKey
    alias: Address
    person: Address
    is_by_name: bool = False
    is_denied: bool = False


Fact = EventFact | ResponseFact | GoneFact | DueFact | AliasFact


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEvent:
    """What reading a calendar gave: an event before it is known for which owner it was read.

    Attributes:
        is_organizer: only events of which the mailbox is the organizer become facts.
        meeting, instance: from iCalUId, original start and the zone of the series.
        series_ical_uid: how the series master is found; equal to the event's own for single meetings.
        cancelled: of a series, occurrences that the calendar says are cancelled, deleted ones too.
        global_id: cleaned global object id from the extended property; None where it was not sent.
    """

    is_organizer: bool
    meeting: MeetingKey
    instance: InstanceKey
    last_modified: Instant
    change_key: str
    seen: Instant
    sequence: int | None
    slot: Slot
    is_cancelled: bool
    rows: tuple[AttendeeRow, ...]
    details: EventDetails
    cancelled: tuple[InstanceKey, ...] = ()
    global_id: MeetingKey | None = None

    @property
    def is_unnamed(self) -> bool:
        """Tell whether the event shows no iCalUId, so that its meeting goes by an event id."""
        return self.meeting.startswith(BY_ID)

    @property
    def answered_as(self) -> MeetingKey | None:
        """Give what answers to an unnamed meeting name; None where it is not known, or is the key itself."""
        return self.global_id if self.is_unnamed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingResponse:
    """A response message before its owner and attendee are known.

    Attributes:
        meeting: from the global object id; None where the message carries none that can be read.
        represented: address for which the message was received (received representing), if given.
        attendee: `from` in normal form; None where the message names nobody.
        attendee_smtp: sent-representing SMTP address, for `from` in Exchange's legacy form.
    """

    meeting: MeetingKey | None
    instance: InstanceKey
    represented: Address | None
    attendee: Address | None
    attendee_smtp: Address | None
    slot: Slot
    sequence: int | None
    value: ResponseValue
    at: Instant
    comment: str
    proposal: Proposal | None
    is_private: bool
    witness: MessageWitness
