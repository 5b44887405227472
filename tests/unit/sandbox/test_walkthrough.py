"""The six steps of the delegate walkthrough.

Source: https://learn.microsoft.com/graph/outlook-create-event-in-shared-delegated-calendar
"""

from __future__ import annotations

from typing import Any

from tests.unit.sandbox.tenant import Tenant, meeting

PACIFIC = 'outlook.timezone="Pacific Standard Time"'


async def _invite(tenant: Tenant) -> Any:
    calendars = await tenant.listed("adele", "/me/calendars")
    calendar = next(one for one in calendars if one["owner"]["name"] == "Alex Wilber")
    body = meeting("meganb@contoso.onmicrosoft.com", "christiec@contoso.onmicrosoft.com")
    answer = await tenant.ask("adele", "POST", f"/me/calendars/{calendar['id']}/events", body, prefer=PACIFIC)
    assert answer.status == 201
    assert answer.headers["Preference-Applied"] == PACIFIC
    return answer.body


async def test_the_delegate_lists_the_calendar_that_was_delegated(tenant: Tenant) -> None:
    own, delegated = await tenant.listed("adele", "/me/calendars")
    assert (own["canShare"], own["canEdit"], own["isDefaultCalendar"]) == (True, True, True)
    assert delegated["owner"] == {"name": "Alex Wilber", "address": "AlexW@contoso.OnMicrosoft.com"}
    assert (delegated["canShare"], delegated["canEdit"]) == (False, True)
    assert delegated["canViewPrivateItems"] is False
    theirs = await tenant.get("alex", "/me/calendar")
    assert theirs["id"] != delegated["id"]


async def test_a_meeting_made_by_a_delegate_is_the_owners(tenant: Tenant) -> None:
    made = await _invite(tenant)
    assert made["isOrganizer"] is True
    assert made["organizer"]["emailAddress"]["name"] == "Alex Wilber"
    assert made["responseStatus"] == {"response": "organizer", "time": "0001-01-01T00:00:00Z"}
    assert made["start"] == {
        "dateTime": "2026-12-01T10:00:00.0000000",
        "timeZone": "Pacific Standard Time",
    }
    assert {row["emailAddress"]["address"] for row in made["attendees"]} == {
        "MeganB@contoso.OnMicrosoft.com",
        "ChristieC@contoso.OnMicrosoft.com",
    }
    assert all(
        row["status"] == {"response": "none", "time": "0001-01-01T00:00:00Z"} for row in made["attendees"]
    )
    assert "adele" not in str(made).lower()


async def test_the_invitation_comes_from_the_owner_and_was_sent_by_the_delegate(tenant: Tenant) -> None:
    made = await _invite(tenant)
    (request,) = await tenant.listed("christie", "/me/messages?$expand=microsoft.graph.eventMessage/event")
    assert request["@odata.type"] == "#microsoft.graph.eventMessageRequest"
    assert request["meetingMessageType"] == "meetingRequest"
    assert request["sender"]["emailAddress"]["name"] == "Adele Vance"
    assert request["from"]["emailAddress"]["name"] == "Alex Wilber"
    assert [one["emailAddress"]["name"] for one in request["toRecipients"]] == [
        "Megan Bowen",
        "Christie Cline",
    ]
    event = request["event"]
    assert event["iCalUId"] == made["iCalUId"]
    assert event["id"] != made["id"]
    assert (event["isOrganizer"], event["showAs"]) == (False, "tentative")
    assert event["responseStatus"] == {"response": "notResponded", "time": "0001-01-01T00:00:00Z"}
    names = [row["emailAddress"]["name"] for row in event["attendees"]]
    assert names == ["Alex Wilber", "Megan Bowen", "Christie Cline"]
    assert "adele" not in str(event).lower()


async def test_the_answer_lands_with_the_delegate_alone_and_on_the_owners_event(tenant: Tenant) -> None:
    made = await _invite(tenant)
    tenant.pass_time(61)
    await tenant.answer("christie", made, "tentativelyAccept", comment="I will <probably> make it.")
    (response,) = await tenant.listed("adele", "/me/messages?$filter=subject eq 'Tentative: Budget'")
    assert response["@odata.type"] == "#microsoft.graph.eventMessage"
    assert response["meetingMessageType"] == "meetingTenativelyAccepted"
    assert (
        response["sender"]
        == response["from"]
        == {"emailAddress": {"name": "Christie Cline", "address": "ChristieC@contoso.OnMicrosoft.com"}}
    )
    assert [one["emailAddress"]["name"] for one in response["toRecipients"]] == ["Adele Vance"]
    assert response["bodyPreview"] == "I will <probably> make it."
    assert response["sentDateTime"] == "2026-11-24T09:31:16Z"
    assert not {"event", "responseType", "startDateTime", "iCalUId"} & set(response)
    mine = await tenant.copy_of("alex", made)
    assert await tenant.rows(mine) == {
        "meganb@contoso.onmicrosoft.com": ("none", "0001-01-01T00:00:00Z"),
        "christiec@contoso.onmicrosoft.com": ("tentativelyAccepted", "2026-11-24T09:31:16.1234568Z"),
    }
    assert mine["changeKey"] != made["changeKey"]
    assert await tenant.listed("alex", "/me/messages") == []


async def test_the_attendees_own_copy_shows_the_answer_and_no_time_in_the_row(tenant: Tenant) -> None:
    made = await _invite(tenant)
    await tenant.answer("christie", made, "tentativelyAccept")
    mine = await tenant.copy_of("christie", made)
    assert mine["responseStatus"] == {
        "response": "tentativelyAccepted",
        "time": "2026-11-24T09:30:15.1234567Z",
    }
    row = next(one for one in mine["attendees"] if one["emailAddress"]["name"] == "Christie Cline")
    assert row["status"] == {"response": "tentativelyAccepted", "time": "0001-01-01T00:00:00Z"}


async def test_the_delegate_reads_the_meeting_through_her_own_list_only_by_her_own_id(tenant: Tenant) -> None:
    made = await _invite(tenant)
    mine = await tenant.copy_of("alex", made)
    assert (await tenant.get("adele", f"/me/events/{made['id']}"))["iCalUId"] == made["iCalUId"]
    assert (await tenant.ask("adele", "GET", f"/me/events/{mine['id']}")).status == 404
    assert (await tenant.ask("alex", "GET", f"/me/events/{made['id']}")).status == 404
