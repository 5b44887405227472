"""All that can be read of the meetings, as facts for the slow reference. Shares no parser with the service.

Owners read their calendars and delegates their inboxes, each with their own token, as any Graph client would.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

from service.reconcile.instant import Instant, parse_instant
from service.reconcile.model import (
    WHOLE,
    Address,
    AttendeeRow,
    AttendeeType,
    DateTimeTimeZone,
    EventDetails,
    EventFact,
    EventId,
    EventType,
    Fact,
    MailboxKey,
    MeetingKey,
    MessageId,
    MessageWitness,
    OwnerKey,
    ResponseFact,
    ResponseValue,
    Slot,
)
from tests.endtoend.people import Person, Tenant
from tests.reference.derivation import derive
from tests.reference.derived import Derived
from tests.trials.crowd import Crowd
from tests.trials.series import Days, Series, read_days

_MEETING_SET: Final = "{6ED8DA90-450B-101B-98DA-00AA003F1305}"
_APPOINTMENT_SET: Final = "{00062002-0000-0000-C000-000000000046}"
_CLEAN_ID: Final = f"Binary {_MEETING_SET} Id 0x23"
_ANSWERED_AT: Final = f"SystemTime {_MEETING_SET} Id 0x1"
_SEQUENCE: Final = f"Integer {_APPOINTMENT_SET} Id 0x8201"
_START: Final = f"SystemTime {_APPOINTMENT_SET} Id 0x820D"
_END: Final = f"SystemTime {_APPOINTMENT_SET} Id 0x820E"
_RESPONSES: Final = {
    "meetingAccepted": ResponseValue.ACCEPTED,
    "meetingTenativelyAccepted": ResponseValue.TENTATIVE,
    "meetingDeclined": ResponseValue.DECLINED,
}
TOLERANCE_S: Final = 2.0
PAGE: Final = 500
READERS: Final = 4

Properties = Mapping[str, str]
MeetingName = tuple[str, str]
"""Owner's object id, and cleaned global object id in upper-case hex."""


@dataclass(slots=True, kw_only=True)
class Readings:
    """Everything that was read.

    Attributes:
        facts: by meeting; answers to meetings that stand in no calendar are there too.
        events: as Graph gives them, by meeting; those that still stand in the owner's calendar.
        days: by series, its occurrences in the owner's calendar by their original date.
        derived: what follows from the facts, by meeting; reckoned when it is first asked for.
    """

    facts: dict[MeetingName, list[Fact]] = field(default_factory=lambda: defaultdict(list))
    events: dict[MeetingName, dict[str, Any]] = field(default_factory=dict)
    days: dict[MeetingName, Days] = field(default_factory=dict)
    derived: dict[MeetingName, Derived] = field(default_factory=dict)

    def derive(self, name: MeetingName) -> Derived:
        """Give what the slow reference derives of a meeting."""
        if name not in self.derived:
            self.derived[name] = derive(self.facts[name], tolerance_s=TOLERANCE_S)
        return self.derived[name]


async def read_everything(tenant: Tenant, crowd: Crowd) -> Readings:
    """Read every owner's calendar, and the inbox of one delegate of each.

    The other delegates have copies of the same messages, so the same facts; reading them all would only
    burden the sandbox while the service has to keep its time.
    """
    readings, places = Readings(), asyncio.Semaphore(READERS)
    inboxes: dict[str, Sequence[dict[str, Any]]] = {}

    async def read_calendar(owner: Person) -> None:
        async with places:
            events = await _read_pages(tenant, owner, "/me/calendar/events", (_SEQUENCE,))
        for event in events:
            _take_event(readings, owner, event)

    async def read_inbox(person: Person) -> None:
        async with places:
            wanted = (_CLEAN_ID, _ANSWERED_AT, _SEQUENCE, _START, _END)
            inboxes[person.id] = await _read_pages(tenant, person, "/me/mailFolders/inbox/messages", wanted)

    async def read_series(one: Series) -> None:
        async with places:
            readings.days[one.owner.id, one.key] = await read_days(tenant, one.owner, one.event_id, one)

    await asyncio.gather(*(read_calendar(owner.person) for owner in crowd.owners))
    await asyncio.gather(*(read_series(one) for one in crowd.series))
    await asyncio.gather(*(read_inbox(owner.delegates[0]) for owner in crowd.owners))
    owner_of = {meeting.key: meeting.owner.person.id for meeting in crowd.meetings}
    for person_id, messages in inboxes.items():
        for message in messages:
            _take_message(readings, owner_of, person_id, message)
    return readings


