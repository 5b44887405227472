"""What moving, editing, cancelling and deleting a meeting does to rows, copies and mail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.tenant import SEQUENCE, START_WHOLE, Tenant, properties, weekly

MEGAN = "meganb@contoso.onmicrosoft.com"
CHRISTIE = "christiec@contoso.onmicrosoft.com"
LATER = {
    "start": {"dateTime": "2026-12-01T14:00:00", "timeZone": "Pacific Standard Time"},
    "end": {"dateTime": "2026-12-01T15:00:00", "timeZone": "Pacific Standard Time"},
}


async def _change(tenant: Tenant, event: object, **members: object) -> None:
    assert isinstance(event, dict)
    answer = await tenant.ask("alex", "PATCH", f"/me/events/{event['id']}", members)
    assert answer.status == 200, answer.body


async def _sequence(tenant: Tenant, event: object) -> str:
    assert isinstance(event, dict)
    expand = f"$expand=singleValueExtendedProperties($filter=id eq '{SEQUENCE}')"
    return properties(await tenant.get("alex", f"/me/events/{event['id']}?{expand}"))["0x8201"]


@pytest.mark.parametrize(("believed", "shown"), [(True, "none"), (False, "accepted")])
async def test_a_move_resets_answers_if_believed(believed: bool, shown: str) -> None:
    tenant = Tenant(reset_on_reschedule=believed)
    made = await tenant.meet("megan")
    await tenant.answer("megan", made)
    await _change(tenant, made, **LATER)
    assert (await tenant.rows(made))[MEGAN][0] == shown
    mine = await tenant.copy_of("megan", made)
    assert mine["responseStatus"]["response"] == "notResponded"
    assert mine["start"]["dateTime"] == "2026-12-01T22:00:00.0000000"
    latest, first = await tenant.inbox("megan")
    assert (latest["isOutOfDate"], first["isOutOfDate"]) == (False, True)
    assert latest["meetingRequestType"] == "fullUpdate"
    assert latest["previousStartDateTime"]["dateTime"] == "2026-12-01T18:00:00.0000000"


@pytest.mark.parametrize(("believed", "sequence"), [(True, "1"), (False, "0")])
async def test_a_new_agenda_keeps_answers_and_raises_the_sequence_if_believed(
    believed: bool, sequence: str
) -> None:
    tenant = Tenant(sequence_on_agenda_change=believed)
    made = await tenant.meet("megan")
    await tenant.answer("megan", made)
    await _change(tenant, made, subject="Budget, again")
    assert (await tenant.rows(made))[MEGAN][0] == "accepted"
    assert await _sequence(tenant, made) == sequence
    mine = await tenant.copy_of("megan", made)
    assert (mine["subject"], mine["responseStatus"]["response"]) == ("Budget, again", "accepted")
    assert (await tenant.inbox("megan"))[0]["meetingRequestType"] == "informationalUpdate"


async def test_the_same_time_in_other_words_is_no_move(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    await tenant.answer("megan", made)
    await _change(tenant, made, start={"dateTime": "2026-12-01T18:00:00", "timeZone": "UTC"})
    assert (await tenant.rows(made))[MEGAN][0] == "accepted"
    assert len(await tenant.inbox("megan")) == 1


async def test_who_takes_no_updates_answers_the_version_that_was_moved(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    tenant.people["megan"].processes_updates = False
    await _change(tenant, made, **LATER)
    await tenant.answer("megan", made)
    (response,) = await tenant.inbox("adele", SEQUENCE, START_WHOLE)
    assert properties(response) == {"0x8201": "0", "0x820d": "2026-12-01T18:00:00Z"}
    assert (await tenant.rows(made))[MEGAN][0] == "none"
    assert await _sequence(tenant, made) == "1"


async def test_a_move_ends_proposals(tenant: Tenant) -> None:
    tenant.world.replace_beliefs(reset_on_reschedule=False)
    made = await tenant.meet("megan")
    await tenant.answer("megan", made, "decline", proposedNewTime=LATER)
    await _change(tenant, made, **LATER)
    held = await tenant.get("alex", f"/me/events/{made['id']}")
    assert "proposedNewTime" not in held["attendees"][0]
    assert held["attendees"][0]["status"]["response"] == "declined"


async def test_people_come_and_go(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    await tenant.answer("megan", made)
    both = [{"emailAddress": {"address": one}} for one in tenant.addresses("megan", "christie")]
    await _change(tenant, made, attendees=both)
    assert (await tenant.rows(made))[MEGAN][0] == "accepted"
    assert len(await tenant.inbox("megan")) == 1  # nothing new for her
    await _change(tenant, made, attendees=both[1:])
    assert set(await tenant.rows(made)) == {CHRISTIE}
    assert (await tenant.inbox("megan"))[0]["meetingMessageType"] == "meetingCancelled"
    assert (await tenant.copy_of("megan", made))["isCancelled"] is True
    await _change(tenant, made, attendees=both)
    assert (await tenant.rows(made))[MEGAN][0] == "none"
    assert (await tenant.copy_of("megan", made))["isCancelled"] is False


@pytest.mark.parametrize("spelling", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"])
async def test_rows_may_be_given_back_as_they_were_read(tenant: Tenant, spelling: str) -> None:
    made = await tenant.meet("megan")
    rows = (await tenant.get("alex", f"/me/events/{made['id']}"))["attendees"]
    rows[0]["status"]["time"] = spelling  # the second is that of Microsoft's SDK for Python
    more = {"type": "required", "emailAddress": {"address": tenant.people["christie"].address}}
    await _change(tenant, made, attendees=[*rows, more])
    assert set(await tenant.rows(made)) == {MEGAN, CHRISTIE}


async def test_a_series_given_back_as_it_was_read_is_the_same(tenant: Tenant) -> None:
    made = await tenant.meet("megan", recurrence=weekly())
    await _change(tenant, made, subject="Budget 2027", recurrence=made["recurrence"])
    held = await tenant.get("alex", f"/me/events/{made['id']}")
    assert held["recurrence"] == made["recurrence"]
    assert (await tenant.inbox("megan"))[0]["meetingRequestType"] == "informationalUpdate"


async def test_reminders_and_categories_are_nobodys_business(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    await _change(tenant, made, categories=["Red"], reminderMinutesBeforeStart=5)
    assert len(await tenant.inbox("megan")) == 1
    assert await _sequence(tenant, made) == "0"


async def test_a_cancelled_meeting_is_in_no_list_and_still_read_by_its_immutable_id(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    immutable = (await tenant.listed("alex", "/me/events", prefer='IdType="ImmutableId"'))[0]["id"]
    tenant.changes.clear()
    await tenant.post("alex", f"/me/events/{made['id']}/cancel", {"Comment": "Sorry"}, status=202)
    assert await tenant.listed("alex", "/me/events") == []
    assert await tenant.listed("alex", f"/me/events?$filter=iCalUId eq '{made['iCalUId']}'") == []
    assert (await tenant.ask("alex", "GET", f"/me/events/{made['id']}")).status == 404
    held = await tenant.get("alex", f"/me/events/{immutable}")
    assert (held["isCancelled"], held["subject"]) == (True, "Canceled: Budget")
    mine = [one.change for one in tenant.changes if one.kind == "event" and one.item_id == immutable]
    assert mine == ["updated", "deleted"]
    copy = await tenant.copy_of("megan", made)
    assert (copy["isCancelled"], copy["subject"]) == (True, "Canceled: Budget")
    (latest, _) = await tenant.inbox("megan")
    assert (latest["subject"], latest["bodyPreview"]) == ("Canceled: Budget", "Sorry")
    answer = await tenant.ask("megan", "POST", f"/me/events/{copy['id']}/accept", {})
    assert answer.body["error"]["code"] == "ErrorCalendarIsCancelledForAccept"


async def _cancelled(tenant: Tenant) -> str:
    """Cancel a meeting of Alex with Megan; gives the immutable id under which it can still be read."""
    await tenant.meet("megan")
    immutable = str((await tenant.listed("alex", "/me/events", prefer='IdType="ImmutableId"'))[0]["id"])
    await tenant.post("alex", f"/me/events/{immutable}/cancel", {}, status=202)
    return immutable


@pytest.mark.parametrize(
    ("method", "tail", "body"),
    [
        ("PATCH", "", LATER),
        ("POST", "/cancel", {}),
        ("POST", "/forward", {"ToRecipients": [{"emailAddress": {"address": CHRISTIE}}]}),
    ],
)
async def test_a_cancelled_meeting_is_neither_changed_nor_cancelled_again_nor_forwarded(
    tenant: Tenant, method: str, tail: str, body: Any
) -> None:
    immutable = await _cancelled(tenant)
    tenant.changes.clear()
    answer = await tenant.ask("alex", method, f"/me/events/{immutable}{tail}", body)
    assert (answer.status, answer.body["error"]["code"]) == (400, "ErrorCalendarCannotUpdateDeletedItem")
    assert tenant.changes == []


async def test_a_cancelled_meeting_may_be_deleted_for_good(tenant: Tenant) -> None:
    immutable = await _cancelled(tenant)
    tenant.changes.clear()
    assert (await tenant.ask("alex", "DELETE", f"/me/events/{immutable}")).status == 204
    assert (await tenant.ask("alex", "GET", f"/me/events/{immutable}")).status == 404
    assert tenant.changes == []  # it had left the calendar before, and everybody knew


async def test_only_the_organizer_cancels(tenant: Tenant) -> None:
    mine = await tenant.copy_of("megan", await tenant.meet("megan"))
    assert (await tenant.ask("megan", "POST", f"/me/events/{mine['id']}/cancel", {})).status == 400


async def test_a_deleted_meeting_is_gone_and_its_attendees_are_told(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    assert (await tenant.ask("alex", "DELETE", f"/me/events/{made['id']}")).status == 204
    assert (await tenant.ask("alex", "GET", f"/me/events/{made['id']}")).status == 404
    assert (await tenant.copy_of("megan", made))["isCancelled"] is True


async def test_an_attendee_who_deletes_her_copy_tells_nobody(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    mine = await tenant.copy_of("megan", made)
    assert (await tenant.ask("megan", "DELETE", f"/me/events/{mine['id']}")).status == 204
    assert await tenant.inbox("adele") == []
    await _change(tenant, made, **LATER)
    assert (await tenant.copy_of("megan", made))["responseStatus"]["response"] == "notResponded"


async def test_a_meeting_may_become_an_appointment(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    await _change(tenant, made, attendees=[])
    assert await tenant.rows(made) == {}
    assert (await tenant.copy_of("megan", made))["isCancelled"] is True


async def test_a_version_that_is_no_longer_the_latest_is_not_changed(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    await tenant.answer("megan", made)
    answer = await tenant.ask(
        "alex", "PATCH", f"/me/events/{made['id']}", {"subject": "x"}, if_match=made["@odata.etag"]
    )
    assert (answer.status, answer.body["error"]["code"]) == (412, "ErrorIrresolvableConflict")


async def test_whole_days_keep_their_dates_in_every_zone(tenant: Tenant) -> None:
    day: dict[str, Any] = {
        "start": {"dateTime": "2026-12-01T00:00:00", "timeZone": "Pacific Standard Time"},
        "end": {"dateTime": "2026-12-02T00:00:00", "timeZone": "Pacific Standard Time"},
    }
    made = await tenant.meet("megan", isAllDay=True, **day)
    for zone in ("UTC", "Tokyo Standard Time"):
        held = await tenant.get("alex", f"/me/events/{made['id']}", prefer=f'outlook.timezone="{zone}"')
        assert held["start"] == {"dateTime": "2026-12-01T00:00:00.0000000", "timeZone": zone}
        assert held["originalStartTimeZone"] == "Pacific Standard Time"
    await tenant.answer("megan", made)
    (response,) = await tenant.inbox("adele", START_WHOLE)
    assert properties(response)["0x820d"] == "2026-12-01T08:00:00Z"  # what Exchange keeps


async def test_a_series_of_whole_days_keeps_midnight_over_a_change_of_the_clocks(tenant: Tenant) -> None:
    day: dict[str, Any] = {
        "start": {"dateTime": "2027-03-09T00:00:00", "timeZone": "Pacific Standard Time"},
        "end": {"dateTime": "2027-03-11T00:00:00", "timeZone": "Pacific Standard Time"},
    }
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"]}
    range_ = {"type": "numbered", "numberOfOccurrences": 2, "startDate": "2027-03-09"}
    made = await tenant.meet(isAllDay=True, recurrence={"pattern": pattern, "range": range_}, **day)
    window = "startDateTime=2027-03-01T00:00:00Z&endDateTime=2027-04-01T00:00:00Z"
    path = f"/me/events/{made['id']}/instances?{window}"
    held = await tenant.listed("alex", path)
    assert [(one["start"]["dateTime"][:13], one["end"]["dateTime"][:13]) for one in held] == [
        ("2027-03-09T00", "2027-03-11T00"),
        ("2027-03-16T00", "2027-03-18T00"),
    ]
    assert [one["originalStart"] for one in held] == ["2027-03-09T08:00:00Z", "2027-03-16T07:00:00Z"]


async def test_attendees_see_only_themselves_where_the_list_is_hidden(tenant: Tenant) -> None:
    made = await tenant.meet("megan", "christie", hideAttendees=True)
    mine = await tenant.copy_of("megan", made)
    assert [row["emailAddress"]["name"] for row in mine["attendees"]] == ["Megan Bowen"]
    assert len((await tenant.get("alex", f"/me/events/{made['id']}"))["attendees"]) == 2
