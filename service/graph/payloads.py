"""Graph's JSON as typed dictionaries, in Graph's own spelling. Must never hold a rule: shapes only.

Members are what the service reads or writes, not all there are. Everything may be missing or null in what
Graph sends; the parsers take nothing for granted, so these types speak to people and to the sandbox.

Source: https://learn.microsoft.com/graph/api/overview and
https://github.com/microsoftgraph/msgraph-metadata (schemas/v1.0-Prod.csdl)
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

ResponseType = Literal["none", "organizer", "tentativelyAccepted", "accepted", "declined", "notResponded"]
"""Source: https://learn.microsoft.com/graph/api/resources/responsestatus"""

MeetingMessageType = Literal[
    "none",
    "meetingRequest",
    "meetingCancelled",
    "meetingAccepted",
    "meetingTenativelyAccepted",  # so spelt in the schema; two pages of the documentation spell it right
    "meetingDeclined",
]
"""Source: https://learn.microsoft.com/graph/api/resources/eventmessage"""

EventTypeName = Literal["singleInstance", "occurrence", "exception", "seriesMaster"]
SensitivityName = Literal["normal", "personal", "private", "confidential"]
AttendeeTypeName = Literal["required", "optional", "resource"]
DeliveryOptionName = Literal[
    "sendToDelegateAndInformationToPrincipal", "sendToDelegateAndPrincipal", "sendToDelegateOnly"
]
"""Source: https://learn.microsoft.com/graph/api/resources/mailboxsettings"""

CalendarRole = Literal[
    "none",
    "freeBusyRead",
    "limitedRead",
    "read",
    "write",
    "delegateWithoutPrivateEventAccess",
    "delegateWithPrivateEventAccess",
    "custom",
]
"""Source: https://learn.microsoft.com/graph/api/resources/calendarpermission"""


class EmailAddress(TypedDict, total=False):
    """Source: https://learn.microsoft.com/graph/api/resources/emailaddress"""

    name: str | None
    address: str | None


class Recipient(TypedDict, total=False):
    """Source: https://learn.microsoft.com/graph/api/resources/recipient"""

    emailAddress: EmailAddress | None


class DateTimeTimeZonePayload(TypedDict):
    """Source: https://learn.microsoft.com/graph/api/resources/datetimetimezone"""

    dateTime: str
    timeZone: str


class TimeSlot(TypedDict):
    """Source: https://learn.microsoft.com/graph/api/resources/timeslot"""

    start: DateTimeTimeZonePayload
    end: DateTimeTimeZonePayload


class ResponseStatus(TypedDict, total=False):
    """Source: https://learn.microsoft.com/graph/api/resources/responsestatus"""

    response: ResponseType
    time: str | None


class Attendee(TypedDict, total=False):
    """Source: https://learn.microsoft.com/graph/api/resources/attendee"""

    type: AttendeeTypeName
    status: ResponseStatus | None
    emailAddress: EmailAddress | None
    proposedNewTime: TimeSlot | None


class RecurrencePattern(TypedDict, total=False):
    """Source: https://learn.microsoft.com/graph/api/resources/recurrencepattern"""

    type: Literal["daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"]
    interval: int
    month: int
    dayOfMonth: int
    daysOfWeek: list[str]
    firstDayOfWeek: str
    index: Literal["first", "second", "third", "fourth", "last"]


class RecurrenceRange(TypedDict, total=False):
    """Source: https://learn.microsoft.com/graph/api/resources/recurrencerange"""

    type: Literal["endDate", "noEnd", "numbered"]
    startDate: str
    endDate: str
    recurrenceTimeZone: str
    numberOfOccurrences: int


class PatternedRecurrence(TypedDict):
    """Source: https://learn.microsoft.com/graph/api/resources/patternedrecurrence"""

    pattern: RecurrencePattern
    range: RecurrenceRange


class ExtendedProperty(TypedDict):
    """Source: https://learn.microsoft.com/graph/api/resources/singlevaluelegacyextendedproperty"""

    id: str
    value: str | None


