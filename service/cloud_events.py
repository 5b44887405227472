"""An update as the flat text fields of one stream entry. Must never publish what people wrote in private.

The contract is CloudEvents 1.0 with the attributes `epoch` and `sequence`; the commit adds those and `id`.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote

import msgspec

from service.reconcile.attendee import DerivedAttendee
from service.reconcile.derive import DerivedInstance
from service.reconcile.emit import Said, UpdateType
from service.reconcile.facts import EventHead
from service.reconcile.instant import Instant, instant_of
from service.reconcile.model import (
    WHOLE,
    DateTimeTimeZone,
    EventType,
    InstanceKey,
    MeetingKey,
    OwnerKey,
    Person,
    Proposal,
    Slot,
)
from service.reconcile.rules import TABLE as RULES
from service.reconcile.rules import Taken
from service.roster import WatchedOwner

SPEC_VERSION: Final = "1.0"
DATA_SCHEMA: Final = "urn:responsesync:update:1"
TYPE_PREFIX: Final = "responsesync."
_MEETING_LEVEL: Final = {UpdateType.RESCHEDULED, UpdateType.CANCELLED, UpdateType.DELETED}
_encode: Final = msgspec.json.Encoder().encode


class Redacted(StrEnum):
    """What may be replaced by a keyed digest before it is published."""

    SUBJECT = "subject"
    COMMENT = "comment"
    ADDRESSES = "addresses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redactor:
    """Replaces text by its HMAC, so that equal texts stay equal and say nothing.

    Attributes:
        what: the members to replace; none by default.
    """

    what: frozenset[Redacted] = frozenset()
    key: bytes = b""

    def apply(self, member: Redacted, text: str | None) -> str | None:
        """Give the text, or its digest where that member is to be replaced; nothing stays nothing."""
        if not text or member not in self.what:
            return text
        return hmac.new(self.key, f"{member}:{text}".encode(), "sha256").hexdigest()


def build_redactor(what: Collection[str], key: bytes) -> Redactor:
    """Make a redactor from the setting.

    Raises:
        ValueError: a member is not one of `Redacted`.
    """
    return Redactor(what=frozenset(Redacted(each) for each in what), key=key)


def build_source(owner: OwnerKey, meeting: MeetingKey, instance: InstanceKey) -> str:
    """Give the `source`: the meeting, or one occurrence of it, percent-encoded.

    Source: https://www.rfc-editor.org/rfc/rfc3986#section-2.3
    """
    base = f"/owners/{quote(owner, safe='')}/meetings/{quote(meeting, safe='')}"
    return base if instance == WHOLE else f"{base}/instances/{quote(instance, safe='')}"


def build_fields(
    said: Said,
    instance: DerivedInstance,
    *,
    owner: WatchedOwner,
    meeting: MeetingKey,
    traceparent: str,
    redactor: Redactor,
) -> dict[str, str]:
    """Give the fields of one entry, all but `epoch`, `sequence` and `id`.

    Args:
        instance: what is so after the commit for the instance that the update is about.
    """
    fields = {
        "specversion": SPEC_VERSION,
        "type": f"{TYPE_PREFIX}{said.type}",
        "source": build_source(owner.key, meeting, said.instance),
        "datacontenttype": "application/json",
        "dataschema": DATA_SCHEMA,
        "traceparent": traceparent,
        "data": _encode(_data(said, instance, owner, redactor)).decode(),
    }
    if said.attendee is not None:
        fields["subject"] = redactor.apply(Redacted.ADDRESSES, said.attendee) or ""
    time = instance.head.last_modified if said.type in _MEETING_LEVEL else _responded_at(said)
    if time is not None and not time.is_year_one:
        fields["time"] = _rfc3339(time)
    return fields


def _data(said: Said, instance: DerivedInstance, owner: WatchedOwner, redactor: Redactor) -> dict[str, Any]:
    is_about_one = said.attendee is not None
    return {
        "owner": {
            "id": owner.key,
            "address": redactor.apply(Redacted.ADDRESSES, owner.address),
            "name": redactor.apply(Redacted.ADDRESSES, owner.name),
        },
        "event": _event(said.instance, instance, redactor),
        "attendee": _attendee(said, redactor) if is_about_one else None,
        "response": _response(said, instance.head, redactor) if is_about_one else None,
        "standing": str(said.standing) if is_about_one else None,
        "overdue": said.derived is not None and said.derived.is_overdue,
        "witnesses": _witnesses(said.derived, instance.head, redactor),
        "tally": instance.count_answers(),
    }


def _event(key: InstanceKey, instance: DerivedInstance, redactor: Redactor) -> dict[str, Any]:
    head = instance.head
    details = head.details
    start, end = details.start, details.end
    if _speaks_for_an_occurrence(key, head) and instance.place is not None:
        start, end = _placed(instance.place, details.start, details.end)
    return {
        **_identity(key, instance),
        "iCalUId": details.ical_uid,
        "subject": redactor.apply(Redacted.SUBJECT, details.subject),
        "start": _date_time(start),
        "end": _date_time(end),
        "isAllDay": details.is_all_day,
        "isCancelled": head.is_cancelled,
        "changeKey": head.change_key,
        "webLink": details.web_link,
    }


def _speaks_for_an_occurrence(key: InstanceKey, head: EventHead) -> bool:
    """Tell whether the series' event is all that is known of an occurrence."""
    return key != WHOLE and head.details.type is EventType.SERIES


