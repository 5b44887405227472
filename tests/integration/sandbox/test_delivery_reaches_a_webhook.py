"""From a mail in the sandbox to a webhook over real TLS: shapes, retries, faults, lifecycle."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from tests.integration.sandbox.asking import Asking, in_minutes
from tests.integration.sandbox.hook import Hook, serve_hook
from tests.integration.waiting import wait_until
from tests.ports import choose_port

SEVEN_DIGITS = re.compile(r"\.\d{7}(Z|\+00:00|\+05:30)$")


async def send_mail(
    asking: Asking, subject: str = "Lunch", to: str = "adelev@contoso.onmicrosoft.com"
) -> str:
    sent = await asking.control("/mail", {"to": to, "from": "somebody@fabrikam.com", "subject": subject})
    return str(sent["ids"][0])


async def test_a_mail_is_told_to_the_subscription_on_its_inbox(asking: Asking, hook: Hook) -> None:
    made = await asking.subscribe(f"{hook.url}?tag=x")
    await send_mail(asking)
    (item,) = await hook.wait_for_items(1)
    user, tenant = asking.id_of("adele"), asking.sandbox.ready.tenant_id
    item_id = item["resourceData"]["id"]
    assert item["subscriptionId"] == made.body["id"]
    assert item["clientState"] == "a state of ours"
    assert item["changeType"] == "created"
    assert item["tenantId"] == tenant
    assert item["resource"] in {
        f"Users/{user}/Messages/{item_id}",
        f"users/{user}@{tenant}/messages/{item_id}",
        f"Users('{user}')/messages('{item_id}')",
    }
    assert item["resourceData"]["@odata.type"] == "#Microsoft.Graph.Message"
    assert item["resourceData"]["@odata.etag"].startswith('W/"')
    assert SEVEN_DIGITS.search(item["subscriptionExpirationDateTime"])
    assert "encryptedContent" not in item
    path, body = hook.posts[0]
    assert path == "/graph?tag=x"
    assert "validationTokens" not in body


async def test_whoever_waits_for_the_last_notification_is_told_how_many_are_on_their_way(
    asking: Asking, hook: Hook
) -> None:
    await asking.subscribe(hook.url)
    await asking.control("/faults", {"delay_s": 60})
    await send_mail(asking)
    assert await asking.control("/deliveries") == {"waiting": 1, "sending": 0}

    await asking.control("/clock", {"advance_s": 60})

    async def is_none_left() -> bool:
        found: dict[str, int] = await asking.control("/deliveries")
        return found == {"waiting": 0, "sending": 0}

    await wait_until(is_none_left)
    assert len(hook.items) == 1


async def test_nothing_of_a_mailbox_is_told_that_is_not_watched(asking: Asking, hook: Hook) -> None:
    await asking.subscribe(hook.url)
    await send_mail(asking, to="alexw@contoso.onmicrosoft.com")
    await send_mail(asking, subject="the one that is watched")
    assert len(await hook.wait_for_items(1)) == 1
    assert asking.id_of("adele") in hook.items[0]["resource"]


async def test_ids_are_immutable_only_for_subscriptions_that_asked_for_it(asking: Asking, hook: Hook) -> None:
    wish = {"Prefer": 'IdType="ImmutableId"'}
    inbox = asking.subscription(f"{hook.url}/immutable", changeType="created")
    await asking.graph("POST", "/subscriptions", inbox, headers=wish)
    await asking.subscribe(f"{hook.url}/regular", changeType="created,updated,deleted")
    immutable = await send_mail(asking)
    await hook.wait_for_items(2)
    told = {path: body["value"][0]["resourceData"]["id"] for path, body in hook.posts}
    assert told["/graph/immutable"] == immutable
    assert told["/graph/regular"] != immutable


@pytest.mark.parametrize("status", [500, 404, 302, 503])
async def test_what_is_not_taken_is_sent_again(asking: Asking, hook: Hook, status: int) -> None:
    await asking.subscribe(hook.url)
    hook.statuses = [status, status]
    await send_mail(asking)
    items = await hook.wait_for_items(3)
    assert items[0] == items[1] == items[2]
    await send_mail(asking, subject="next")
    assert len(await hook.wait_for_items(4)) == 4


async def test_a_webhook_that_was_away_gets_everything_when_it_is_back(asking: Asking) -> None:
    port = choose_port()  # one that nobody else is given meanwhile
    async with serve_hook(None, port=port) as first:
        await asking.subscribe(first.url)
    for number in range(5):
        await send_mail(asking, subject=str(number))
    held = asking.sandbox.parts.deliveries.outbox
    await wait_until(lambda: len(held) == 5)
    hook = Hook()
    async with serve_hook(None, port=port, hook=hook):
        await hook.wait_for_items(5)
    assert len({item["resourceData"]["id"] for item in hook.items}) == 5


async def test_what_nobody_takes_for_four_hours_is_given_up_and_told_as_missed(
    asking: Asking, hook: Hook
) -> None:
    await asking.subscribe(f"{hook.url}/notify", lifecycleNotificationUrl=f"{hook.url}/lifecycle")
    hook.statuses = [503] * 1000
    await send_mail(asking)
    await hook.wait_for_items(1)
    await asking.graph("PATCH", f"/subscriptions/{hook.items[0]['subscriptionId']}", {
        "expirationDateTime": in_minutes(6 * 60, asking.sandbox)
    })  # fmt: skip
    await asking.control("/clock", {"advance_s": 4 * 3600 + 1})
    await wait_until(lambda: any(item.get("lifecycleEvent") == "missed" for item in hook.items))


async def test_many_changes_reach_the_webhook_once_each_and_some_together(asking: Asking, hook: Hook) -> None:
    await asking.subscribe(hook.url, changeType="created")
    for number in range(60):
        asking.sandbox.world.send_mail("adelev@contoso.onmicrosoft.com", "a@fabrikam.com", str(number))
    items = await hook.wait_for_items(60)
    assert len({item["resourceData"]["id"] for item in items}) == len(items) == 60
    assert max(len(body["value"]) for _, body in hook.posts) > 1


# --- faults ---


async def test_dropped_notifications_never_come(asking: Asking, hook: Hook) -> None:
    await asking.subscribe(hook.url)
    await asking.control("/faults", {"drop": 1})
    await send_mail(asking, subject="lost")
    await asking.control("/faults", {})
    kept = await send_mail(asking, subject="kept")
    await hook.wait_for_items(1)
    world, adele = asking.sandbox.world, asking.id_of("adele")
    assert [item["resourceData"]["id"] for item in hook.items] == [
        world.public_id(adele, kept, immutable=False)
    ]


async def test_duplicated_notifications_come_twice(asking: Asking, hook: Hook) -> None:
    await asking.subscribe(hook.url)
    await asking.control("/faults", {"duplicate": 1})
    await send_mail(asking)
    first, second = await hook.wait_for_items(2)
    assert first == second


async def test_a_delayed_notification_waits_by_the_clock_of_the_sandbox(asking: Asking, hook: Hook) -> None:
    await asking.subscribe(hook.url)
    await asking.control("/faults", {"delay_s": 600})
    await send_mail(asking)
    outbox = asking.sandbox.parts.deliveries.outbox
    await wait_until(lambda: len(outbox) == 1)
    assert hook.items == []
    await asking.control("/clock", {"advance_s": 601})
    await hook.wait_for_items(1)


async def test_a_reordered_notification_is_overtaken(asking: Asking, hook: Hook) -> None:
    await asking.subscribe(hook.url, changeType="created")
    await asking.control("/faults", {"reorder": 1})
    held_back = await send_mail(asking, subject="first")
    await asking.control("/faults", {})
    overtaking = await send_mail(asking, subject="second")
    await hook.wait_for_items(2)
    world, adele = asking.sandbox.world, asking.id_of("adele")
    told = [item["resourceData"]["id"] for item in hook.items]
    assert told == [world.public_id(adele, sent, immutable=False) for sent in (overtaking, held_back)]


# --- lifecycle ---


def lifecycle_events(hook: Hook) -> list[tuple[str, str]]:
    return [
        (path, item["lifecycleEvent"])
        for path, body in hook.posts
        for item in body["value"]
        if "lifecycleEvent" in item
    ]


async def test_lifecycle_notifications_go_to_their_own_url(asking: Asking, hook: Hook) -> None:
    made = await asking.subscribe(hook.url, lifecycleNotificationUrl=f"{hook.url}/lifecycle?tag=x")
    await asking.control("/faults", {"missed": 1})
    (item,) = await hook.wait_for_items(1)
    assert lifecycle_events(hook) == [("/graph/lifecycle?tag=x", "missed")]
    expected: dict[str, Any] = {
        "lifecycleEvent": "missed",
        "subscriptionId": made.body["id"],
        "clientState": "a state of ours",
        "tenantId": asking.sandbox.ready.tenant_id,
        "subscriptionExpirationDateTime": item["subscriptionExpirationDateTime"],
    }
    assert item == expected
    assert (await asking.graph("GET", f"/subscriptions/{made.body['id']}")).status == 200


async def test_a_removed_subscription_is_told_and_gone(asking: Asking, hook: Hook) -> None:
    made = await asking.subscribe(hook.url, lifecycleNotificationUrl=f"{hook.url}/lifecycle")
    done = await asking.control("/faults", {"remove_subscriptions": 5})
    assert done["done"]["remove_subscriptions"] == 1
    await wait_until(lambda: lifecycle_events(hook) == [("/graph/lifecycle", "subscriptionRemoved")])
    assert (await asking.graph("GET", f"/subscriptions/{made.body['id']}")).status == 404
    await send_mail(asking)
    assert len(asking.sandbox.parts.deliveries.outbox) == 0


async def test_a_subscription_is_warned_before_its_end_and_then_gone_without_a_word(
    asking: Asking, hook: Hook
) -> None:
    made = await asking.subscribe(hook.url, lifecycleNotificationUrl=f"{hook.url}/lifecycle")
    await asking.control("/clock", {"advance_s": 41 * 60})
    await wait_until(lambda: lifecycle_events(hook) == [("/graph/lifecycle", "reauthorizationRequired")])
    assert (await asking.graph("GET", f"/subscriptions/{made.body['id']}")).status == 200
    await asking.control("/clock", {"advance_s": 20 * 60})
    assert (await asking.graph("GET", f"/subscriptions/{made.body['id']}")).status == 404
    assert (await asking.control("/subscriptions")) == []


async def test_a_renewed_subscription_is_not_warned_of_the_end_it_no_longer_has(
    asking: Asking, hook: Hook
) -> None:
    made = await asking.subscribe(hook.url, lifecycleNotificationUrl=f"{hook.url}/lifecycle")
    renewed = await asking.graph("PATCH", f"/subscriptions/{made.body['id']}", {
        "expirationDateTime": in_minutes(10_000, asking.sandbox)
    })  # fmt: skip
    assert renewed.status == 200
    await asking.control("/clock", {"advance_s": 59 * 60})
    await send_mail(asking)
    await hook.wait_for_items(1)
    assert lifecycle_events(hook) == []
    ends_at = datetime.fromisoformat(renewed.body["expirationDateTime"])
    assert ends_at > datetime.fromisoformat(made.body["expirationDateTime"])
