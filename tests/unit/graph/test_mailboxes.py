"""How meetings and occurrences are looked for, and what a mailbox that refuses casts gets instead."""

from __future__ import annotations

import pytest

from service.errors import GoneError, PayloadError, RefusedError, UnavailableError
from service.graph.answer import Answer
from service.graph.mailboxes import GraphMailboxes
from service.graph.requests import RequestKind
from service.ports import Look
from service.reconcile.model import EventId, InstanceKey, MailboxKey, MeetingKey, MessageId, OwnerKey
from tests.unit.graph.replies import RecordingObserver, ScriptedSender, in_order, refusal, reply

ALEX, ADELE = OwnerKey("alex"), MailboxKey("adele")
HEX = "040000008200E00074C5B7101A82E00800000000" + "00A2A6F3535D7FD3" + "00" * 8 + "04000000" + "0A0B0C0D"
FOREIGN = "7kukuqrfedlm2f9t0vr42q1ru8@calendar.example"
FOREIGN_HEX = (
    "040000008200E00074C5B7101A82E008" + "00" * 20 + "38000000" + b"vCal-Uid\x01\0\0\0".hex()
).upper() + (FOREIGN.encode() + b"\0").hex().upper()
DAY = InstanceKey("2020-01-07")
ZONE = "America/Los_Angeles"


def event(**members: object) -> dict[str, object]:
    """Give an event of Alex' calendar."""
    return {
        "id": "e-1",
        "iCalUId": HEX,
        "type": "singleInstance",
        "lastModifiedDateTime": "2019-12-21T05:16:54Z",
        "start": {"dateTime": "2020-01-08T02:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2020-01-08T03:00:00", "timeZone": "UTC"},
        "isOrganizer": True,
        **members,
    }


def occurrence(id_: str, original: str, **members: object) -> dict[str, object]:
    """Give an occurrence of the series `s-1`."""
    return event(id=id_, type="occurrence", seriesMasterId="s-1", originalStart=original, **members)


def reader(sender: ScriptedSender) -> GraphMailboxes:
    return GraphMailboxes(sender, observer=RecordingObserver())


def ids(look: Look) -> list[str]:
    return [one.details.id for one in look.events]


async def test_a_meeting_is_looked_for_by_ical_uid_and_only_its_own_events_count() -> None:
    other = event(id="e-2", iCalUId="other")
    instance = occurrence("e-3", "2020-01-08T02:00:00Z")
    sender = in_order(reply({"value": [event(), other, instance]}))
    look = await reader(sender).find_meeting(ALEX, MeetingKey(HEX))
    assert ids(look) == ["e-1"]
    assert look.at.to_utc_text() == "2019-12-21T05:20:00Z"
    assert dict(sender.asked[0].query)["$filter"] == f"iCalUId eq '{HEX}'"


async def test_all_pages_of_a_search_are_read_and_the_last_one_dates_the_look() -> None:
    link = "https://graph.example/v1.0/users/alex/events?$skip=10"
    later = {"Date": "Sat, 21 Dec 2019 05:20:07 GMT"}
    sender = in_order(
        reply({"value": [], "@odata.nextLink": link}), reply({"value": [event()]}, headers=later)
    )
    look = await reader(sender).find_meeting(ALEX, MeetingKey(HEX))
    assert ids(look) == ["e-1"]
    assert look.at.to_utc_text() == "2019-12-21T05:20:07Z"
    assert (sender.asked[1].link, sender.asked[1].mailbox) == (link, "alex")


async def test_a_foreign_meeting_is_looked_for_under_its_own_uid_and_wrapped() -> None:
    sender = in_order(reply({"value": []}), reply({"value": [event(iCalUId=FOREIGN_HEX)]}))
    look = await reader(sender).find_meeting(ALEX, MeetingKey(FOREIGN))
    assert ids(look) == ["e-1"]
    filters = [dict(one.query)["$filter"] for one in sender.asked]
    assert filters == [f"iCalUId eq '{FOREIGN}'", f"iCalUId eq '{FOREIGN_HEX}'"]


async def test_a_foreign_meeting_that_is_found_at_once_is_not_looked_for_again() -> None:
    sender = in_order(reply({"value": [event(iCalUId=FOREIGN)]}))
    assert ids(await reader(sender).find_meeting(ALEX, MeetingKey(FOREIGN))) == ["e-1"]


async def test_a_meeting_without_ical_uid_is_read_by_its_id() -> None:
    sender = in_order(reply(event(iCalUId=None)))
    look = await reader(sender).find_meeting(ALEX, MeetingKey("id:e-1"))
    assert ids(look) == ["e-1"]
    assert sender.asked[0].kind is RequestKind.EVENT


