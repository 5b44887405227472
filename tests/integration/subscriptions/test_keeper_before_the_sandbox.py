"""The keeper with a real Graph before it and a real Redis behind it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from service.clock import SystemClock
from service.ports import Book
from service.sandbox.subscription_book import PER_MAILBOX_MAX
from service.subscriptions.desk import build_operator_request, file_request
from service.subscriptions.faults import Backoff
from service.subscriptions.records import RequestKind, decode_request
from tests.integration.subscriptions.stage import Stage
from tests.integration.waiting import wait_until


async def test_the_walkthroughs_owner_is_subscribed_to_and_an_answer_is_published(stage: Stage) -> None:
    personas = stage.sandbox.ready.personas
    await stage.add_owner(personas["alex"].address)
    stage.start_keeper()
    await stage.wait_until_ready()

    resources = sorted(one["resource"] for one in await stage.list_subscriptions())
    assert resources == sorted(
        [f"users/{personas['adele'].id}/mailFolders('inbox')/messages", f"users/{personas['alex'].id}/events"]
    )

    owner = {"token": personas["alex"].token}
    christie = {"token": personas["christie"].token}
    address = personas["christie"].address
    await stage.invite(owner, [address])
    await stage.wait_for_update("attendee.added", address.lower())
    await stage.answer(christie, "Plan")
    await stage.wait_for_update("response.changed", address.lower())


async def make_household(stage: Stage, name: str, delegates: int = 1) -> dict[str, Any]:
    """Make an owner with delegates of their own, and put them into the roster."""
    addresses = [f"{name}-d{number}@contoso.onmicrosoft.com" for number in range(delegates)]
    for address in addresses:
        await stage.add_user(address)
    owner = await stage.add_user(f"{name}@contoso.onmicrosoft.com", delegates=addresses)
    await stage.add_owner(owner["address"])
    return owner


async def test_what_stood_before_is_published_once_as_a_snapshot(stage: Stage) -> None:
    owner = await make_household(stage, "olga")
    guest = await stage.add_user("gus@contoso.onmicrosoft.com")
    await stage.invite(owner, [guest["address"]])
    await stage.answer(guest, "Plan")
    stage.start_keeper()
    await stage.wait_until_ready()
    assert await stage.updates() == [("response.snapshot", guest["address"])]


async def test_answers_given_while_the_service_was_away_are_all_told_after_it(stage: Stage) -> None:
    owner = await make_household(stage, "olga")
    guest = await stage.add_user("gus@contoso.onmicrosoft.com")
    first = stage.start_keeper()
    await stage.wait_until_ready()
    await stage.invite(owner, [guest["address"]])
    await stage.wait_for_update("attendee.added", guest["address"])
    await first.end()
    await stage.asking.control("/faults", {"drop": 1.0})

    await stage.answer(guest, "Plan", "accept")
    await asyncio.sleep(2.1)  # answers within TOLERANCE_S of each other may be told in either order
    await stage.answer(guest, "Plan", "decline")
    await stage.asking.control("/faults", {})
    stage.start_keeper("keeper-2")

    async def has_both() -> bool:
        told = [update for update in await stage.updates() if update[0] == "response.changed"]
        return len(told) == 2

    await wait_until(has_both)


async def test_a_notification_that_is_lost_is_found_by_the_sweep(stage: Stage) -> None:
    owner = await make_household(stage, "olga")
    guest = await stage.add_user("gus@contoso.onmicrosoft.com")
    stage.start_keeper()
    await stage.wait_until_ready()
    await stage.asking.control("/faults", {"drop": 1.0})
    await stage.invite(owner, [guest["address"]])
    await stage.answer(guest, "Plan")
    await stage.wait_for_update("response.changed", guest["address"])


async def test_a_removed_owner_leaves_no_key_that_names_them(stage: Stage) -> None:
    owner = await make_household(stage, "olga")
    guest = await stage.add_user("gus@contoso.onmicrosoft.com")
    stage.start_keeper()
    await stage.wait_until_ready()
    await stage.invite(owner, [guest["address"]])
    await stage.wait_for_update("attendee.added", guest["address"])

    await stage.remove_owner(owner["address"])

    async def is_gone() -> bool:
        return await stage.list_subscriptions() == [] and owner["id"] not in await dump(stage)

    try:
        await wait_until(is_gone)
    except TimeoutError:
        raise AssertionError(await dump(stage)) from None


async def dump(stage: Stage) -> str:
    """Give every key but the update stream, with what it holds."""
    stream, link = stage.settings.stream, stage.streams.link
    keys = [key for key in await link.call("KEYS", f"*{stream}*") if key != stream]
    read = {"hash": "HGETALL", "string": "GET"}
    told = []
    for key in sorted(keys):
        kind = await link.call("TYPE", key)
        more = {"zset": ("ZRANGE", key, 0, -1), "stream": ("XRANGE", key, "-", "+")}.get(
            kind, (read.get(kind, "TYPE"), key)
        )
        told.append(f"{key}: {await link.call(*more)}")
    return "\n".join(told)


async def test_delegates_are_followed_as_they_change(stage: Stage) -> None:
    owner = await make_household(stage, "olga")
    newcomer = await stage.add_user("nils@contoso.onmicrosoft.com")
    stage.start_keeper()
    await stage.wait_until_ready()

    permissions = await stage.asking.graph(
        "GET", f"/users/{owner['id']}/calendar/calendarPermissions", token=owner["token"]
    )
    for one in permissions.body["value"]:
        if one["isRemovable"]:
            gone = await stage.asking.graph(
                "DELETE",
                f"/users/{owner['id']}/calendar/calendarPermissions/{one['id']}",
                token=owner["token"],
            )
            assert gone.status == 204, gone.body
    given = await stage.asking.graph(
        "POST",
        f"/users/{owner['id']}/calendar/calendarPermissions",
        {
            "emailAddress": {"name": "Nils", "address": newcomer["address"]},
            "role": "delegateWithoutPrivateEventAccess",
        },
        token=owner["token"],
    )
    assert given.status == 201, given.body

    async def is_followed() -> bool:
        resources = {one["resource"] for one in await stage.list_subscriptions()}
        return resources == {
            f"users/{owner['id']}/events",
            f"users/{newcomer['id']}/mailFolders('inbox')/messages",
        }

    await wait_until(is_followed)


async def test_graphs_lifecycle_events_are_answered(stage: Stage) -> None:
    await make_household(stage, "olga")
    stage.start_keeper()
    await stage.wait_until_ready()
    before = {one["id"] for one in await stage.list_subscriptions()}
    await stage.asking.control("/faults", {"remove_subscriptions": 1})

    async def is_back() -> bool:
        return len(await stage.list_subscriptions()) == 2

    await wait_until(is_back)
    after = {one["id"] for one in await stage.list_subscriptions()}
    assert len(after & before) == 1
    await stage.asking.control("/faults", {"missed": 2})

    async def is_answered() -> bool:
        return not await stage.streams.records.read_all(Book.REQUESTS)

    await wait_until(is_answered)
    assert {one["id"] for one in await stage.list_subscriptions()} == after


async def test_keepers_that_are_killed_let_no_subscription_lapse_and_double_none(stage: Stage) -> None:
    stage.options = replace(stage.options, lease_s=2)
    await stage.asking.control("/faults", {"lifetime_s": 20})
    for name in ("olga", "oskar", "otto"):
        await make_household(stage, name, delegates=2)
    for number in range(3):
        stage.start_keeper(f"keeper-{number}")
    await stage.wait_until_ready()

    killed = 0
    for number in range(6):
        await wait_until(lambda: has_leader(stage))
        holder = await stage.streams.link.call("GET", stage.streams.keys.lease("keeper"))
        for running in stage.keepers:
            if running.name == holder:
                await running.kill()
                killed += 1
                stage.start_keeper(f"keeper-again-{number}")
        until = asyncio.get_running_loop().time() + 4
        while asyncio.get_running_loop().time() < until:
            resources = sorted(one["resource"] for one in await stage.list_subscriptions())
            assert len(resources) == len(set(resources)) == 9
            await asyncio.sleep(0.2)
    assert killed >= 4


async def has_leader(stage: Stage) -> bool:
    """Tell whether a keeper holds the lease; for a while after one was killed none does."""
    return bool(await stage.streams.link.call("EXISTS", stage.streams.keys.lease("keeper")))


async def test_handshakes_that_mostly_fail_are_survived(stage: Stage) -> None:
    stage.options = replace(stage.options, backoff=Backoff(passing_s=0.1, passing_max_s=0.4))
    await stage.asking.control("/faults", {"handshake": 0.8})
    await make_household(stage, "olga")
    stage.start_keeper()
    await stage.wait_until_ready()
    assert len(await stage.list_subscriptions()) == 2


async def test_a_changed_public_url_leaves_one_subscription_per_resource(stage: Stage) -> None:
    await make_household(stage, "olga")
    first = stage.start_keeper()
    await stage.wait_until_ready()
    await first.end()
    before = {one["id"] for one in await stage.list_subscriptions()}
    stage.settings = stage.settings.model_copy(
        update={"public_url": stage.settings.public_url.replace("localhost", "127.0.0.1")}
    )
    stage.start_keeper("keeper-2")

    async def is_moved() -> bool:
        listed = await stage.list_subscriptions()
        return len(listed) == 2 and before.isdisjoint(one["id"] for one in listed)

    await wait_until(is_moved)


async def test_an_operators_requests_are_carried_out(stage: Stage) -> None:
    await make_household(stage, "olga")
    stage.start_keeper()
    await stage.wait_until_ready()
    before = {one["id"] for one in await stage.list_subscriptions()}
    for kind in (RequestKind.RESYNC, RequestKind.RENEW, RequestKind.RECREATE):
        await file_request(stage.streams.records, build_operator_request(kind, now=SystemClock().now()))

    async def is_done() -> bool:
        texts = await stage.streams.records.read_all(Book.REQUESTS)
        requests = [decode_request(text) for text in texts.values()]
        return len(requests) == 3 and all(one.ended_at and not one.failed for one in requests)

    await wait_until(is_done)
    assert before.isdisjoint(one["id"] for one in await stage.list_subscriptions())
    assert len(await stage.list_subscriptions()) == 2


async def test_a_deletion_that_nobody_announced_is_found_by_the_full_round(stage: Stage) -> None:
    owner = await make_household(stage, "olga")
    guest = await stage.add_user("gus@contoso.onmicrosoft.com")
    stage.start_keeper()
    await stage.wait_until_ready()
    event_id = await stage.invite(owner, [guest["address"]])
    await stage.wait_for_update("attendee.added", guest["address"])
    await stage.asking.control("/faults", {"drop": 1.0})
    gone = await stage.asking.graph("DELETE", f"/me/events/{event_id}", token=owner["token"])
    assert gone.status == 204, gone.body
    await stage.asking.control("/faults", {"drop": 1.0, "expire_delta": 100})

    async def is_told() -> bool:
        return any(type_ in ("event.deleted", "event.cancelled") for type_, _ in await stage.updates())

    await wait_until(is_told)


async def test_subscriptions_of_several_owners_are_made_together(stage: Stage) -> None:
    for name in ("olga", "paul", "quinn"):
        await make_household(stage, name, delegates=2)
    stage.start_keeper()
    await stage.wait_until_ready()

    made = [
        [part for part in request["batch"] or [request] if is_creation(part)]
        for request in await stage.asking.control("/requests")
    ]
    assert sum(len(parts) for parts in made) == 9
    assert max(len(parts) for parts in made) > 1


def is_creation(request: dict[str, Any]) -> bool:
    return request["method"] == "POST" and str(request["path"]).endswith("/subscriptions")


async def test_a_mailbox_that_is_full_of_others_subscriptions_is_said_to_be_and_holds_nobody_up(
    stage: Stage,
) -> None:
    full = await make_household(stage, "olga", delegates=0)
    stage.start_keeper()
    await stage.wait_until_ready()
    book = stage.sandbox.parts.deliveries.book
    for one in book.list_of(full["id"]):
        book.remove(one)
        for number in range(PER_MAILBOX_MAX):
            watch = replace(one.watch, filter=f"of application {number}")
            book.add(replace(one, id=f"{one.id}-{number}", app_id=f"app-{number}", watch=watch))
        break
    others = book.count_of(full["id"])
    assert others >= PER_MAILBOX_MAX

    async def is_said() -> bool:
        return any(
            "full number of subscriptions" in " ".join(one.faults)
            for one in (await stage.read_status()).resources
        )

    await wait_until(is_said)
    olaf = await make_household(stage, "olaf")
    await stage.wait_until_ready()
    held = {one["resource"] for one in await stage.list_subscriptions()}
    assert f"users/{olaf['id']}/events" in held
    for one in book.list_of(full["id"]):
        if one.app_id.startswith("app-"):
            book.remove(one)

    async def is_there_again() -> bool:
        status = await stage.read_status()
        return not any(one.faults for one in status.resources) and book.count_of(full["id"]) == 2

    await wait_until(is_there_again)
