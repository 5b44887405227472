"""A message as Graph gives it: a meeting response as a value, or none. No I/O.

Must never read a subject, and never keep anything of a message that is no response.

Source: https://learn.microsoft.com/graph/api/resources/eventmessage and
https://learn.microsoft.com/graph/api/resources/eventmessageresponse
"""

from __future__ import annotations

from typing import Final

from service.graph import extended
from service.graph.extended import ExtendedProperties
from service.graph.node import Node, require_object
from service.graph.parse_attendees import identify_person, parse_person, parse_proposal, parse_value
from service.graph.recurrence import canonical_recurrence
from service.reconcile.instant import NS_PER_S, Instant
from service.reconcile.matching import (
    MeetingIdentity,
    is_legacy_address,
    normalize_address,
    parse_global_object_id,
)
from service.reconcile.model import (
    WHOLE,
    Address,
    DateTimeTimeZone,
    InstanceKey,
    MailboxKey,
    MeetingResponse,
    MessageId,
    MessageWitness,
    Proposal,
    ResponseValue,
    Slot,
)

COMMENT_MAX: Final = 255
"""Characters of a comment; Graph's own preview is as long.

Source: https://learn.microsoft.com/graph/api/resources/message
"""

_BY_MEETING_TYPE: Final = {
    "meetingaccepted": ResponseValue.ACCEPTED,
    "meetingtenativelyaccepted": ResponseValue.TENTATIVE,  # so spelt in the schema
    "meetingtentativelyaccepted": ResponseValue.TENTATIVE,  # so spelt on two pages of the documentation
    "meetingdeclined": ResponseValue.DECLINED,
}
_NO_RESPONSES: Final = frozenset({"meetingrequest", "meetingcancelled"})
_BY_CLASS: Final = {
    "ipm.schedule.meeting.resp.pos": ResponseValue.ACCEPTED,
    "ipm.schedule.meeting.resp.tent": ResponseValue.TENTATIVE,
    "ipm.schedule.meeting.resp.neg": ResponseValue.DECLINED,
}
_RESPONSE_TYPE: Final = "#microsoft.graph.eventmessageresponse"
_INSTANCE_TYPES: Final = frozenset({"occurrence", "exception"})
_SINGLE_TYPES: Final = _INSTANCE_TYPES | {"singleinstance"}
_PRIVATE_WORDS: Final = frozenset({"private", "confidential"})
_PRIVATE_NUMBERS: Final = frozenset({2, 3})
_HALF_DAY_NS: Final = 43_200 * NS_PER_S


def parse_message(
    payload: object, *, mailbox: MailboxKey, notes: list[str] | None = None
) -> MeetingResponse | None:
    """Read a message.

    Args:
        payload: decoded JSON of one message, also as it comes decrypted in a rich notification.
        mailbox: where it lies.
        notes: receives one sentence for each member that could not be understood.

    Returns:
        None where the message is no response to a meeting, or one that has not been sent.

    Raises:
        PayloadError: it is a response, but without id, time or value, or to an occurrence that nothing names.
    """
    node = require_object(payload, notes)
    properties = ExtendedProperties(node)
    value = _read_value(node, properties)
    if value is None or node["isDraft"].flag() is True:
        return None
    is_private = _is_private(node, properties)
    identity = _identify(node, properties)
    return MeetingResponse(
        meeting=None if identity is None else identity.meeting,
        instance=WHOLE if identity is None else identity.instance,
        represented=_read_represented(properties),
        attendee=identify_person(node["from"]),
        attendee_smtp=_read_attendee_smtp(node, properties),
        slot=_read_slot(node, properties),
        sequence=properties.number(extended.SEQUENCE),
        value=value,
        at=_read_time(node, properties),
        comment="" if is_private else (node["bodyPreview"].text() or "")[:COMMENT_MAX],
        proposal=_read_proposal(node, properties),
        is_private=is_private,
        witness=_read_witness(node, mailbox),
    )


def is_event_message(odata_type: str | None) -> bool:
    """Tell by `@odata.type` whether a message is of a meeting kind."""
    return (odata_type or "").lower().startswith("#microsoft.graph.eventmessage")


def _read_value(node: Node, properties: ExtendedProperties) -> ResponseValue | None:
    """Decide what was answered: by the meeting type, then by the subtype, then by the message class."""
    kind = node["meetingMessageType"].word()
    if kind in _BY_MEETING_TYPE:
        return _BY_MEETING_TYPE[kind]
    if kind in _NO_RESPONSES:
        return None
    value = parse_value(node["responseType"])
    if value.is_answer:
        return value
    message_class = (properties.text(extended.MESSAGE_CLASS) or "").lower()
    by_class = next((value for name, value in _BY_CLASS.items() if message_class.startswith(name)), None)
    if by_class is None and node["@odata.type"].word() == _RESPONSE_TYPE:
        raise node["meetingMessageType"].fail("what was answered")
    return by_class


