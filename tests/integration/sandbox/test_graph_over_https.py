"""The Graph side as a client meets it: over HTTPS, with encoded paths and options, and in batches."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.sandbox.asking import Asking

BINARY = "Binary {6ED8DA90-450B-101B-98DA-00AA003F1305} Id 0x3"


async def _as(asking: Asking, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
    answer = await asking.graph(method, path, body, token=asking.token_of(who), headers=headers)
    assert answer.status < 300, answer.body
    return answer.body


async def _invite(asking: Asking) -> Any:
    calendars = (await _as(asking, "adele", "GET", "/me/calendars"))["value"]
    calendar = next(one for one in calendars if one["owner"]["name"] == "Alex Wilber")
    body = {
        "@odata.type": "#microsoft.graph.event",
        "subject": "Dinner",
        "start": {
            "@odata.type": "#microsoft.graph.dateTimeTimeZone",
            "dateTime": "2030-12-01T18:00:00",
            "timeZone": "UTC",
        },
        "end": {"dateTime": "2030-12-01T20:00:00", "timeZone": "UTC"},
        "attendees": [{"emailAddress": {"address": "christiec@CONTOSO.onmicrosoft.com"}}],
    }
    return await _as(asking, "adele", "POST", f"/me/calendars/{quote(calendar['id'], safe='')}/events", body)


async def test_the_walkthrough_over_https(asking: Asking) -> None:
    made = await _invite(asking)
    requests = await _as(
        asking, "christie", "GET", "/me/messages?%24expand=microsoft.graph.eventMessage%2Fevent"
    )
    event = requests["value"][0]["event"]
    assert event["iCalUId"] == made["iCalUId"]
    path = f"/me/events/{quote(event['id'], safe='')}/tentativelyAccept"
    answer = await asking.graph(
        "POST", path, {"Comment": "Perhaps", "SendResponse": True}, token=asking.token_of("christie")
    )
    assert (answer.status, answer.body) == (202, None)
    expand = quote(f"singleValueExtendedProperties($filter=id eq '{BINARY}')")
    inbox = await _as(asking, "adele", "GET", f"/me/mailFolders('inbox')/messages?$expand={expand}")
    (response,) = inbox["value"]
    assert response["meetingMessageType"] == "meetingTenativelyAccepted"
    assert len(response["singleValueExtendedProperties"]) == 1
    held = await asking.graph(
        "GET", "/users/alexw%40contoso.onmicrosoft.com/calendar/events?$select=attendees"
    )
    (row,) = held.body["value"][0]["attendees"]
    assert row["status"]["response"] == "tentativelyAccepted"
    assert (await _as(asking, "alex", "GET", "/me/messages"))["value"] == []


async def test_a_batch_reads_what_its_parts_name_and_each_part_by_its_own_preferences(asking: Asking) -> None:
    await _invite(asking)
    alex = f"/users/{asking.id_of('alex')}"
    parts = [
        {"id": "1", "method": "GET", "url": f"{alex}/events?%24select=start"},
        {
            "id": "2",
            "method": "GET",
            "url": f"{asking.sandbox.ready.graph_url}{alex}/events?$select=start",
            "headers": {"Prefer": 'outlook.timezone="Tokyo Standard Time"'},
        },
        {"id": "3", "method": "GET", "url": f"{alex}/nothing"},
    ]
    answer = await asking.graph("POST", "/$batch", {"requests": parts})
    assert answer.status == 200
    by_id = {one["id"]: one for one in answer.body["responses"]}
    assert by_id["1"]["body"]["value"][0]["start"]["dateTime"] == "2030-12-01T18:00:00.0000000"
    assert by_id["2"]["body"]["value"][0]["start"]["dateTime"] == "2030-12-02T03:00:00.0000000"
    assert by_id["3"]["status"] == 400


@pytest.mark.parametrize(
    "path", ["/me/mailFolders/inbox/messages/delta", "/me/mailFolders('inbox')/messages/delta()"]
)
async def test_links_are_built_from_the_host_that_was_asked(asking: Asking, path: str) -> None:
    body = await _as(asking, "adele", "GET", path, **{"X-Forwarded-Host": "proxy.test:9"})
    assert body["@odata.deltaLink"].startswith("https://proxy.test:9/v1.0/users/")
    assert body["@odata.context"].startswith("https://proxy.test:9/v1.0/$metadata")


async def test_a_body_that_is_not_json_is_refused_in_graphs_shape(asking: Asking) -> None:
    url = f"{asking.sandbox.ready.graph_url}/me/events"
    headers = {
        "Authorization": f"Bearer {asking.token_of('alex')}",
        "Content-Type": "application/json",
    }
    answer = await asking.send("POST", url, data=b"{", headers=headers)
    assert (answer.status, bool(answer.message)) == (400, True)
    assert answer.headers["request-id"]
