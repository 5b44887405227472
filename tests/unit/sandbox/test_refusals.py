"""What Graph refuses, the sandbox refuses: paths, options, properties, values, callers. One table each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.tenant import Tenant, meeting, weekly

ALEX = "/users/AlexW@contoso.OnMicrosoft.com"
UNKNOWN = "AAMkADADVj3fyAABZ5hYdAAA="


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nothing", 400, "BadRequest"),
        (f"{ALEX}/nothing", 400, "BadRequest"),
        (f"{ALEX}/calendar/nothing", 400, "BadRequest"),
        ("/users/nobody@contoso.com", 404, "Request_ResourceNotFound"),
        ("/users/nobody@contoso.com/messages", 404, "ErrorInvalidUser"),
        (f"{ALEX}/messages/{UNKNOWN}", 404, "ErrorItemNotFound"),
        (f"{ALEX}/events/{UNKNOWN}", 404, "ErrorItemNotFound"),
        (f"{ALEX}/calendars/{UNKNOWN}", 404, "ErrorItemNotFound"),
        (f"{ALEX}/mailFolders/{UNKNOWN}", 404, "ErrorItemNotFound"),
        (f"{ALEX}/messages/AAMkA", 400, "ErrorInvalidIdMalformed"),
        (f"{ALEX}/events/{UNKNOWN}x", 400, "ErrorInvalidIdMalformed"),
        (f"{ALEX}/calendars/primary/events", 400, "ErrorInvalidIdMalformed"),
        (f"{ALEX}/mailFolders/nowhere", 400, "ErrorInvalidIdMalformed"),
        (f"{ALEX}/mailboxSettings/colour", 400, "BadRequest"),
        (f"{ALEX}/messages?$search=x", 400, "BadRequest"),
        (f"{ALEX}/messages?select=subject", 400, "BadRequest"),
        (f"{ALEX}/messages?$top=5&$top=6", 400, "BadRequest"),
        (f"{ALEX}/messages?$top=0", 400, "ErrorInvalidUrlQuery"),
        (f"{ALEX}/messages?$top=1001", 400, "ErrorInvalidUrlQuery"),
        (f"{ALEX}/messages?$skip=-1", 400, "ErrorInvalidUrlQuery"),
        (f"{ALEX}/messages?$skip={'9' * 5000}", 400, "ErrorInvalidUrlQuery"),
        (f"{ALEX}/messages?$count=maybe", 400, "BadRequest"),
        (f"{ALEX}/messages?$select=meetingMessageType", 400, "BadRequest"),
        (f"{ALEX}/messages?$select=iCalUId", 400, "BadRequest"),
        (f"{ALEX}/messages?$select=", 400, "BadRequest"),
        (f"{ALEX}/messages?$expand=event", 400, "BadRequest"),
        (f"{ALEX}/messages?$expand=attachments", 400, "BadRequest"),
        (f"{ALEX}/messages?$expand=singleValueExtendedProperties", 400, "ErrorInvalidUrlQueryFilter"),
        (
            f"{ALEX}/messages?$expand=singleValueExtendedProperties($filter=value eq 'x')",
            400,
            "ErrorInvalidUrlQueryFilter",
        ),
        (
            f"{ALEX}/messages?$expand=singleValueExtendedProperties($filter=id eq 'Binary Id 3')",
            400,
            "ErrorInvalidProperty",
        ),
        (
            f"{ALEX}/messages?$filter=meetingMessageType eq 'meetingRequest'",
            400,
            "ErrorInvalidUrlQueryFilter",
        ),
        (f"{ALEX}/messages?$filter=isRead eq 'no'", 400, "BadRequest"),
        (f"{ALEX}/messages?$filter=isRead eq", 400, "BadRequest"),
        (f"{ALEX}/messages?$filter=(isRead eq true", 400, "BadRequest"),
        (f"{ALEX}/messages?$filter={'(' * 150}isRead eq true{')' * 150}", 400, "ErrorInvalidUrlQueryFilter"),
        (f"{ALEX}/messages?$filter=contains(subject,null)", 400, "BadRequest"),
        (f"{ALEX}/messages?$filter=isof('microsoft.graph.eventMessage')", 400, "ErrorInvalidUrlQueryFilter"),
        (f"{ALEX}/messages?$orderby=body", 400, "ErrorInvalidUrlQuery"),
        (f"{ALEX}/messages?$filter=isRead eq true&$orderby=receivedDateTime", 400, "InefficientFilter"),
        (f"{ALEX}/events?$filter=uid eq 'x'", 400, "ErrorInvalidUrlQueryFilter"),
        (f"{ALEX}/events?$select=uid", 400, "BadRequest"),
        (
            f"{ALEX}/events?$filter=singleValueExtendedProperties/any(ep: ep/id gt 'String 0x1A')",
            400,
            "BadRequest",
        ),
        (f"{ALEX}/calendarView", 400, "ErrorInvalidParameter"),
        (f"{ALEX}/calendarView?startDateTime=x&endDateTime=y", 400, "ErrorInvalidRequest"),
        (
            f"{ALEX}/calendarView?startDateTime=2026-01-01T00:00:00Z&endDateTime=2036-01-01T00:00:00Z",
            400,
            "ErrorCalendarViewRangeTooBig",
        ),
        (
            f"{ALEX}/calendarView?startDateTime=2026-01-01T00:00:00%2B99:99&endDateTime=2026-02-01",
            400,
            "ErrorInvalidParameter",
        ),
        (f"{ALEX}?$select=iCalUId", 400, "BadRequest"),
        (f"{ALEX}?$select=microsoft.graph.eventMessageResponse/responseType", 400, "BadRequest"),
        (f"{ALEX}?$expand=manager", 400, "BadRequest"),
        ("/users?$filter=city eq 'x'", 400, "ErrorInvalidUrlQueryFilter"),
        ("/me", 400, "BadRequest"),
    ],
)
async def test_a_path_or_option_that_graph_does_not_take(
    tenant: Tenant, path: str, status: int, code: str
) -> None:
    answer = await tenant.ask("app", "GET", path)
    assert (answer.status, answer.body["error"]["code"]) == (status, code)


async def test_a_refusal_has_graphs_shape_and_ids(tenant: Tenant) -> None:
    answer = await tenant.ask("app", "GET", "/nothing", client_request_id="mine-1")
    error = answer.body["error"]
    assert error["innerError"] == {
        "date": "2026-11-24T09:30:15",
        "request-id": answer.headers["request-id"],
        "client-request-id": "mine-1",
    }
    assert answer.headers["client-request-id"] == "mine-1"
    assert answer.headers["Date"] == "Tue, 24 Nov 2026 09:30:15 GMT"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"colour": "red"}, "RequestBodyRead"),
        ({"subject": 5}, "RequestBodyRead"),
        ({"isAllDay": "true"}, "RequestBodyRead"),
        ({"importance": "urgent"}, "RequestBodyRead"),
        ({"attendees": {}}, "RequestBodyRead"),
        ({"attendees": [{"emailAddress": {"address": "a@b.c", "mail": "x"}}]}, "RequestBodyRead"),
        ({"attendees": [{"emailAddress": {"name": "Nobody"}}]}, "ErrorInvalidRecipients"),
        ({"attendees": [{"type": "guest", "emailAddress": {"address": "a@b.c"}}]}, "RequestBodyRead"),
        ({"start": None}, "ErrorPropertyValidationFailure"),
        ({"start": {"dateTime": "tomorrow", "timeZone": "UTC"}}, "ErrorInvalidRequest"),
        ({"start": {"dateTime": "2026-12-01T10:00:00", "timeZone": "Mars"}}, "TimeZoneNotSupportedException"),
        (
            {"end": {"dateTime": "2026-11-01T10:00:00", "timeZone": "UTC"}},
            "ErrorCalendarEndDateIsEarlierThanStartDate",
        ),
        ({"end": {"dateTime": "2032-12-01T10:00:00", "timeZone": "UTC"}}, "ErrorCalendarDurationIsTooLong"),
        ({"isAllDay": True}, "ErrorInvalidRequest"),
        ({"recurrence": {"pattern": {"type": "weekly", "interval": 1}}}, "ErrorInvalidRecurrence"),
        (
            {"recurrence": {**weekly(), "pattern": {"type": "weekly", "interval": 1}}},
            "ErrorInvalidRecurrence",
        ),
        ({"recurrence": {**weekly(), "range": {"type": "numbered"}}}, "ErrorInvalidRecurrence"),
        ({"recurrence": {**weekly(), "range": {"type": "endDate"}}}, "RequestBodyRead"),
        (
            {"recurrence": {**weekly(), "range": {"type": "endDate", "endDate": "2026-01-01"}}},
            "ErrorInvalidRecurrence",
        ),
        (
            {"recurrence": {**weekly(), "pattern": {**weekly()["pattern"], "interval": 0}}},
            "ErrorInvalidRecurrence",
        ),
        ({"recurrence": weekly(1000)}, "ErrorInvalidRecurrence"),
        ({"start": {"dateTime": "9999-12-31T23:00:00", "timeZone": "UTC"}}, "ErrorInvalidRequest"),
        ({"attachments": []}, "RequestBodyRead"),
        ({"attendees": [None]}, "RequestBodyRead"),
        ({"locations": [None]}, "RequestBodyRead"),
        ({"categories": ["red", None]}, "RequestBodyRead"),
        ({"singleValueExtendedProperties": [{"value": "x"}]}, "ErrorInvalidProperty"),
        ({"singleValueExtendedProperties": [{"id": "String Colour", "value": "x"}]}, "ErrorInvalidProperty"),
    ],
)
async def test_an_event_that_graph_does_not_take(tenant: Tenant, members: dict[str, Any], code: str) -> None:
    answer = await tenant.ask("alex", "POST", "/me/events", {**meeting(), **members})
    assert (answer.status, answer.body["error"]["code"]) == (400, code)
    assert await tenant.listed("alex", "/me/events") == []


@pytest.mark.parametrize("body", [None, [], "text", 5])
async def test_a_body_that_is_no_object(tenant: Tenant, body: Any) -> None:
    assert (await tenant.ask("alex", "POST", "/me/events", body)).status == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/me/events", {}, 405),
        ("DELETE", "/me/mailboxSettings", None, 405),
        ("PATCH", "/me/mailboxSettings", {"timeZone": "Mars"}, 400),
        ("PATCH", "/me/mailboxSettings", {"delegateMeetingMessageDeliveryOptions": "toAll"}, 400),
        ("PATCH", "/me/mailboxSettings", {"colour": "red"}, 400),
        ("POST", "/me/calendars", {}, 400),
        ("POST", "/me/calendars", {"name": "calendar"}, 409),
        ("POST", "/me/mailFolders", {"displayName": "inbox"}, 409),
        ("POST", "/me/mailFolders", {"displayName": ""}, 400),
        ("POST", "/me/calendar/calendarPermissions", {"role": "read"}, 400),
        (
            "POST",
            "/me/calendar/calendarPermissions",
            {"role": "owner", "emailAddress": {"address": "meganb@contoso.onmicrosoft.com"}},
            400,
        ),
        ("DELETE", "/me/calendar/calendarPermissions/RGVmYXVsdA==", None, 400),
        (
            "PATCH",
            "/me/calendar/calendarPermissions/RGVmYXVsdA==",
            {"role": "delegateWithPrivateEventAccess"},
            400,
        ),
        ("PATCH", "/me/calendar/calendarPermissions/RGVmYXVsdA==", {"isRemovable": True}, 400),
        ("POST", "/me/translateExchangeIds", {"inputIds": ["x"], "sourceIdType": "ewsId"}, 400),
    ],
)
async def test_a_change_that_graph_does_not_make(
    tenant: Tenant, method: str, path: str, body: Any, status: int
) -> None:
    answer = await tenant.ask("alex", method, path, body)
    assert answer.status == status
    assert answer.body["error"]["message"]


async def test_a_sent_message_keeps_its_subject(tenant: Tenant) -> None:
    tenant.world.send_mail(tenant.people["alex"].address, "a@b.test", "Hello", "")
    (message,) = await tenant.inbox("alex")
    answer = await tenant.ask("alex", "PATCH", f"/me/messages/{message['id']}", {"subject": "x"})
    assert (answer.status, answer.body["error"]["code"]) == (400, "ErrorInvalidPropertySet")


async def test_a_sent_message_may_be_flagged(tenant: Tenant) -> None:
    await tenant.meet("megan")
    (message,) = await tenant.inbox("megan")
    flagged = {"flag": {"flagStatus": "flagged"}}
    answer = await tenant.ask("megan", "PATCH", f"/me/messages/{message['id']}", flagged)
    assert (answer.status, answer.body["flag"]) == (200, flagged["flag"])


async def test_an_unknown_time_zone_is_refused_before_anything_is_done(tenant: Tenant) -> None:
    answer = await tenant.ask("alex", "POST", "/me/events", meeting(), prefer='outlook.timezone="Mars"')
    assert answer.body["error"]["code"] == "TimeZoneNotSupportedException"
    assert await tenant.listed("alex", "/me/events") == []


@pytest.mark.parametrize(
    ("path", "permissions"),
    [
        (f"{ALEX}/messages", ["Calendars.ReadWrite"]),
        (f"{ALEX}/events", ["Mail.Read"]),
        (f"{ALEX}/mailboxSettings", ["Mail.Read", "Calendars.Read"]),
        (ALEX, ["Mail.Read"]),
        (f"{ALEX}/events", []),
    ],
)
async def test_an_application_needs_the_role(tenant: Tenant, path: str, permissions: list[str]) -> None:
    answer = await tenant.ask("app", "GET", path, permissions=permissions or ["Nothing"])
    assert (answer.status, answer.body["error"]["code"]) == (403, "ErrorAccessDenied")


async def test_reading_roles_do_not_write(tenant: Tenant) -> None:
    answer = await tenant.ask("app", "POST", f"{ALEX}/events", meeting(), permissions=["Calendars.Read"])
    assert answer.status == 403
