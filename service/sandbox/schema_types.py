"""Graph's types as the schema of v1.0 names them, trimmed to those that are used. Tables only.

Source: https://github.com/microsoftgraph/msgraph-metadata/blob/master/schemas/v1.0-Prod.csdl
`user` is shortened by hand: the excerpt that the rest is made from has none.
"""

from __future__ import annotations

from typing import Final

ENUMS: Final[dict[str, str]] = {
    "attendeeType": ("required optional resource "),
    "automaticRepliesStatus": ("disabled alwaysEnabled scheduled "),
    "bodyType": ("text html "),
    "calendarColor": (
        "auto lightBlue lightGreen lightOrange lightGray lightYellow lightTeal lightPink lightBrown "
        "lightRed maxColor "
    ),
    "calendarRoleType": (
        "none freeBusyRead limitedRead read write delegateWithoutPrivateEventAccess "
        "delegateWithPrivateEventAccess custom "
    ),
    "dayOfWeek": ("sunday monday tuesday wednesday thursday friday saturday "),
    "delegateMeetingMessageDeliveryOptions": (
        "sendToDelegateAndInformationToPrincipal sendToDelegateAndPrincipal sendToDelegateOnly "
    ),
    "eventType": ("singleInstance occurrence exception seriesMaster "),
    "exchangeIdFormat": ("entryId ewsId immutableEntryId restId restImmutableEntryId "),
    "externalAudienceScope": ("none contactsOnly all "),
    "followupFlagStatus": ("notFlagged complete flagged "),
    "freeBusyStatus": ("unknown free tentative busy oof workingElsewhere "),
    "importance": ("low normal high "),
    "inferenceClassificationType": ("focused other "),
    "locationType": (
        "default conferenceRoom homeAddress businessAddress geoCoordinates streetAddress hotel "
        "restaurant localBusiness postalAddress "
    ),
    "locationUniqueIdType": ("unknown locationStore directory private bing "),
    "meetingMessageType": (
        "none meetingRequest meetingCancelled meetingAccepted meetingTenativelyAccepted meetingDeclined "
    ),
    "meetingRequestType": (
        "none newMeetingRequest fullUpdate informationalUpdate silentUpdate outdated principalWantsCopy "
    ),
    "onlineMeetingProviderType": ("unknown skypeForBusiness skypeForConsumer teamsForBusiness "),
    "phoneType": ("home business mobile other assistant homeFax businessFax otherFax pager radio "),
    "recurrencePatternType": ("daily weekly absoluteMonthly relativeMonthly absoluteYearly relativeYearly "),
    "recurrenceRangeType": ("endDate noEnd numbered "),
    "responseType": ("none organizer tentativelyAccepted accepted declined notResponded "),
    "sensitivity": ("normal personal private confidential "),
    "userPurpose": ("user linked shared room equipment others unknownFutureValue "),
    "weekIndex": ("first second third fourth last "),
}
# type -> base type, and its own members as name:type, * for a collection
SHAPES: Final[dict[str, tuple[str, str]]] = {
    "attendee": (
        "attendeeBase",
        "proposedNewTime:timeSlot status:responseStatus ",
    ),
    "attendeeBase": (
        "recipient",
        "type:attendeeType ",
    ),
    "automaticRepliesSetting": (
        "",
        "externalAudience:externalAudienceScope externalReplyMessage:String "
        "internalReplyMessage:String scheduledEndDateTime:dateTimeTimeZone "
        "scheduledStartDateTime:dateTimeTimeZone status:automaticRepliesStatus ",
    ),
    "calendar": (
        "entity",
        "allowedOnlineMeetingProviders:onlineMeetingProviderType* canEdit:Boolean canShare:Boolean "
        "canViewPrivateItems:Boolean changeKey:String color:calendarColor "
        "defaultOnlineMeetingProvider:onlineMeetingProviderType hexColor:String "
        "isDefaultCalendar:Boolean isRemovable:Boolean isTallyingResponses:Boolean name:String "
        "owner:emailAddress ",
    ),
    "calendarPermission": (
        "entity",
        "allowedRoles:calendarRoleType* emailAddress:emailAddress isInsideOrganization:Boolean "
        "isRemovable:Boolean role:calendarRoleType ",
    ),
    "convertIdResult": (
        "",
        "errorDetails:genericError sourceId:String targetId:String ",
    ),
    "dateTimeTimeZone": (
        "",
        "dateTime:String timeZone:String ",
    ),
    "emailAddress": (
        "",
        "address:String name:String ",
    ),
    "entity": (
        "",
        "id:String ",
    ),
    "event": (
        "outlookItem",
        "allowNewTimeProposals:Boolean attendees:attendee* body:itemBody bodyPreview:String "
        "cancelledOccurrences:String* end:dateTimeTimeZone hasAttachments:Boolean "
        "hideAttendees:Boolean iCalUId:String importance:importance isAllDay:Boolean "
        "isCancelled:Boolean isDraft:Boolean isOnlineMeeting:Boolean isOrganizer:Boolean "
        "isReminderOn:Boolean location:location locations:location* onlineMeeting:onlineMeetingInfo "
        "onlineMeetingProvider:onlineMeetingProviderType onlineMeetingUrl:String "
        "organizer:recipient originalEndTimeZone:String originalStart:DateTimeOffset "
        "originalStartTimeZone:String recurrence:patternedRecurrence "
        "reminderMinutesBeforeStart:Int32 responseRequested:Boolean responseStatus:responseStatus "
        "sensitivity:sensitivity seriesMasterId:String showAs:freeBusyStatus start:dateTimeTimeZone "
        "subject:String transactionId:String type:eventType webLink:String ",
    ),
    "eventMessage": (
        "message",
        "endDateTime:dateTimeTimeZone isAllDay:Boolean isDelegated:Boolean isOutOfDate:Boolean "
        "location:location meetingMessageType:meetingMessageType recurrence:patternedRecurrence "
        "startDateTime:dateTimeTimeZone type:eventType ",
    ),
    "eventMessageRequest": (
        "eventMessage",
        "allowNewTimeProposals:Boolean meetingRequestType:meetingRequestType "
        "previousEndDateTime:dateTimeTimeZone previousLocation:location "
        "previousStartDateTime:dateTimeTimeZone responseRequested:Boolean ",
    ),
    "eventMessageResponse": (
        "eventMessage",
        "proposedNewTime:timeSlot responseType:responseType ",
    ),
    "followupFlag": (
        "",
        "completedDateTime:dateTimeTimeZone dueDateTime:dateTimeTimeZone "
        "flagStatus:followupFlagStatus startDateTime:dateTimeTimeZone ",
    ),
    "genericError": (
        "",
        "code:String message:String ",
    ),
    "internetMessageHeader": (
        "",
        "name:String value:String ",
    ),
    "itemBody": (
        "",
        "content:String contentType:bodyType ",
    ),
    "localeInfo": (
        "",
        "displayName:String locale:String ",
    ),
    "location": (
        "",
        "address:physicalAddress coordinates:outlookGeoCoordinates displayName:String "
        "locationEmailAddress:String locationType:locationType locationUri:String uniqueId:String "
        "uniqueIdType:locationUniqueIdType ",
    ),
    "mailFolder": (
        "entity",
        "childFolderCount:Int32 displayName:String isHidden:Boolean parentFolderId:String "
        "totalItemCount:Int32 unreadItemCount:Int32 ",
    ),
    "mailboxSettings": (
        "",
        "archiveFolder:String automaticRepliesSetting:automaticRepliesSetting dateFormat:String "
        "delegateMeetingMessageDeliveryOptions:delegateMeetingMessageDeliveryOptions "
        "language:localeInfo timeFormat:String timeZone:String userPurpose:userPurpose "
        "workingHours:workingHours ",
    ),
    "message": (
        "outlookItem",
        "bccRecipients:recipient* body:itemBody bodyPreview:String ccRecipients:recipient* "
        "conversationId:String conversationIndex:Binary flag:followupFlag from:recipient "
        "hasAttachments:Boolean importance:importance "
        "inferenceClassification:inferenceClassificationType "
        "internetMessageHeaders:internetMessageHeader* internetMessageId:String "
        "isDeliveryReceiptRequested:Boolean isDraft:Boolean isRead:Boolean "
        "isReadReceiptRequested:Boolean parentFolderId:String receivedDateTime:DateTimeOffset "
        "replyTo:recipient* sender:recipient sentDateTime:DateTimeOffset subject:String "
        "toRecipients:recipient* uniqueBody:itemBody webLink:String ",
    ),
    "onlineMeetingInfo": (
        "",
        "conferenceId:String joinUrl:String phones:phone* quickDial:String tollFreeNumbers:String* "
        "tollNumber:String ",
    ),
    "outlookGeoCoordinates": (
        "",
        "accuracy:Double altitude:Double altitudeAccuracy:Double latitude:Double longitude:Double ",
    ),
    "outlookItem": (
        "entity",
        "categories:String* changeKey:String createdDateTime:DateTimeOffset "
        "lastModifiedDateTime:DateTimeOffset ",
    ),
    "patternedRecurrence": (
        "",
        "pattern:recurrencePattern range:recurrenceRange ",
    ),
    "phone": (
        "",
        "language:String number:String region:String type:phoneType ",
    ),
    "physicalAddress": (
        "",
        "city:String countryOrRegion:String postalCode:String state:String street:String ",
    ),
    "recipient": (
        "",
        "emailAddress:emailAddress ",
    ),
    "recurrencePattern": (
        "",
        "dayOfMonth:Int32 daysOfWeek:dayOfWeek* firstDayOfWeek:dayOfWeek index:weekIndex "
        "interval:Int32 month:Int32 type:recurrencePatternType ",
    ),
    "recurrenceRange": (
        "",
        "endDate:Date numberOfOccurrences:Int32 recurrenceTimeZone:String startDate:Date "
        "type:recurrenceRangeType ",
    ),
    "responseStatus": (
        "",
        "response:responseType time:DateTimeOffset ",
    ),
    "singleValueLegacyExtendedProperty": (
        "entity",
        "value:String ",
    ),
    "timeSlot": (
        "",
        "end:dateTimeTimeZone start:dateTimeTimeZone ",
    ),
    "timeZoneBase": (
        "",
        "name:String ",
    ),
    "workingHours": (
        "",
        "daysOfWeek:dayOfWeek* endTime:TimeOfDay startTime:TimeOfDay timeZone:timeZoneBase ",
    ),
    "user": (
        "entity",
        "accountEnabled:Boolean businessPhones:String* displayName:String givenName:String "
        "jobTitle:String mail:String mailNickname:String mobilePhone:String officeLocation:String "
        "preferredLanguage:String proxyAddresses:String* surname:String userPrincipalName:String "
        "userType:String ",
    ),
}
