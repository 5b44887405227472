"""Messages, events, folders and calendars as they lie in one mailbox. Values only: nothing here acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from service.sandbox.extended import MeetingUid, Properties
from service.sandbox.people import Person
from service.sandbox.series import Recurrence

Json = dict[str, Any]
DELEGATE_ROLES: Final = ("delegateWithoutPrivateEventAccess", "delegateWithPrivateEventAccess")
READER_ROLES: Final = ("read", "write", *DELEGATE_ROLES)
WRITER_ROLES: Final = ("write", *DELEGATE_ROLES)


@dataclass(frozen=True, slots=True)
class Status:
    """An answer and when it was given; None is Graph's year 1."""

    response: str = "none"
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """When something takes place: instants in UTC, and the zone names in which they were given."""

    start: datetime
    end: datetime
    start_zone: str = "UTC"
    end_zone: str = "UTC"
    is_all_day: bool = False

    @property
    def home(self) -> str:
        """The zone in which whole days are dates; empty for what has times of day."""
        return self.start_zone if self.is_all_day else ""

    def same_time(self, other: Slot) -> bool:
        """Tell whether both are the same time, whatever the zones are called."""
        return (self.start, self.end, self.is_all_day) == (other.start, other.end, other.is_all_day)


@dataclass(slots=True, kw_only=True)
class Attendee:
    """One row of an event.

    Attributes:
        proposal: the time that was proposed with the last answer.
        is_own: in an exception: answered for this occurrence alone.
    """

    person: Person
    type: str = "required"
    status: Status = Status()
    proposal: Slot | None = None
    is_own: bool = False


@dataclass(slots=True, kw_only=True)
class Event:
    """A single event, a series master, or an exception of a series, in one mailbox.

    Attributes:
        id: immutable form.
        uid: the same in every mailbox.
        content: what the organizer wrote, under Graph's names: subject, body, location, importance,
            sensitivity, showAs, categories, reminder, hideAttendees and so on.
        attendees: the organizer's rows; an attendee's copy lists the organizer too.
        response: the mailbox owner's own answer.
        sequence: of the last version sent.
        sent_at: when the organizer sent the last version; None for appointments.
        day: original date of an occurrence in the zone of the series; None for single events and series.
        original_start: where the series would have the occurrence.
        master: the series of an exception; None also for an occurrence to which alone one was invited.
        exceptions, cancelled: of a series, by original date.
        own_members: of an exception, which members of `content` are its own.
        extended: extended properties that a client wrote.
        is_virtual: an occurrence worked out from its series; it lies in no mailbox.
        version: number of its last change in the mailbox's count.
    """

    id: str
    calendar_id: str
    uid: MeetingUid
    organizer: Person
    is_organizer: bool
    slot: Slot
    content: Json
    attendees: list[Attendee] = field(default_factory=list)
    response: Status = Status()
    recurrence: Recurrence | None = None
    sequence: int = 0
    sent_at: datetime | None = None
    is_cancelled: bool = False
    created_at: datetime
    modified_at: datetime
    change_key: str
    day: date | None = None
    original_start: datetime | None = None
    master: Event | None = None
    exceptions: dict[date, Event] = field(default_factory=dict)
    cancelled: set[date] = field(default_factory=set)
    own_members: set[str] = field(default_factory=set)
    extended: Properties = field(default_factory=dict)
    is_virtual: bool = False
    version: int = 0

    @property
    def type(self) -> str:
        if self.recurrence is not None:
            return "seriesMaster"
        if self.master is None:
            return "singleInstance"
        return "occurrence" if self.is_virtual else "exception"

    @property
    def is_meeting(self) -> bool:
        return bool(self.attendees)

    @property
    def is_private(self) -> bool:
        return self.content["sensitivity"] in ("private", "confidential")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingPart:
    """What makes a message an event message.

    Attributes:
        kind: Graph's meetingMessageType.
        message_class: such as `IPM.Schedule.Meeting.Resp.Tent`.
        uid, day: the meeting, and the occurrence of it.
        event_type: Graph's eventType of what the message speaks of.
        is_update: a request for a meeting that was sent before.
        previous: of an update, the slot before it.
        proposal: of a response, the time proposed.
        response: of a response, Graph's responseType.
    """

    kind: str
    message_class: str
    uid: MeetingUid
    day: date | None
    slot: Slot
    recurrence: Recurrence | None
    location: Json
    event_type: str
    is_update: bool = False
    previous: Slot | None = None
    proposal: Slot | None = None
    response: str = ""
    is_response_requested: bool = True
    allows_proposals: bool = True


@dataclass(slots=True, kw_only=True)
class Message:
    """A message in one mailbox.

    Attributes:
        id: immutable form.
        sent_at, received_at: whole seconds.
        flag: Graph's followupFlag.
        meeting: None for ordinary mail.
        extended: extended properties.
    """

    id: str
    folder_id: str
    subject: str
    body: Json
    preview: str
    sender: Person | None
    from_: Person | None
    to: list[Person]
    internet_message_id: str
    conversation_id: str
    sent_at: datetime
    received_at: datetime
    created_at: datetime
    modified_at: datetime
    change_key: str
    is_read: bool = False
    is_delegated: bool = False
    is_out_of_date: bool = False
    importance: str = "normal"
    categories: list[str] = field(default_factory=list)
    flag: Json = field(default_factory=lambda: {"flagStatus": "notFlagged"})
    meeting: MeetingPart | None = None
    extended: Properties = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class FolderEntry:
    """What a delta query needs to know of a message in a folder, kept after it left.

    Attributes:
        entered, changed, changed_more: numbers in the mailbox's count of changes: when it came, when it last
            changed at all, and when it last changed in more than being read.
        left: when it went; 0 while it is there.
        regular_id: the default id that it had when it went.
    """

    entered: int
    changed: int
    changed_more: int
    left: int = 0
    regular_id: str = ""


@dataclass(slots=True, kw_only=True)
class Folder:
    """A mail folder. `well_known` is the name by which every client finds it; empty for others."""

    id: str
    name: str
    parent_id: str
    well_known: str = ""
    entries: dict[str, FolderEntry] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Permission:
    """A row of calendarPermissions; `grantee` None is My Organization.

    Attributes:
        grantee: object id of the person.
    """

    id: str
    grantee: str | None
    role: str


@dataclass(slots=True, kw_only=True)
class Calendar:
    """A calendar in the list of one mailbox.

    Attributes:
        owner_id: whose calendar it is; another's for a calendar that was shared or delegated.
        is_primary: of its owner; only meetings sent from it are tallied.
        color: Graph's calendarColor.
    """

    id: str
    name: str
    owner_id: str
    is_primary: bool
    change_key: str
    color: str = "auto"