Event = TypedDict(
    "Event",
    {
        "@odata.etag": str,
        "@odata.type": str,
        "id": str,
        "iCalUId": str | None,
        "seriesMasterId": str | None,
        "type": EventTypeName,
        "originalStart": str | None,
        "originalStartTimeZone": str | None,
        "originalEndTimeZone": str | None,
        "createdDateTime": str,
        "lastModifiedDateTime": str,
        "changeKey": str,
        "subject": str | None,
        "bodyPreview": str | None,
        "start": DateTimeTimeZonePayload,
        "end": DateTimeTimeZonePayload,
        "isAllDay": bool,
        "isCancelled": bool,
        "isOrganizer": bool,
        "responseRequested": bool | None,
        "hideAttendees": bool | None,
        "sensitivity": SensitivityName,
        "recurrence": PatternedRecurrence | None,
        "responseStatus": ResponseStatus | None,
        "attendees": list[Attendee],
        "organizer": Recipient | None,
        "webLink": str | None,
        "singleValueExtendedProperties": list[ExtendedProperty],
    },
    total=False,
)
"""Source: https://learn.microsoft.com/graph/api/resources/event"""

EventMessage = TypedDict(
    "EventMessage",
    {
        "@odata.type": str,
        "@odata.etag": str,
        "id": str,
        "changeKey": str,
        "createdDateTime": str,
        "lastModifiedDateTime": str,
        "receivedDateTime": str,
        "sentDateTime": str | None,
        "internetMessageId": str | None,
        "subject": str | None,
        "bodyPreview": str | None,
        "parentFolderId": str,
        "sender": Recipient | None,
        "from": Recipient | None,
        "toRecipients": list[Recipient],
        "isDraft": bool,
        "isRead": bool,
        # of eventMessage
        "meetingMessageType": MeetingMessageType,
        "startDateTime": DateTimeTimeZonePayload | None,
        "endDateTime": DateTimeTimeZonePayload | None,
        "isAllDay": bool | None,
        "isDelegated": bool | None,
        "isOutOfDate": bool | None,
        "recurrence": PatternedRecurrence | None,
        "type": EventTypeName | None,
        "event": Event | None,
        # of eventMessageResponse
        "responseType": ResponseType | None,
        "proposedNewTime": TimeSlot | None,
        "singleValueExtendedProperties": list[ExtendedProperty],
    },
    total=False,
)
"""A message of any meeting kind.

Source: https://learn.microsoft.com/graph/api/resources/eventmessage and
https://learn.microsoft.com/graph/api/resources/eventmessageresponse
"""


class Removed(TypedDict):
    """Source: https://learn.microsoft.com/graph/delta-query-overview"""

    reason: Literal["deleted", "changed"]


DeltaPayloadItem = TypedDict(
    "DeltaPayloadItem",
    {
        "id": str,
        "@odata.type": str,
        "@odata.etag": str,
        "@removed": Removed,
        "sentDateTime": str,
        "type": EventTypeName,
        "seriesMasterId": str | None,
    },
    total=False,
)
"""Source: https://learn.microsoft.com/graph/api/message-delta and https://learn.microsoft.com/graph/api/event-delta"""

Collection = TypedDict(
    "Collection",
    {"@odata.context": str, "@odata.nextLink": str, "@odata.deltaLink": str, "value": list[Any]},
    total=False,
)
"""A page of anything. Source: https://learn.microsoft.com/graph/paging"""


class User(TypedDict, total=False):
    """Source: https://learn.microsoft.com/graph/api/resources/user"""

    id: str
    displayName: str | None
    mail: str | None
    userPrincipalName: str
    proxyAddresses: list[str]


class CalendarPermission(TypedDict, total=False):
    """Source: https://learn.microsoft.com/graph/api/resources/calendarpermission"""

    id: str
    role: CalendarRole
    allowedRoles: list[CalendarRole]
    emailAddress: EmailAddress | None
    isInsideOrganization: bool
    isRemovable: bool


class Subscription(TypedDict, total=False):
    """Source: https://learn.microsoft.com/graph/api/resources/subscription"""

    id: str
    applicationId: str
    creatorId: str
    resource: str
    changeType: str
    clientState: str | None
    notificationUrl: str
    lifecycleNotificationUrl: str | None
    expirationDateTime: str
    includeResourceData: bool | None
    encryptionCertificate: str | None
    encryptionCertificateId: str | None
    latestSupportedTlsVersion: str
