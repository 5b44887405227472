"""`/subscriptions` over HTTPS with real handshakes: what is granted, what is refused, and in which words."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from service.sandbox.tls import CertificateAuthority
from tests.integration.sandbox.asking import Answer, Asking, in_minutes
from tests.integration.sandbox.hook import Hook, serve_hook


async def test_both_urls_are_validated_also_when_they_are_the_same(asking: Asking, hook: Hook) -> None:
    url = f"{hook.url}?tag=a%20b"
    made = await asking.subscribe(url, lifecycleNotificationUrl=url)
    assert made.status == 201
    assert len(hook.handshakes) == 2
    path, headers = hook.handshakes[0]
    assert path.startswith("/graph?tag=a%20b&validationToken=Validation%3A+Testing+client+application")
    assert "%2B" in path
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Content-Length"] == "0"


async def test_a_created_subscription_shows_no_secret_then_or_later(asking: Asking, hook: Hook) -> None:
    made = await asking.subscribe(hook.url, lifecycleNotificationUrl=f"{hook.url}/lifecycle")
    expected: dict[str, Any] = {
        "@odata.context": f"{asking.sandbox.ready.graph_url}/$metadata#subscriptions/$entity",
        "id": made.body["id"],
        "resource": f"users/{asking.id_of('adele')}/mailFolders('inbox')/messages",
        "applicationId": asking.sandbox.ready.client_id,
        "changeType": "created,updated",
        "clientState": None,
        "notificationUrl": hook.url,
        "notificationQueryOptions": None,
        "lifecycleNotificationUrl": f"{hook.url}/lifecycle",
        "expirationDateTime": made.body["expirationDateTime"],
        "creatorId": made.body["creatorId"],
        "includeResourceData": None,
        "latestSupportedTlsVersion": "v1_2",
        "encryptionCertificate": None,
        "encryptionCertificateId": None,
        "notificationUrlAppId": None,
    }
    assert made.body == expected
    shown = await asking.graph("GET", f"/subscriptions/{made.body['id']}")
    assert shown.body == expected
    listed = await asking.graph("GET", "/subscriptions")
    assert listed.body["value"] == [
        {name: value for name, value in expected.items() if "context" not in name}
    ]
    (open_,) = await asking.control("/subscriptions")
    assert open_["clientState"] == "a state of ours"


# --- handshakes ---


async def refuse_with(asking: Asking, hook: Hook, answer: web.Response) -> Answer:
    async def shake(request: web.BaseRequest) -> web.StreamResponse:
        return answer

    hook.shake = shake
    return await asking.subscribe(hook.url)


async def test_an_endpoint_that_does_not_answer_200_gets_no_subscription(asking: Asking, hook: Hook) -> None:
    refused = await refuse_with(asking, hook, web.Response(status=202, text="x"))
    assert (refused.status, refused.code) == (400, "InvalidRequest")
    assert "Notification endpoint must respond with 200 OK to validation request." in refused.message
    assert await asking.control("/subscriptions") == []


async def test_an_endpoint_that_answers_something_else_gets_no_subscription(
    asking: Asking, hook: Hook
) -> None:
    refused = await refuse_with(asking, hook, web.Response(text="Validation:"))
    assert (refused.status, refused.code) == (400, "InvalidRequest")
    assert "must exactly match validationToken" in refused.message


async def test_a_token_given_back_still_encoded_is_refused(asking: Asking, hook: Hook) -> None:
    async def shake(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.path_qs.split("validationToken=")[1])

    hook.shake = shake
    assert "must exactly match" in (await asking.subscribe(hook.url)).message


async def test_a_token_given_back_as_html_is_refused(asking: Asking, hook: Hook) -> None:
    async def shake(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.query["validationToken"], content_type="text/html")

    hook.shake = shake
    assert (await asking.subscribe(hook.url)).status == 400


async def test_a_lifecycle_url_that_fails_spoils_the_whole_subscription(asking: Asking, hook: Hook) -> None:
    refused = await asking.subscribe(hook.url, lifecycleNotificationUrl="https://localhost:1/nobody")
    assert refused.status == 400
    assert await asking.control("/subscriptions") == []


async def test_an_endpoint_with_a_foreign_certificate_is_refused(asking: Asking, tmp_path: Path) -> None:
    async with serve_hook(CertificateAuthority().issue_leaf(tmp_path)) as stranger:
        refused = await asking.subscribe(stranger.url)
        assert refused.status == 400
        assert stranger.handshakes == []


async def test_plain_http_is_taken_on_loopback_alone(asking: Asking) -> None:
    async with serve_hook(None) as plain:
        assert (await asking.subscribe(plain.url)).status == 201
    refused = await asking.subscribe("http://example.com/graph")
    assert (refused.status, refused.message) == (400, "The notificationUrl must use the https scheme.")


async def test_a_handshake_may_be_made_to_fail_although_the_endpoint_is_well(
    asking: Asking, hook: Hook
) -> None:
    await asking.control("/faults", {"handshake": 1})
    refused = await asking.subscribe(hook.url)
    assert (refused.status, refused.message) == (400, "Subscription validation request timed out.")
    await asking.control("/faults", {})
    assert (await asking.subscribe(hook.url)).status == 201


async def test_the_same_process_may_serve_graph_while_a_handshake_is_open(asking: Asking, hook: Hook) -> None:
    asked = asyncio.Event()
    answered = asyncio.Event()

    async def shake(request: web.BaseRequest) -> web.StreamResponse:
        asked.set()
        await answered.wait()
        return web.Response(text=request.query["validationToken"])

    hook.shake = shake
    creating = asyncio.create_task(asking.subscribe(hook.url))
    await asked.wait()
    assert (await asking.graph("GET", "/subscriptions")).body["value"] == []
    doubled = await asking.subscribe(hook.url)
    assert doubled.status == 409
    answered.set()
    assert (await creating).status == 201


# --- duplicates, quota, lifetime ---


@pytest.mark.parametrize(
    "resource",
    [
        "/users/{id}/mailFolders('inbox')/messages",
        "Users('{id}')/mailfolders('Inbox')/messages",
        "users/{id}/mailFolders/inbox/messages",
        "users/AdeleV@contoso.onmicrosoft.com/mailFolders('inbox')/messages",
    ],
)
async def test_a_second_subscription_for_the_same_is_a_conflict(
    asking: Asking, hook: Hook, resource: str
) -> None:
    made = await asking.subscribe(hook.url)
    refused = await asking.subscribe(
        hook.url, resource=resource.format(id=asking.id_of("adele")), changeType="updated,created"
    )
    assert (refused.status, refused.code) == (409, "ObjectIdentifierInUse")
    assert (
        refused.message == f"Subscription Id {made.body['id']} already exists for the requested combination"
    )


@pytest.mark.parametrize(
    ("resource", "status", "inner"),
    [
        ("users/{id}/mailFolders('nowhere')/messages", 400, "BadRequest; Reason: Id is malformed."),
        ("users/{id}/mailFolders('AQMkADVj3fyAABZ5hYdAAA=')/messages", 404, "NotFound; Reason: "),
        ("users/nobody@contoso.com/messages", 404, "NotFound; Reason: "),
    ],
)
async def test_what_is_not_there_cannot_be_watched(
    asking: Asking, hook: Hook, resource: str, status: int, inner: str
) -> None:
    refused = await asking.subscribe(hook.url, resource=resource.format(id=asking.id_of("adele")))
    assert (refused.status, refused.code) == (status, "ExtensionError")
    assert inner in refused.message


async def test_another_change_type_is_no_conflict(asking: Asking, hook: Hook) -> None:
    await asking.subscribe(hook.url)
    assert (await asking.subscribe(hook.url, changeType="created")).status == 201


def lifetime_of(answer: Answer, asking: Asking) -> timedelta:
    ends_at = datetime.fromisoformat(answer.body["expirationDateTime"])
    return ends_at - asking.sandbox.clock.now()


async def test_seven_days_are_granted_and_not_a_minute_more(asking: Asking, hook: Hook) -> None:
    wanted = in_minutes(10_080, asking.sandbox)
    made = await asking.subscribe(hook.url, expirationDateTime=wanted)
    assert made.status == 201
    assert datetime.fromisoformat(made.body["expirationDateTime"]) == datetime.fromisoformat(wanted)
    refused = await asking.subscribe(hook.url, expirationDateTime=in_minutes(10_081, asking.sandbox))
    assert (refused.status, refused.code) == (400, "ExtensionError")
    assert refused.message == "Subscription expiration can only be 10080 minutes in the future."


async def test_a_short_lifetime_is_raised_to_45_minutes(asking: Asking, hook: Hook) -> None:
    made = await asking.subscribe(hook.url, expirationDateTime=in_minutes(5, asking.sandbox))
    assert timedelta(minutes=44) < lifetime_of(made, asking) <= timedelta(minutes=45)


async def test_a_lifetime_fault_cuts_what_is_granted_and_what_is_renewed(asking: Asking, hook: Hook) -> None:
    await asking.control("/faults", {"lifetime_s": 60})
    made = await asking.subscribe(hook.url)
    assert timedelta(seconds=50) < lifetime_of(made, asking) <= timedelta(seconds=60)
    renewed = await asking.graph(
        "PATCH",
        f"/subscriptions/{made.body['id']}",
        {"expirationDateTime": in_minutes(10_000, asking.sandbox)},
    )
    assert timedelta(seconds=50) < lifetime_of(renewed, asking) <= timedelta(seconds=60)
    await asking.control("/clock", {"advance_s": 61})
    gone = await asking.graph("PATCH", f"/subscriptions/{made.body['id']}", {
        "expirationDateTime": in_minutes(100, asking.sandbox)
    })  # fmt: skip
    assert (gone.status, gone.code) == (404, "ResourceNotFound")


# --- the others ---


async def test_reauthorizing_moves_no_expiry_and_deleting_ends_it(asking: Asking, hook: Hook) -> None:
    made = await asking.subscribe(hook.url)
    path = f"/subscriptions/{made.body['id']}"
    answer = await asking.graph("POST", f"{path}/reauthorize")
    assert (answer.status, answer.body) == (204, None)
    assert (await asking.graph("GET", path)).body == made.body
    answer = await asking.graph("DELETE", path)
    assert (answer.status, answer.body) == (204, None)
    assert (await asking.graph("GET", path)).status == 404
    assert (await asking.graph("DELETE", path)).status == 404


async def test_a_person_sees_only_what_they_made_and_the_application_all(asking: Asking, hook: Hook) -> None:
    body = asking.subscription(f"{hook.url}/mine", resource="me/mailFolders('inbox')/messages")
    mine = await asking.graph("POST", "/subscriptions", body, token=asking.token_of("adele"))
    assert mine.status == 201
    assert mine.body["creatorId"] == asking.id_of("adele")
    theirs = await asking.subscribe(hook.url, changeType="updated")
    listed = await asking.graph("GET", "/subscriptions", token=asking.token_of("adele"))
    assert [held["id"] for held in listed.body["value"]] == [mine.body["id"]]
    path = f"/subscriptions/{theirs.body['id']}"
    assert (await asking.graph("GET", path, token=asking.token_of("adele"))).status == 404
    assert len((await asking.graph("GET", "/subscriptions")).body["value"]) == 2


async def test_many_subscriptions_are_listed_page_by_page(asking: Asking, hook: Hook) -> None:
    for number in range(101):
        user = await asking.control("/users", {"name": f"U{number}", "address": f"u{number}@contoso.com"})
        made = await asking.subscribe(hook.url, resource=f"users/{user['id']}/events")
        assert made.status == 201
    first = await asking.graph("GET", "/subscriptions")
    root = asking.sandbox.ready.graph_url
    second = await asking.graph("GET", first.body["@odata.nextLink"].removeprefix(root))
    assert (len(first.body["value"]), len(second.body["value"])) == (100, 1)
    assert "@odata.nextLink" not in second.body
    assert (await asking.graph("GET", "/subscriptions?$top=5")).status == 400


async def test_a_renewal_may_stumble_over_its_validation_like_a_creation(asking: Asking, hook: Hook) -> None:
    made = await asking.subscribe(hook.url)
    await asking.control("/faults", {"handshake": 1})
    path = f"/subscriptions/{made.body['id']}"
    refused = await asking.graph("PATCH", path, {"expirationDateTime": in_minutes(90, asking.sandbox)})
    assert (refused.status, refused.message) == (400, "Subscription validation request timed out.")
    assert (await asking.graph("GET", path)).body["expirationDateTime"] == made.body["expirationDateTime"]


# --- who may ---


async def test_a_person_may_not_watch_the_mailbox_of_another(asking: Asking, hook: Hook) -> None:
    body = asking.subscription(hook.url, resource=f"users/{asking.id_of('alex')}/events")
    refused = await asking.graph("POST", "/subscriptions", body, token=asking.token_of("adele"))
    assert (refused.status, refused.code) == (403, "ExtensionError")
    assert refused.message.startswith("Operation: Create; Exception: [Status Code: Forbidden; Reason: ")


async def test_an_access_policy_shows_in_the_text_of_the_refusal(asking: Asking, hook: Hook) -> None:
    await asking.control("/application", {"denied_mailboxes": ["adelev@contoso.onmicrosoft.com"]})
    refused = await asking.subscribe(hook.url)
    assert (refused.status, refused.code) == (403, "ExtensionError")
    assert refused.message == (
        "Operation: Create; Exception: [Status Code: Forbidden; Reason: Access to OData is disabled.]"
    )
    read = await asking.graph("GET", f"/users/{asking.id_of('adele')}/messages")
    assert (read.status, read.code, read.message) == (
        403,
        "ErrorAccessDenied",
        "Access to OData is disabled.",
    )


async def test_writing_permissions_alone_do_not_let_anyone_watch(asking: Asking, hook: Hook) -> None:
    await asking.control("/application", {"roles": ["Mail.ReadWrite", "Calendars.Read"]})
    answer = await asking.token(
        grant_type="client_credentials", client_secret=asking.sandbox.ready.client_secret
    )
    token = answer.body["access_token"]
    body = asking.subscription(hook.url)
    assert (await asking.graph("POST", "/subscriptions", body, token=token)).status == 403
    events = asking.subscription(hook.url, resource=f"users/{asking.id_of('alex')}/events")
    assert (await asking.graph("POST", "/subscriptions", events, token=token)).status == 201


async def test_an_unknown_mailbox_is_not_found(asking: Asking, hook: Hook) -> None:
    refused = await asking.subscribe(hook.url, resource="users/nobody@contoso.com/events")
    assert (refused.status, refused.code) == (404, "ExtensionError")
    await asking.control("/users", {"name": "P", "address": "p@contoso.com", "has_mailbox": False})
    refused = await asking.subscribe(hook.url, resource="users/p@contoso.com/events")
    assert refused.status == 404
    assert "hosted on-premise" in refused.message
