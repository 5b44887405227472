"""Notifications that Graph did not send, or not now: the sender sees 202, and nothing comes of them."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.endtoend.deeds import Given, Play
from tests.endtoend.settling import settle
from tests.endtoend.stage import Stage
from tests.endtoend.test_ordinary_mail import read_all_keys
from tests.endtoend.test_strangers import JSON, ROUTES, build_item, post
from tests.integration.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORGED = "FORGED-item-id"


@pytest_asyncio.fixture(loop_scope="session")
async def untouched(serving: Stage) -> AsyncIterator[Stage]:
    """The service; afterwards nothing of the forger is in Redis, and nothing was asked of Graph."""
    yield serving
    await wait_until(serving.is_quiet)
    assert [name for name, text in (await read_all_keys(serving.redis)).items() if FORGED in text] == []
    asked = json.dumps(await serving.tenant.control("requests"))
    assert FORGED not in asked
    assert "evil.example" not in asked


async def find_states(stage: Stage) -> dict[str, str]:
    """Give the genuine client states by what they were made for: `messages` and `events`."""
    found = await stage.tenant.control("subscriptions")
    return {one["resource"].rpartition("/")[2].lower(): one["clientState"] for one in found}


def flip(state: str, bit: int) -> str:
    """Change one bit of a client state."""
    raw = bytearray(base64.urlsafe_b64decode(state + "=" * (-len(state) % 4)))
    raw[bit // 8] ^= 1 << bit % 8
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def give_id(item: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Let an item point to what the forger chose."""
    return item | {"resourceData": item["resourceData"] | {"id": FORGED}, **changes}


async def send(stage: Stage, *items: dict[str, Any]) -> None:
    for route in ROUTES:
        assert await post(stage, route, json.dumps({"value": list(items)}).encode(), JSON) == (202, "")


async def test_a_client_state_with_any_bit_changed_is_none_of_ours(untouched: Stage) -> None:
    item = give_id(await build_item(untouched))
    bits = len(item["clientState"]) * 6 // 8 * 8
    await send(untouched, *(item | {"clientState": flip(item["clientState"], bit)} for bit in range(bits)))


async def test_a_client_state_says_what_it_was_made_for(untouched: Stage) -> None:
    """With that of a calendar nobody can make us read a message."""
    states = await find_states(untouched)
    await send(untouched, give_id(await build_item(untouched), clientState=states["events"]))


async def test_another_tenant_cannot_use_our_client_states(untouched: Stage) -> None:
    foreign = give_id(await build_item(untouched), tenantId="11111111-1111-1111-1111-111111111111")
    await send(untouched, foreign, foreign | {"tenantId": ""} | {"clientState": "x"})


async def test_guessed_ids_without_a_client_state_lead_nowhere(untouched: Stage) -> None:
    item = give_id(await build_item(untouched))
    guesses: list[Any] = [None, "", "x", 0, [], {}, "a" * 127, "=" * 40, "\u0000", item["subscriptionId"]]
    await send(untouched, *(item | {"clientState": guess} for guess in guesses))
    await send(
        untouched,
        *(item | {"clientState": guess, "lifecycleEvent": "subscriptionRemoved"} for guess in guesses),
    )


async def test_addresses_in_a_notification_are_never_followed(untouched: Stage) -> None:
    item = await build_item(untouched, resource="https://evil.example/users/x")
    item["resourceData"] |= {
        "@odata.id": "https://evil.example/x",
        "id": "x/../../users/y?$filter=1#",
    }
    assert await post(untouched, ROUTES[0], json.dumps({"value": [item]}).encode()) == (202, "")
    await wait_until(untouched.is_quiet)
    asked = await untouched.tenant.control("requests")
    assert not [one for one in asked if one["path"].rstrip("/").endswith("/users/y")]


async def test_a_notification_that_is_sent_again_and_again_publishes_nothing_twice(serving: Stage) -> None:
    people = serving.tenant.people
    play = Play(serving.tenant, 7)
    play.guests = [people["megan"]]
    meeting = await play.make_meeting(people["alex"], people["adele"], size=1, answers=0)
    meeting.invited[0].plan = [Given(how="accept")]
    await play.play_round()
    await settle(serving, play.meetings)
    listed = await serving.tenant.list_inbox(people["adele"])
    item = await build_item(serving)
    replayed = [item | {"resourceData": item["resourceData"] | {"id": one["id"]}} for one in listed]
    assert replayed
    before = await serving.read_stream()

    for _ in range(10):
        assert await post(serving, ROUTES[0], json.dumps({"value": replayed}).encode()) == (202, "")
    await wait_until(serving.is_quiet)

    assert await serving.read_stream() == before