async def test_a_missing_item_is_an_empty_look_with_its_date() -> None:
    later = {"Date": "Sat, 21 Dec 2019 05:20:07 GMT"}
    sender = in_order(refusal(404, "ErrorItemNotFound", headers=later))
    look = await reader(sender).find_meeting(ALEX, MeetingKey("id:e-1"))
    assert (look.events, look.at.to_utc_text()) == ((), "2019-12-21T05:20:07Z")


@pytest.mark.parametrize("meeting", ["id:e-1", HEX])
async def test_a_missing_mailbox_is_no_proof_that_a_meeting_is_gone(meeting: str) -> None:
    sender = in_order(refusal(404, "MailboxNotEnabledForRESTAPI"))
    with pytest.raises(GoneError):
        await reader(sender).find_meeting(ALEX, MeetingKey(meeting))


async def test_a_404_of_an_event_proves_nothing() -> None:
    with pytest.raises(GoneError):
        await reader(in_order(refusal(404, "ErrorItemNotFound"))).fetch_event(ALEX, EventId("e-1"))


async def test_an_occurrence_is_looked_for_on_its_day_in_the_zone_of_the_series() -> None:
    sender = in_order(
        reply(
            {
                "value": [
                    occurrence("o-1", "2020-01-07T02:00:00Z"),
                    occurrence("o-2", "2020-01-08T02:00:00Z"),
                ]
            }
        )
    )
    look = await reader(sender).find_instance(ALEX, EventId("s-1"), DAY, ZONE)
    assert ids(look) == ["o-2"]
    assert look.events[0].instance == DAY
    query = dict(sender.asked[0].query)
    assert (query["startDateTime"], query["endDateTime"]) == ("2020-01-06T08:00:00Z", "2020-01-09T08:00:00Z")


async def test_an_occurrence_that_was_moved_far_away_is_found_and_read_whole() -> None:
    moved = {
        "id": "x-1",
        "type": "exception",
        "originalStart": "2020-01-08T02:00:00Z",
        "start": {"dateTime": "2020-03-01T02:00:00", "timeZone": "UTC"},
    }
    whole = occurrence("x-1", "2020-01-08T02:00:00Z", attendees=[])
    sender = in_order(reply({"value": []}), reply({"value": [moved]}), reply(whole))
    look = await reader(sender).find_instance(ALEX, EventId("s-1"), DAY, ZONE)
    assert ids(look) == ["x-1"]
    assert [one.kind for one in sender.asked] == ["instances", "instances", "event"]
    assert "attendees" not in dict(sender.asked[1].query)["$select"]


async def test_an_occurrence_that_is_nowhere_gives_an_empty_look() -> None:
    later = {"Date": "Sat, 21 Dec 2019 05:20:07 GMT"}
    sender = in_order(
        reply({"value": [occurrence("o-1", "2020-01-07T02:00:00Z")]}), reply({"value": []}, headers=later)
    )
    look = await reader(sender).find_instance(ALEX, EventId("s-1"), DAY, ZONE)
    assert (look.events, look.at.to_utc_text()) == ((), "2019-12-21T05:20:07Z")


async def test_an_occurrence_that_vanishes_between_the_two_looks_is_an_empty_look() -> None:
    moved = occurrence("x-1", "2020-01-08T02:00:00Z")
    sender = in_order(reply({"value": []}), reply({"value": [moved]}), refusal(404, "ErrorItemNotFound"))
    assert ids(await reader(sender).find_instance(ALEX, EventId("s-1"), DAY, ZONE)) == []


async def test_a_series_that_is_not_there_says_nothing_about_its_occurrence() -> None:
    sender = in_order(refusal(404, "ErrorItemNotFound"))
    with pytest.raises(GoneError):
        await reader(sender).find_instance(ALEX, EventId("s-1"), DAY, ZONE)


async def test_a_series_that_became_a_single_meeting_has_no_occurrences() -> None:
    sender = in_order(refusal(400, "ErrorInvalidRequest"), reply(event(id="s-1")))
    with pytest.raises(GoneError):
        await reader(sender).find_instance(ALEX, EventId("s-1"), DAY, ZONE)


async def test_a_series_whose_occurrences_are_refused_for_another_reason_stays_one() -> None:
    sender = in_order(refusal(400, "ErrorInvalidRequest"), reply(event(id="s-1", type="seriesMaster")))
    with pytest.raises(RefusedError):
        await reader(sender).find_instance(ALEX, EventId("s-1"), DAY, ZONE)