def _identify(node: Node, properties: ExtendedProperties) -> MeetingIdentity | None:
    full = parse_global_object_id(properties.binary(extended.GLOBAL_OBJECT_ID) or b"")
    identity = full or parse_global_object_id(properties.binary(extended.CLEAN_GLOBAL_OBJECT_ID) or b"")
    if identity is None or identity.instance != WHOLE or node["type"].word() not in _INSTANCE_TYPES:
        return identity
    # One occurrence was answered, but the identifier holds no date: the given start names the day.
    start = node["startDateTime"].zoned_time()
    if start is None or start.instant is None:
        # Taken for an answer to the whole series it would be wrong for every other occurrence.
        raise node["startDateTime"].fail("the day of the occurrence that was answered")
    node["type"].note("an occurrence without its original date")
    return MeetingIdentity(meeting=identity.meeting, instance=InstanceKey(start.given.date_time.strip()[:10]))


def _read_represented(properties: ExtendedProperties) -> Address | None:
    """Give the address the message was received for; an Exchange name tells nothing and counts as none."""
    given = (
        properties.text(extended.RECEIVED_REPRESENTING_SMTP),
        properties.text(extended.RECEIVED_REPRESENTING_ADDRESS),
    )
    return next((normalize_address(one) for one in given if one and "@" in one and not _is_legacy(one)), None)


def _read_attendee_smtp(node: Node, properties: ExtendedProperties) -> Address | None:
    """Give the SMTP address of who answered: of the represented person, else of a sender who is the same."""
    represented = properties.text(extended.SENT_REPRESENTING_SMTP)
    if represented is None and identify_person(node["from"]) == identify_person(node["sender"]):
        represented = properties.text(extended.SENDER_SMTP)
    return None if represented is None or _is_legacy(represented) else normalize_address(represented)


def _is_legacy(address: str) -> bool:
    return is_legacy_address(address.strip())


def _read_slot(node: Node, properties: ExtendedProperties) -> Slot:
    is_all_day = node["isAllDay"].flag()
    if is_all_day is None:
        is_all_day = properties.flag(extended.ALL_DAY)
    return Slot(
        start=_read_edge(node["startDateTime"], properties.instant(extended.START), is_all_day),
        end=_read_edge(node["endDateTime"], properties.instant(extended.END), is_all_day),
        is_all_day=is_all_day,
        recurrence=_read_recurrence(node),
    )


def _read_edge(given: Node, mapi: Instant | None, is_all_day: bool | None) -> int | None:
    time = given.zoned_time()
    if time is not None and time.instant is not None:
        return time.instant.ns
    if mapi is None:
        return None
    # MAPI has the midnight of the organizer's zone where Graph writes the bare date: take the nearest one.
    return (mapi.ns + _HALF_DAY_NS) // (2 * _HALF_DAY_NS) * (2 * _HALF_DAY_NS) if is_all_day else mapi.ns


def _read_recurrence(node: Node) -> str | None:
    recurrence = node["recurrence"]
    if not recurrence.is_absent:
        return canonical_recurrence(recurrence)
    return "" if node["type"].word() in _SINGLE_TYPES else None


def _read_time(node: Node, properties: ExtendedProperties) -> Instant:
    at = properties.instant(extended.ATTENDEE_CRITICAL_CHANGE) or node["sentDateTime"].instant()
    if at is None:
        raise node["sentDateTime"].fail("an instant")
    return at


def _read_proposal(node: Node, properties: ExtendedProperties) -> Proposal | None:
    proposal = parse_proposal(node["proposedNewTime"])
    if proposal is not None or not properties.flag(extended.COUNTER_PROPOSAL):
        return proposal
    start, end = properties.instant(extended.PROPOSED_START), properties.instant(extended.PROPOSED_END)
    if start is None or end is None:
        return None
    return Proposal(start=start, end=end, given_start=_as_given(start), given_end=_as_given(end))


def _as_given(instant: Instant) -> DateTimeTimeZone:
    return DateTimeTimeZone(date_time=instant.to_utc_text().removesuffix("Z"), time_zone="UTC")


def _is_private(node: Node, properties: ExtendedProperties) -> bool:
    if properties.number(extended.SENSITIVITY) in _PRIVATE_NUMBERS:
        return True
    return node["sensitivity"].word() in _PRIVATE_WORDS


def _read_witness(node: Node, mailbox: MailboxKey) -> MessageWitness:
    message_id = node["id"].text()
    if message_id is None:
        raise node["id"].fail("text")
    return MessageWitness(
        mailbox=mailbox,
        id=MessageId(message_id),
        internet_message_id=node["internetMessageId"].text() or "",
        sender=parse_person(node["sender"]),
        from_=parse_person(node["from"]),
        sent=node["sentDateTime"].text() or "",
    )
