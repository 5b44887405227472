"""The control API and the HTTP face over real TLS."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from service.sandbox.beliefs import Beliefs
from service.sandbox.faults import Faults, Mishaps
from tests.integration.sandbox.asking import Asking
from tests.integration.sandbox.hook import Hook


async def test_a_new_person_has_a_mailbox_a_token_and_delegates(asking: Asking) -> None:
    helper = await asking.control("/users", {"name": "Nia Helper", "address": "nia@contoso.com"})
    boss = await asking.control(
        "/users",
        {
            "name": "Bo Boss",
            "address": "bo@contoso.com",
            "delegates": ["NIA@contoso.com"],
            "delivery": "sendToDelegateAndPrincipal",
        },
    )
    assert set(boss) == {"id", "name", "address", "token"}
    me = await asking.graph("GET", "/me", token=boss["token"])
    assert (me.body["id"], me.body["displayName"]) == (boss["id"], "Bo Boss")
    calendars = await asking.graph("GET", "/me/calendars", token=helper["token"])
    assert [calendar["owner"]["address"] for calendar in calendars.body["value"]] == [
        "nia@contoso.com",
        "bo@contoso.com",
    ]
    settings = await asking.graph("GET", "/users/bo@contoso.com/mailboxSettings")
    assert settings.body["delegateMeetingMessageDeliveryOptions"] == "sendToDelegateAndPrincipal"


async def test_ordinary_mail_lands_in_the_inbox(asking: Asking) -> None:
    body = {"to": "alexw@contoso.onmicrosoft.com", "from": "x@fabrikam.com", "subject": "Hi", "body": "there"}
    await asking.control("/mail", body)
    listed = await asking.graph("GET", "/me/mailFolders/inbox/messages", token=asking.token_of("alex"))
    (message,) = listed.body["value"]
    assert (message["subject"], message["from"]["emailAddress"]["address"]) == ("Hi", "x@fabrikam.com")
    assert "@odata.type" not in message


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        ("/users", {"name": "A"}, "'address' is missing"),
        ("/users", {"name": "A", "address": "a@contoso.com", "colour": "red"}, "there is no member 'colour'"),
        ("/users", {"name": "A", "address": "a@contoso.com", "delivery": "pigeon"}, "sendToDelegateOnly"),
        ("/users", {"name": "A", "address": "adelev@contoso.onmicrosoft.com"}, "already exists"),
        ("/users", {"name": 1, "address": "a@contoso.com"}, "'name' is of the wrong type"),
        (
            "/users",
            {"name": "A", "address": "a@contoso.com", "delegates": ["nobody@x.org"]},
            "does not exist",
        ),
        (
            "/users",
            {
                "name": "A",
                "address": "a@contoso.com",
                "has_mailbox": False,
                "delegates": ["adelev@contoso.onmicrosoft.com"],
            },
            "no calendar to delegate",
        ),
        ("/users", ["A"], "expected an object"),
        ("/users", {"name": "A", "address": "a"}, "'address' must be an address"),
        ("/users", {"name": "A", "address": "a@contoso.com", "aliases": [1]}, "'aliases' must be"),
        ("/users", {"name": "A", "address": "a@contoso.com", "purpose": "cat"}, "'purpose' must be one of"),
        ("/users", {"name": "A", "address": "a@contoso.com", "time_zone": "Mars"}, "TimeZone"),
        ("/mail", {"to": [1], "from": "a@b.org"}, "'to' must be an address"),
        ("/mail", {"to": "nobody@x.org", "from": "a@b.org"}, "does not exist"),
        ("/mail", {"to": "adelev@contoso.onmicrosoft.com"}, "'from' is missing"),
        ("/faults", {"drop": 1.5}, "is a probability"),
        ("/faults", {"dropp": 1}, "there is no fault 'dropp'"),
        ("/faults", {"missed": 0.5}, "must be a whole number"),
        ("/faults", {"delay_s": -1}, "must be a number of at least 0"),
        ("/faults", {"lifetime_s": 0}, "must be above 0"),
        ("/clock", {"advance_s": -1}, "the clock never goes back"),
        ("/clock", {}, "'advance_s' is missing"),
        ("/clock", {"date_ahead_s": 10**9}, "'date_ahead_s' must be from"),
        ("/beliefs", {"flat_earth": True}, "'flat_earth' has no position"),
        ("/beliefs", {"legacy_dn": "yes"}, "'legacy_dn' has no position"),
        ("/beliefs", {"clock_skew_s": 1e300}, "'clock_skew_s' has no position"),
        ("/application", {"denied_mailboxes": [1]}, "'denied_mailboxes' must be an address"),
        ("/nowhere", {}, "there is no 'nowhere'"),
    ],
)
async def test_what_control_does_not_know_it_refuses(
    asking: Asking, path: str, body: Any, complaint: str
) -> None:
    refused = await asking.ask_control(path, body)
    assert 400 <= refused.status < 500
    assert complaint in refused.message


async def test_mail_goes_to_everybody_or_to_nobody(asking: Asking) -> None:
    mail = {"to": ["adelev@contoso.onmicrosoft.com", "nobody@x.org"], "from": "a@b.org"}
    assert (await asking.ask_control("/mail", mail)).status == 404
    inbox = await asking.graph("GET", "/me/messages", token=asking.token_of("adele"))
    assert inbox.body["value"] == []


async def test_the_clock_ends_before_what_dates_can_hold(asking: Asking) -> None:
    answers = [await asking.ask_control("/clock", {"advance_s": 10 * 365 * 86_400}) for _ in range(200)]
    assert {answer.status for answer in answers} == {200, 400}
    assert (await asking.graph("GET", "/users")).status == 200


async def test_faults_are_replaced_as_a_whole(asking: Asking) -> None:
    await asking.control("/faults", {"drop": 0.5, "lifetime_s": 60})
    told = await asking.control("/faults", {"delay_s": 2})
    assert told["faults"]["delay_s"] == 2
    assert (told["faults"]["drop"], told["faults"]["lifetime_s"]) == (0, None)
    assert (await asking.control("/faults", {}))["faults"] == {
        "drop": 0,
        "duplicate": 0,
        "reorder": 0,
        "throttle": 0,
        "unavailable": 0,
        "unauthorized": 0,
        "handshake": 0,
        "delay_s": 0,
        "lifetime_s": None,
    }


@pytest.mark.parametrize(
    ("fault", "status", "code", "header"),
    [
        ("throttle", 429, "TooManyRequests", "Retry-After"),
        ("unavailable", 503, "ServiceUnavailable", "Retry-After"),
        ("unauthorized", 401, "InvalidAuthenticationToken", "WWW-Authenticate"),
    ],
)
async def test_requests_fail_as_graphs_do(
    asking: Asking, fault: str, status: int, code: str, header: str
) -> None:
    await asking.control("/faults", {fault: 1})
    failed = await asking.graph("GET", "/me", token=asking.token_of("alex"))
    assert (failed.status, failed.code) == (status, code)
    assert failed.headers[header]
    await asking.control("/faults", {})
    assert (await asking.graph("GET", "/me", token=asking.token_of("alex"))).status == 200


async def test_a_batch_is_answered_while_its_parts_are_throttled(asking: Asking) -> None:
    await asking.control("/faults", {"throttle": 1})
    parts = [{"id": str(number), "method": "GET", "url": "/subscriptions"} for number in range(3)]
    answer = await asking.graph("POST", "/$batch", {"requests": parts})
    assert answer.status == 200
    assert {part["status"] for part in answer.body["responses"]} == {429}
    assert all(part["headers"]["Retry-After"] for part in answer.body["responses"])


async def test_the_clock_moves_ahead_and_shows_in_the_date(asking: Asking) -> None:
    before = await asking.graph("GET", "/subscriptions")
    await asking.control("/clock", {"advance_s": 40 * 86_400})
    after = await asking.graph("GET", "/subscriptions")
    assert after.status == 200, "tokens live by the clock of those who hold them"
    assert before.headers["Date"] != after.headers["Date"]
    earliest = asking.sandbox.clock.now()
    now = datetime.fromisoformat((await asking.control("/clock"))["now"])
    assert earliest <= now <= asking.sandbox.clock.now()


async def test_the_date_of_answers_may_differ_and_be_put_right_while_time_goes_on(asking: Asking) -> None:
    before = (await asking.control("/clock", {"date_ahead_s": -86_400}))["now"]
    behind = await asking.graph("GET", "/subscriptions")
    assert (await asking.control("/clock", {"date_ahead_s": 0}))["date_ahead_s"] == 0
    right = await asking.graph("GET", "/subscriptions")
    dates = [parsedate_to_datetime(one.headers["Date"]) for one in (behind, right)]
    assert dates[1] - dates[0] >= timedelta(days=1)
    moved = asking.sandbox.clock.now() - datetime.fromisoformat(before)
    assert abs(moved) < timedelta(hours=1), "time itself did not move"


async def test_beliefs_are_switched_one_by_one(asking: Asking) -> None:
    before = await asking.control("/beliefs")
    told = await asking.control("/beliefs", {"legacy_dn": True, "clock_skew_s": 1.5})
    assert told == before | {"legacy_dn": True, "clock_skew_s": 1.5}
    assert asking.sandbox.world.beliefs.legacy_dn


async def test_every_graph_request_is_noted_with_the_parts_of_batches(asking: Asking) -> None:
    parts = [
        {"id": "one", "method": "GET", "url": "/users/alexw@contoso.onmicrosoft.com/messages?$top=1"},
        {"id": "two", "method": "GET", "url": "/nowhere"},
    ]
    await asking.graph("POST", "/%24batch", {"requests": parts})
    await asking.graph("GET", "/me/messages?$top=2", token=asking.token_of("alex"))
    await asking.graph("GET", "/me", token="nonsense")
    batch, messages, refused = await asking.control("/requests")
    assert set(batch) == {"at", "caller", "method", "path", "query", "status", "batch"}
    assert (batch["caller"], batch["method"], batch["path"], batch["status"]) == (
        "app",
        "POST",
        "/v1.0/%24batch",
        200,
    )
    assert batch["batch"] == [
        {
            "id": "one",
            "method": "GET",
            "path": "/users/alexw@contoso.onmicrosoft.com/messages",
            "query": "$top=1",
            "status": 200,
        },
        {"id": "two", "method": "GET", "path": "/nowhere", "query": "", "status": 400},
    ]
    assert (messages["caller"], messages["query"]) == ("AlexW@contoso.OnMicrosoft.com", "$top=2")
    assert (refused["caller"], refused["status"], refused["batch"]) == ("", 401, [])


# --- the HTTP face ---


async def test_links_and_discovery_follow_the_host_of_the_caller(asking: Asking) -> None:
    proxied = {"X-Forwarded-Host": "proxy.example:8443"}
    answer = await asking.graph("GET", "/subscriptions", headers=proxied)
    assert answer.body["@odata.context"] == "https://proxy.example:8443/v1.0/$metadata#subscriptions"
    url = f"{asking.sandbox.ready.authority_url}/v2.0/.well-known/openid-configuration"
    document = (await asking.send("GET", url, headers=proxied)).body
    tenant = asking.sandbox.ready.tenant_id
    assert document["token_endpoint"] == f"https://proxy.example:8443/{tenant}/oauth2/v2.0/token"
    assert document["issuer"] == f"https://proxy.example:8443/{tenant}/v2.0"


async def test_encoded_segments_and_option_names_are_decoded(asking: Asking) -> None:
    path = "/users/alexw%40contoso.onmicrosoft.com/messages?%24top=1&%24select=subject"
    assert (await asking.graph("GET", path)).status == 200


async def test_errors_carry_request_ids_and_echo_the_clients(asking: Asking) -> None:
    answer = await asking.graph("GET", "/subscriptions/nobody", headers={"client-request-id": "mine"})
    inner = answer.body["error"]["innerError"]
    assert answer.status == 404
    assert (answer.headers["client-request-id"], inner["client-request-id"]) == ("mine", "mine")
    assert answer.headers["request-id"] == inner["request-id"]


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"\xff\xfe", {"Content-Type": "application/json"}, 400),
        (b"[1]", {"Content-Type": "application/json"}, 400),
        (b"[" * 100_000, {"Content-Type": "application/json"}, 400),
        (b"a=b", {"Content-Type": "text/plain"}, 415),
        (b"9" * (4 * 1024 * 1024 + 1), {"Content-Type": "application/json"}, 413),
    ],
)
async def test_bodies_that_are_no_json_are_refused_in_json(
    asking: Asking, data: bytes, headers: dict[str, str], status: int
) -> None:
    told = headers | {"Authorization": f"Bearer {asking.app_token}"}
    url = f"{asking.sandbox.ready.graph_url}/subscriptions"
    answer = await asking.send("POST", url, data=BytesIO(data), headers=told)
    assert answer.status == status
    assert answer.code


@pytest.mark.parametrize("path", ["/beta/me", "/v3.0/me", "/", "/v1.0", "/v1.0/"])
async def test_what_is_not_served_is_refused_in_json(asking: Asking, path: str) -> None:
    origin = asking.sandbox.ready.graph_url.removesuffix("/v1.0")
    told = {"Authorization": f"Bearer {asking.app_token}"}
    answer = await asking.send("GET", f"{origin}{path}", headers=told)
    assert 400 <= answer.status < 500
    assert answer.code


async def test_a_subscription_filter_raises_created_and_deleted_by_what_matches(
    asking: Asking, hook: Hook
) -> None:
    resource = f"users/{asking.id_of('adele')}/messages?$filter=isRead eq false"
    made = await asking.subscribe(hook.url, resource=resource, changeType="created,updated,deleted")
    assert made.status == 201
    world = asking.sandbox.world
    box = world.mailbox(asking.id_of("adele"))
    message = world.send_mail("adelev@contoso.onmicrosoft.com", "a@fabrikam.com", "s")
    await hook.wait_for_items(1)
    message.is_read = True
    box.touch_message(message, only_read=True)
    await hook.wait_for_items(2)
    box.touch_message(message, only_read=False)
    message.is_read = False
    box.touch_message(message, only_read=True)
    await hook.wait_for_items(3)
    assert [item["changeType"] for item in hook.items] == ["created", "deleted", "created"]


async def test_readme_lists_every_route_fault_and_belief(asking: Asking) -> None:
    refused = await asking.ask_control("/nowhere", {})
    known = refused.message.split("known are ")[1].split(", ")
    section = (Path(__file__).parents[3] / "README.md").read_text().split("\n## The sandbox\n")[1]
    assert re.findall(r"^\| `([a-z-]+)` \|", section.split("\n## ")[0], re.MULTILINE) == known
    named = [field.name for kind in (Faults, Mishaps, Beliefs) for field in fields(kind)]
    assert [name for name in named if f"`{name}`" not in section] == []