@pytest.mark.parametrize(("instance", "zone"), [("0001-01-01", "Asia/Tokyo"), ("9999-12-31", ZONE)])
async def test_dates_at_the_ends_of_the_calendar_are_looked_for_too(instance: str, zone: str) -> None:
    sender = ScriptedSender(lambda _: reply({"value": []}))
    try:
        look = await reader(sender).find_instance(ALEX, EventId("s-1"), InstanceKey(instance), zone)
    except GoneError:
        return
    assert look.events == ()


async def test_what_is_no_date_has_no_occurrence() -> None:
    with pytest.raises(GoneError):
        await reader(in_order()).find_instance(ALEX, EventId("s-1"), InstanceKey("soon"), ZONE)


async def test_a_mailbox_that_refuses_casts_is_asked_without_them_from_then_on() -> None:
    response = {
        "id": "m-1",
        "sentDateTime": "2019-12-21T05:16:49Z",
        "singleValueExtendedProperties": [{"id": "String 0x1a", "value": "IPM.Schedule.Meeting.Resp.Pos"}],
    }
    refused = refusal(400, "RequestBroker--ParseUri", "Could not find a property named 'meetingMessageType'")
    sender = in_order(refused, reply(response), reply(response))
    mailboxes = reader(sender)
    first = await mailboxes.fetch_message(ADELE, MessageId("m-1"))
    second = await mailboxes.fetch_message(ADELE, MessageId("m-1"))
    assert first == second
    assert first is not None
    casts = ["eventMessage" in dict(one.query)["$select"] for one in sender.asked]
    assert casts == [True, False, False]


async def test_another_refusal_is_not_mistaken_for_one_of_casts() -> None:
    with pytest.raises(RefusedError):
        await reader(in_order(refusal(400, "ErrorInvalidRequest"))).fetch_message(ADELE, MessageId("m-1"))


async def test_what_could_not_be_understood_is_told_but_not_for_ordinary_mail() -> None:
    observer = RecordingObserver()
    odd = {
        "id": "m-1",
        "bodyPreview": 7,
        "meetingMessageType": "meetingAccepted",
        "sentDateTime": "2019-12-21",
    }
    mail = {"id": "m-2", "responseType": 7}
    mailboxes = GraphMailboxes(in_order(reply(odd), reply(mail)), observer=observer)
    await mailboxes.fetch_message(ADELE, MessageId("m-1"))
    await mailboxes.fetch_message(ADELE, MessageId("m-2"))
    assert observer.notes == ["bodyPreview: expected text"]


@pytest.mark.parametrize(
    ("answer", "is_tallied"),
    [
        (reply({"id": "c", "isTallyingResponses": True}), True),
        (reply({"id": "c", "isTallyingResponses": False}), False),
        (reply({"id": "c", "isTallyingResponses": None}), True),
        (reply({"id": "c"}), True),
        (refusal(404, "ErrorItemNotFound", "gone"), True),
        (refusal(403, "ErrorAccessDenied", "not for you"), True),
        (refusal(400, "BadRequest", "no such segment"), True),
    ],
)
async def test_only_a_plain_no_makes_a_calendar_one_without_tally(answer: Answer, is_tallied: bool) -> None:
    sender = in_order(answer)
    assert await reader(sender).is_tallied(ALEX, EventId("e/1")) is is_tallied
    assert sender.asked[0].path == "/users/alex/events/e%2F1/calendar"


async def test_a_calendar_that_cannot_be_asked_now_is_no_answer() -> None:
    with pytest.raises(UnavailableError):
        await reader(in_order(refusal(503, "ServiceUnavailable", "later"))).is_tallied(ALEX, EventId("e-1"))


async def test_a_collection_without_end_is_given_up() -> None:
    page = reply({"value": [], "@odata.nextLink": "https://graph.example/v1.0/again"})
    sender = ScriptedSender(lambda _: page)
    with pytest.raises(PayloadError):
        await reader(sender).find_meeting(ALEX, MeetingKey(HEX))
    assert len(sender.asked) == 1_000


async def test_a_mailbox_that_knows_no_cancelled_occurrences_is_asked_without_them_from_then_on() -> None:
    refused = refusal(
        400, "RequestBroker--ParseUri", "Could not find a property named 'cancelledOccurrences'"
    )
    sender = in_order(refused, reply(event()), reply(event()))
    mailboxes = reader(sender)
    for _ in range(2):
        assert (await mailboxes.fetch_event(ALEX, EventId("e-1"))).cancelled == ()
    asked = ["cancelledOccurrences" in dict(one.query)["$select"] for one in sender.asked]
    assert asked == [True, False, False]
