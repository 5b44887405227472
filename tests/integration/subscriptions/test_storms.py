"""Everything at once: the state lost, notifications dropped and doubled, Graph in bad temper."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest_asyncio

from service.embedded import Listener, embedded_redis
from service.ports import Book
from service.sandbox.command import Sandbox
from service.sandbox.keys import KeyRing
from service.sandbox.options import SandboxOptions
from tests.integration.conftest import chosen_server
from tests.integration.restoring import RestorableRedis, restorable_redis
from tests.integration.sandbox.asking import Asking, trust
from tests.integration.subscriptions.conftest import QUICK
from tests.integration.subscriptions.stage import Stage, open_stage
from tests.integration.waiting import PATIENCE_S, wait_until

STORM = {
    "drop": 0.3,
    "duplicate": 0.3,
    "reorder": 0.3,
    "throttle": 0.1,
    "unavailable": 0.1,
    "handshake": 0.4,
}


@pytest_asyncio.fixture
async def own_stage(keys: KeyRing, prefix: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage with a Redis of its own, which may be flushed."""
    async with (
        embedded_redis(listener=Listener.LOOPBACK, program=chosen_server()) as redis,
        Sandbox.start(SandboxOptions(seed=7, keys=keys, outbox=QUICK)) as sandbox,
        aiohttp.ClientSession(connector=trust(sandbox)) as session,
    ):
        asking = await Asking.prepare(sandbox, session)
        folder = tmp_path / "hook"
        async with open_stage(sandbox, asking, redis_url=redis.url, prefix=prefix, folder=folder) as opened:
            yield opened


async def test_a_flushed_redis_recovers_by_itself(own_stage: Stage) -> None:
    stage = own_stage
    delegate = await stage.add_user("dora@contoso.onmicrosoft.com")
    owner = await stage.add_user("olga@contoso.onmicrosoft.com", delegates=[delegate["address"]])
    guest = await stage.add_user("gus@contoso.onmicrosoft.com")
    await stage.add_owner(owner["address"])
    stage.start_keeper()
    await stage.wait_until_ready()
    await stage.invite(owner, [guest["address"]])
    await stage.answer(guest, "Plan")
    await stage.wait_for_update("response.changed", guest["address"])
    before = await read_epochs(stage)
    subscriptions = {one["id"] for one in await stage.list_subscriptions()}

    await stage.streams.link.call("FLUSHALL")
    await wait_until(stage.streams.generation.exists)
    await stage.wait_until_ready()
    await stage.wait_for_update("response.snapshot", guest["address"])

    after = await read_epochs(stage)
    assert min(after) > max(before)
    assert {one["id"] for one in await stage.list_subscriptions()} == subscriptions
    assert await stage.updates() == [("response.snapshot", guest["address"])]

    await stage.answer(guest, "Plan", "decline")
    await stage.wait_for_update("response.changed", guest["address"])