async def _read_pages(
    tenant: Tenant, who: Person, path: str, properties: Sequence[str]
) -> list[dict[str, Any]]:
    wanted = " or ".join(f"id eq '{one}'" for one in properties)
    expand = quote(f"singleValueExtendedProperties($filter={wanted})")
    target: str | None = f"{path}?$top={PAGE}&$expand={expand}"
    found: list[dict[str, Any]] = []
    while target:
        page = await tenant.graph("GET", target, who)
        found += page["value"]
        link = page.get("@odata.nextLink")
        target = link and _below_version(tenant, link)
    return found


def _below_version(tenant: Tenant, link: str) -> str:
    """Give what follows the version in a link."""
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}".removeprefix(urlsplit(tenant.ready.graph_url).path)


# --- an event ---


def _take_event(readings: Readings, owner: Person, event: dict[str, Any]) -> None:
    if not event["isOrganizer"]:
        return
    name = (owner.id, clean(bytes.fromhex(event["iCalUId"])))
    modified = parse_instant(event["lastModifiedDateTime"])
    start, end = (_read_moment(event[edge]) for edge in ("start", "end"))
    sequence = _read_properties(event).get(_SEQUENCE.lower())
    readings.events[name] = event
    readings.facts[name].append(
        EventFact(
            owner=OwnerKey(owner.id),
            meeting=MeetingKey(name[1]),
            instance=WHOLE,
            last_modified=modified,
            change_key=event["changeKey"],
            seen=modified,
            sequence=None if sequence is None else int(sequence),
            slot=Slot(start=start.ns, end=end.ns, is_all_day=event["isAllDay"], recurrence=None),
            is_cancelled=event["isCancelled"],
            rows=_read_rows(owner, event),
            details=_read_details(event),
        )
    )


def _read_rows(owner: Person, event: Mapping[str, Any]) -> tuple[AttendeeRow, ...]:
    rows = []
    for attendee in event["attendees"]:
        email, status = attendee["emailAddress"], attendee["status"]
        address = email["address"].casefold()
        if address != owner.address.casefold():
            rows.append(
                AttendeeRow(
                    address=Address(address),
                    given_address=email["address"],
                    name=email["name"],
                    type=AttendeeType(attendee["type"]),
                    value=ResponseValue(status["response"]),
                    at=parse_instant(status["time"]),
                    proposal=None,
                )
            )
    return tuple(sorted(rows, key=lambda row: row.address))


def _read_details(event: Mapping[str, Any]) -> EventDetails:
    start, end = (DateTimeTimeZone(date_time=event[edge]["dateTime"], time_zone="UTC") for edge in EDGES)
    return EventDetails(
        id=EventId(event["id"]),
        ical_uid=event["iCalUId"],
        series_master_id=None,
        type=EventType.SINGLE,
        original_start=None,
        subject=event["subject"],
        start=start,
        end=end,
        is_all_day=event["isAllDay"],
        web_link=None,
        zone="UTC",
        ends_at=None,
        is_private=False,
    )


EDGES: Final = ("start", "end")


def _read_moment(given: Mapping[str, str]) -> Instant:
    """Read a dateTimeTimeZone; nobody here asked for another zone than UTC."""
    assert given["timeZone"] == "UTC", given
    return parse_instant(given["dateTime"])


# --- a message ---


def _take_message(
    readings: Readings, owner_of: Mapping[str, str], mailbox: str, message: Mapping[str, Any]
) -> None:
    value = _RESPONSES.get(message.get("meetingMessageType", ""))
    properties = _read_properties(message)
    if value is None:
        return
    meeting = clean(b64decode(properties[_CLEAN_ID.lower()]))
    owner = owner_of.get(meeting)
    if owner is None:
        return
    readings.facts[owner, meeting].append(
        ResponseFact(
            owner=OwnerKey(owner),
            meeting=MeetingKey(meeting),
            instance=WHOLE,
            attendee=Address(message["from"]["emailAddress"]["address"].casefold()),
            slot=Slot(
                start=parse_instant(properties[_START.lower()]).ns,
                end=parse_instant(properties[_END.lower()]).ns,
                is_all_day=None,
                recurrence=None,
            ),
            sequence=int(properties[_SEQUENCE.lower()]),
            value=value,
            at=parse_instant(properties[_ANSWERED_AT.lower()]),
            comment=message["bodyPreview"],
            proposal=None,
            witness=MessageWitness(
                mailbox=MailboxKey(mailbox),
                id=MessageId(message["id"]),
                internet_message_id=message["internetMessageId"],
                sender=None,
                from_=None,
                sent=message["sentDateTime"],
            ),
        )
    )


def _read_properties(item: Mapping[str, Any]) -> Properties:
    return {one["id"].lower(): one["value"] for one in item.get("singleValueExtendedProperties") or ()}


def clean(blob: bytes) -> str:
    """Give a global object id without the date of an occurrence, in upper-case hex."""
    return (blob[:16] + bytes(4) + blob[20:]).hex().upper()
