"""What strangers send to the public listener: each gets its clear status, and the service goes on."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from yarl import URL

from tests.endtoend import judging
from tests.endtoend.deeds import Given, Play
from tests.endtoend.settling import settle
from tests.endtoend.stage import Stage
from tests.endtoend.stored import notifications_stored
from tests.integration.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

JSON = "application/json"
NO_SUCH_ID = "AAkALgAAAAAAHYQDEapmEc2byACqAC"
"""As Graph spells the id of a message, but of none."""
ROUTES = ("/graph/notifications", "/graph/lifecycle")


async def post(stage: Stage, path: str, body: bytes, media_type: str = JSON) -> tuple[int, str]:
    """Send a body; gives status and text of the answer."""
    headers = {"Content-Type": media_type} if media_type else {}
    async with stage.session.post(
        stage.public_url + path, data=io.BytesIO(body), headers=headers, skip_auto_headers=["Content-Type"]
    ) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"no JSON", 400),
        (b"\xff\xfe\x00", 400),
        (b"{}", 400),
        (b'{"value": null}', 400),
        (b'{"value": {}}', 400),
        (b'{"value": "x"}', 400),
        (b"[]", 400),
        (b'[{"value": []}]', 400),
        (b"null", 400),
        (b'"text"', 400),
        (b'{"value": []}', 202),
        (b'{"value": [null, 7, "x", [], {}]}', 202),
        (b'{"value": [' + b"[" * 5000 + b"]" * 5000 + b"]}", 400),
        (b'{"value": ["' + b"x" * 5_000_000 + b'"]}', 413),
    ],
    ids=lambda value: str(value)[:24] if isinstance(value, bytes) else str(value),
)
async def test_a_body_that_is_no_collection_gets_its_status(
    serving: Stage, route: str, body: bytes, status: int
) -> None:
    async with notifications_stored(serving) as stored:
        answered, text = await post(serving, route, body)

    assert answered == status
    assert "x" * 20 not in text
    assert stored == []


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_json_by_its_type_is_refused(serving: Stage, media_type: str) -> None:
    assert (await post(serving, ROUTES[0], b'{"value": []}', media_type))[0] == 415


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("validationToken=Validation%3a+Testing+%3Cb%3E%20%2B%25", (200, "Validation: Testing <b> +%")),
        ("a=1&validationToken=%E6%97%A5", (200, "日")),
        ("validationToken=", (400, "")),
        ("validationToken=%FF", (400, "")),
        ("validationToken=a%0d%0aSet-Cookie:x", (400, "")),
    ],
)
async def test_a_handshake_is_answered_with_the_decoded_token_or_not_at_all(
    serving: Stage, route: str, query: str, expected: tuple[int, str]
) -> None:
    url = f"{serving.public_url}{route}?{query}"
    async with serving.session.post(URL(url, encoded=True)) as answer:
        text = await answer.text()
        assert answer.headers.get("Set-Cookie") is None
        if expected[0] == 200:
            assert (answer.status, text) == expected
            assert answer.content_type == "text/plain"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        else:
            assert answer.status == expected[0]
            assert "Set-Cookie" not in text


@pytest.mark.parametrize("length", [3000, 100_000])
async def test_a_token_of_any_length_is_refused_and_never_echoed(serving: Stage, length: int) -> None:
    url = f"{serving.public_url}{ROUTES[0]}?validationToken={'t' * length}"
    async with serving.session.post(url) as answer:
        assert 400 <= answer.status < 500
        assert "tttt" not in await answer.text()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("route", ROUTES)
async def test_the_routes_take_post_only(serving: Stage, route: str, method: str) -> None:
    async with serving.session.request(method, serving.public_url + route) as answer:
        assert answer.status in {400, 405}
        assert answer.status == 400 or answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    ["/", "/graph", "/graph/notifications/", "/graph/other", "/healthz", "/metrics", "/graph//lifecycle"],
)
async def test_there_is_nothing_else(serving: Stage, path: str) -> None:
    assert (await post(serving, path, b'{"value": []}'))[0] == 404


async def build_item(stage: Stage, **changes: Any) -> dict[str, Any]:
    """Build a notification as Graph sends it for a subscription that there is, with changes."""
    found = await stage.tenant.control("subscriptions")
    (inbox,) = [one for one in found if "messages" in one["resource"].lower()]
    item = {
        "subscriptionId": inbox["id"],
        "subscriptionExpirationDateTime": inbox["expirationDateTime"],
        "changeType": "created",
        "resource": f"Users/x/Messages/{NO_SUCH_ID}",
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Message",
            "@odata.id": f"Users/x/Messages/{NO_SUCH_ID}",
            "id": NO_SUCH_ID,
        },
        "clientState": inbox["clientState"],
        "tenantId": stage.settings["RESPONSE_SYNC_TENANT_ID"],
    }
    return item | changes


FORGED: tuple[dict[str, Any], ...] = (
    {"clientState": "wrong"},
    {"clientState": None},
    {"clientState": "x" * 10_000},
    {"clientState": 7},
    {"tenantId": "11111111-1111-1111-1111-111111111111"},
    {"clientState": "wrong", "lifecycleEvent": "subscriptionRemoved"},
)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("changes", FORGED, ids=lambda changes: json.dumps(changes)[:40])
async def test_a_forged_item_is_dropped_and_its_sender_learns_nothing(
    serving: Stage, route: str, changes: dict[str, Any]
) -> None:
    body = json.dumps({"value": [await build_item(serving, **changes)]}).encode()

    async with notifications_stored(serving) as stored:
        assert await post(serving, route, body) == (202, "")

    assert stored == []


async def test_an_item_with_nothing_forged_is_stored(serving: Stage) -> None:
    body = json.dumps({"value": [await build_item(serving)]}).encode()

    async with notifications_stored(serving) as stored:
        assert await post(serving, ROUTES[0], body) == (202, "")

    assert len(stored) == 1
    await wait_until(serving.is_quiet)


async def test_items_of_unknown_subscriptions_and_items_lead_nowhere(serving: Stage) -> None:
    unknown = await build_item(serving, subscriptionId="99999999-9999-9999-9999-999999999999")
    foreign = await build_item(serving, resource="https://evil.example/x")
    foreign["resourceData"] |= {"@odata.id": "https://evil.example/x", "id": "../../users/other"}
    before = len(await serving.tenant.control("requests"))

    body = json.dumps({"value": [unknown, foreign]}).encode()
    assert (await post(serving, ROUTES[0], body))[0] == 202

    await wait_until(serving.is_quiet)
    for request in (await serving.tenant.control("requests"))[before:]:
        assert "evil" not in json.dumps(request)
    # Graph says of no message with a malformed id that it is gone, so such an item is given up as refused.
    letters = [
        one for one in await serving.list_dead() if one.get("item") in ("../../users/other", NO_SUCH_ID)
    ]
    assert {(one["item"], one["dead_reason"]) for one in letters} <= {("../../users/other", "refused")}


async def test_the_service_goes_on_after_whatever_was_sent(serving: Stage) -> None:
    for body in (b"", b"{}", b'{"value": null}', b"[" * 100_000, b"x" * 5_000_000):
        await post(serving, ROUTES[0], body)
    people = serving.tenant.people
    play = Play(serving.tenant, 3)
    play.guests = [people["megan"], people["christie"]]
    meeting = await play.make_meeting(people["alex"], people["adele"], size=2)
    for invited in meeting.invited:
        invited.plan = [Given(how="accept"), Given(how="decline")]
    while play.list_due():
        await settle(serving, play.meetings)
        await play.play_round()
    await settle(serving, play.meetings)

    told = judging.select(await serving.read_stream(), meeting)
    judging.judge(told, [meeting])
    assert set(judging.fold(told).values()) == {"declined"}
    assert (await serving.ask_admin("serve", "/healthz"))[0] == 200
    assert "Traceback" not in serving.running["serve"].read_log()