async def test_a_restored_backup_is_the_same_as_a_loss(keys: KeyRing, prefix: str, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    async with (
        restorable_redis(directory, is_append_only=False) as redis,
        Sandbox.start(SandboxOptions(seed=7, keys=keys, outbox=QUICK)) as sandbox,
        aiohttp.ClientSession(connector=trust(sandbox)) as session,
    ):
        asking = await Asking.prepare(sandbox, session)
        hook = tmp_path / "hook"
        async with open_stage(sandbox, asking, redis_url=redis.url, prefix=prefix, folder=hook) as stage:
            await live_through_a_restore(stage, redis, tmp_path / "backup")


async def live_through_a_restore(stage: Stage, redis: RestorableRedis, backup: Path) -> None:
    delegate = await stage.add_user("dora@contoso.onmicrosoft.com")
    owner = await stage.add_user("olga@contoso.onmicrosoft.com", delegates=[delegate["address"]])
    removed = await stage.add_user("rita@contoso.onmicrosoft.com")
    guest = await stage.add_user("gus@contoso.onmicrosoft.com")
    await stage.add_owner(owner["address"], removed["address"])
    stage.start_keeper()
    await stage.wait_until_ready()
    await stage.invite(owner, [guest["address"]])
    await stage.wait_for_update("attendee.added", guest["address"])
    await redis.back_up(backup)

    await stage.answer(guest, "Plan")
    await stage.wait_for_update("response.changed", guest["address"])
    await stage.remove_owner(removed["address"])

    async def is_removed() -> bool:
        return removed["id"] not in str(await stage.list_subscriptions())

    await wait_until(is_removed)
    before = await read_epochs(stage)
    subscriptions = {one["id"] for one in await stage.list_subscriptions()}

    await redis.restore(backup)
    await stage.wait_for_update("response.snapshot", guest["address"])
    await stage.wait_until_ready()

    assert max(await read_epochs(stage)) > max(before)
    assert {one["id"] for one in await stage.list_subscriptions()} == subscriptions
    roster = await stage.streams.records.read_all(Book.ROSTER)
    assert list(roster) == [owner["address"].casefold()], "whoever was removed is not read again"
    await stage.answer(guest, "Plan", "decline")

    async def is_told() -> bool:
        return ("response.changed", guest["address"]) in await stage.updates()  # may be confirmed at once

    await wait_until(is_told)


async def read_epochs(stage: Stage) -> set[int]:
    streams = stage.streams.updates
    published = await streams.read(dict.fromkeys(streams.streams, "0-0"), block_s=0)
    return {int(one.fields["epoch"]) for one in published}


async def test_after_a_storm_the_stream_says_what_the_calendars_say(stage: Stage) -> None:
    rng = random.Random(4)
    guests = [await stage.add_user(f"guest{number}@contoso.onmicrosoft.com") for number in range(4)]
    owners = []
    for number in range(4):
        delegates = [f"d{number}-{other}@contoso.onmicrosoft.com" for other in range(2)]
        for address in delegates:
            await stage.add_user(address)
        owner = await stage.add_user(f"owner{number}@contoso.onmicrosoft.com", delegates=delegates)
        await stage.add_owner(owner["address"])
        owners.append(owner)
    stage.start_keeper()
    await stage.wait_until_ready()

    subjects = []
    for number, owner in enumerate(owners):
        for other in range(2):
            subjects.append(f"Meeting {number}-{other}")
            await stage.invite(owner, [guest["address"] for guest in guests], subjects[-1])
    await stage.asking.control("/faults", STORM)
    await answer_at_random(stage, guests, subjects, rng, rounds=3)
    await stage.asking.control("/faults", {})

    async def agrees() -> bool:
        return await fold(stage) == await read_calendars(stage, owners)

    try:
        await wait_until(agrees, poll_s=0.3)
    except TimeoutError:
        assert await fold(stage) == await read_calendars(stage, owners)

    async def is_whole() -> bool:
        resources = [one["resource"] for one in await stage.list_subscriptions()]
        return len(resources) == len(set(resources)) == 12

    await wait_until(is_whole)


async def answer_at_random(
    stage: Stage, guests: list[dict[str, Any]], subjects: list[str], rng: random.Random, *, rounds: int
) -> None:
    """Let guests answer and change their minds, while Graph loses subscriptions and forgets delta tokens."""
    for number in range(rounds):
        mishaps = {"remove_subscriptions": 2, "expire_delta": 3, "missed": 1} if number else {}
        await stage.asking.control("/faults", STORM | mishaps)
        for guest in guests:
            for subject in rng.sample(subjects, 4):
                how = rng.choice(["accept", "decline", "tentativelyAccept"])
                await persist(stage, guest, subject, how)
        await asyncio.sleep(2.1)  # answers closer than TOLERANCE_S may be told in either order


async def persist(stage: Stage, guest: dict[str, Any], subject: str, how: str) -> None:
    """Answer although Graph throttles people as well."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await stage.answer(guest, subject, how)
            except (AssertionError, KeyError):
                await asyncio.sleep(0.05)
            else:
                return


async def fold(stage: Stage) -> dict[tuple[str, str], str]:
    """Give what a consumer holds: (subject of the meeting, attendee) -> value."""
    held: dict[tuple[str, str], str] = {}
    streams = stage.streams.updates
    positions = dict.fromkeys(streams.streams, "0-0")
    while published := await streams.read(positions, block_s=0):
        for one in published:
            positions[one.stream] = one.id
            data = msgspec.json.decode(one.fields["data"])
            if attendee := one.fields.get("subject"):
                held[data["event"]["subject"], attendee] = data["response"]["value"]
    return held


async def read_calendars(stage: Stage, owners: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Give what the owners' calendars say."""
    said: dict[tuple[str, str], str] = {}
    for owner in owners:
        listed = await stage.asking.graph("GET", "/me/events", token=owner["token"])
        for event in listed.body["value"]:
            for row in event["attendees"]:
                said[event["subject"], row["emailAddress"]["address"].lower()] = row["status"]["response"]
    return said