def _identity(key: InstanceKey, instance: DerivedInstance) -> dict[str, Any]:
    """Give the event's ids and type; of one that was never read, what the other tells."""
    details = instance.head.details
    if _speaks_for_an_occurrence(key, instance.head):
        return {
            "id": None,
            "seriesMasterId": details.id,
            "type": str(EventType.OCCURRENCE),
            "originalStart": _original_start(key, instance),
        }
    if key == WHOLE and details.type in (EventType.OCCURRENCE, EventType.EXCEPTION):
        return {
            "id": details.series_master_id,
            "seriesMasterId": None,
            "type": str(EventType.SERIES),
            "originalStart": None,
        }
    return {
        "id": details.id,
        "seriesMasterId": details.series_master_id,
        "type": str(details.type),
        "originalStart": details.original_start,
    }


def _original_start(key: InstanceKey, instance: DerivedInstance) -> str:
    if instance.place is None or instance.place.start is None:
        return key
    return Instant(ns=instance.place.start, text="").to_utc_text()


def _attendee(said: Said, redactor: Redactor) -> dict[str, Any]:
    return {
        "address": redactor.apply(Redacted.ADDRESSES, said.attendee),
        "name": redactor.apply(Redacted.ADDRESSES, said.name),
        "type": said.attendee_type,
    }


def _response(said: Said, head: EventHead, redactor: Redactor) -> dict[str, Any]:
    derived = said.derived
    time = _responded_at(said)
    is_told = derived is not None and said.value is derived.value
    proposal = derived.proposal if derived is not None and is_told else None
    return {
        "value": str(said.value),
        "previous": None if said.previous is None else str(said.previous),
        "time": None if time is None else time.text,
        "comment": _comment(derived, head, redactor) if is_told else None,
        "proposedNewTime": None if proposal is None else _proposal(proposal),
    }


def _comment(derived: DerivedAttendee | None, head: EventHead, redactor: Redactor) -> str | None:
    """Give what the attendee wrote, where the message is what decided."""
    if derived is None or derived.answer is None or head.details.is_private:
        return None
    if RULES[derived.situation].taken not in (Taken.MESSAGE, Taken.BOTH):
        return None
    return redactor.apply(Redacted.COMMENT, derived.answer.comment or None)


def _witnesses(
    derived: DerivedAttendee | None, head: EventHead, redactor: Redactor
) -> dict[str, dict[str, Any] | None]:
    if derived is None:
        return {"message": None, "event": None}
    witness = None if derived.answer is None else derived.answer.witness
    row_time = derived.row.at
    return {
        "message": None
        if witness is None
        else {
            "mailbox": witness.mailbox,
            "id": witness.id,
            "internetMessageId": witness.internet_message_id,
            "sender": _person(witness.sender, redactor),
            "from": _person(witness.from_, redactor),
            "sentDateTime": witness.sent,
        },
        "event": {
            "response": str(derived.row.value),
            "time": None if row_time is None else row_time.text,
            "changeKey": derived.head.change_key,
            "lastModifiedDateTime": derived.head.last_modified.text,
        },
    }


def _responded_at(said: Said) -> Instant | None:
    if said.derived is None or said.value is not said.derived.value or not said.value.is_answer:
        return None
    return said.derived.at


def _rfc3339(instant: Instant) -> str:
    """Give the text with its digits where it names its offset, else the same instant in UTC."""
    has_offset = instant.text.endswith(("Z", "z")) or "+" in instant.text or instant.text.count("-") > 2
    return instant.text if has_offset else instant.to_utc_text()


def _placed(
    place: Slot, start: DateTimeTimeZone, end: DateTimeTimeZone
) -> tuple[DateTimeTimeZone, DateTimeTimeZone]:
    if place.start is None or place.end is None:
        return start, end
    return _in_utc(place.start), _in_utc(place.end)


def _in_utc(ns: int) -> DateTimeTimeZone:
    text = instant_of(Instant(ns=ns, text="").to_datetime()).text.removesuffix("Z")
    return DateTimeTimeZone(date_time=f"{text}.0000000" if "." not in text else text, time_zone="UTC")


def _date_time(value: DateTimeTimeZone) -> dict[str, str]:
    return {"dateTime": value.date_time, "timeZone": value.time_zone}


def _proposal(proposal: Proposal) -> dict[str, dict[str, str]]:
    return {"start": _date_time(proposal.given_start), "end": _date_time(proposal.given_end)}


def _person(person: Person | None, redactor: Redactor) -> dict[str, str | None] | None:
    if person is None:
        return None
    return {
        "name": redactor.apply(Redacted.ADDRESSES, person.name),
        "address": redactor.apply(Redacted.ADDRESSES, person.address),
    }
