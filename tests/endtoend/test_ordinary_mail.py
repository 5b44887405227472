"""A mailbox full of ordinary mail: what is no response to a watched meeting is neither stored nor logged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from tests.endtoend.deeds import Given, Play
from tests.endtoend.people import Person, Tenant
from tests.endtoend.settling import settle
from tests.endtoend.stage import Stage, open_stage

MAILS = 200
RESPONSES = 3


async def test_nothing_of_ordinary_mail_is_kept_or_logged(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        tenant = stage.tenant
        alex, adele = tenant.people["alex"], tenant.people["adele"]
        await send_ordinary(tenant, adele, range(MAILS // 2))
        play = Play(tenant, 5)
        await play.add_guests(RESPONSES)
        await stage.start_ready("serve")
        meeting = await play.make_meeting(alex, adele, size=RESPONSES)
        for invited in meeting.invited:
            invited.plan = [Given(how="accept", comment="Gern", by=play.delegate_of.get(invited.person.id))]
        own = await answer_own_meeting(tenant, adele)
        await play.play_round()
        await send_ordinary(tenant, adele, range(MAILS // 2, MAILS))
        await settle(stage, play.meetings)
        secrets = await list_secrets(tenant, adele, own)

        assert len(secrets) > 3 * MAILS
        await assert_nothing_of_it(stage, secrets)
        assert (await stage.running["serve"].terminate())[0] == 0
        await assert_nothing_of_it(stage, secrets)


async def send_ordinary(tenant: Tenant, to: Person, numbers: range) -> None:
    for at in numbers:
        await tenant.send_mail(
            to,
            f"sender-{at:03d}@elsewhere.example",
            f"Subject-{at:03d} invoice accepted",
            f"Body-{at:03d}: please find attached",
        )


async def answer_own_meeting(tenant: Tenant, organizer: Person) -> str:
    """Let somebody answer a meeting of the delegate herself, which is no watched one; gives its UID."""
    megan = tenant.people["megan"]
    event = await tenant.create_meeting(
        organizer,
        organizer,
        {
            "subject": "Adele's private matter",
            "start": {"dateTime": "2030-01-01T10:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2030-01-01T11:00:00", "timeZone": "UTC"},
            "attendees": [
                {"emailAddress": {"address": megan.address, "name": megan.name}, "type": "required"}
            ],
        },
    )
    uid = str(event["iCalUId"])
    await tenant.answer(megan, uid, "decline", comment="Not-for-you comment")
    return uid


async def list_secrets(tenant: Tenant, who: Person, own_uid: str) -> list[str]:
    """List what must not be found: words and ids of messages that are not for the service."""
    secrets = ["Adele's private matter", "Not-for-you comment", own_uid]
    listed = await tenant.list_inbox(who)
    ordinary = [one for one in listed if "elsewhere.example" in json.dumps(one.get("from"))]
    assert len(ordinary) == MAILS
    for one in ordinary:
        at = one["subject"][8:11]
        secrets += [f"Subject-{at}", f"Body-{at}", f"sender-{at}", one["id"], one["internetMessageId"]]
    secrets += [one["id"] for one in listed if one["subject"].endswith("Adele's private matter")]
    return secrets


async def assert_nothing_of_it(stage: Stage, secrets: list[str]) -> None:
    everything = {f"log of {name}": text for name, text in stage.read_logs().items()}
    everything |= await read_all_keys(stage.redis)
    found = [(place, one) for place, text in everything.items() for one in secrets if one in text]
    assert found == []
    # The append-only file tells what was there for a moment: ids alone, for they come with the notifications.
    assert stage.redis_server is not None
    written = b"".join(one.read_bytes() for one in stage.redis_server.directory.rglob("*.aof")).decode(
        errors="replace"
    )
    assert "intake" in written
    words = [one for one in secrets if one.startswith(("Subject-", "Body-", "sender-", "Adele", "Not-"))]
    assert [one for one in words if one in written] == []


async def read_all_keys(redis: Redis) -> dict[str, str]:
    """Give every key with its whole value as text."""
    keys: list[str] = [key async for key in redis.scan_iter("*")]
    return {key: repr((key, await read_value(redis, key))) for key in keys}


async def read_value(redis: Redis, key: str) -> Any:
    commands: Any = redis
    match await redis.type(key):
        case "string":
            return await redis.get(key)
        case "hash":
            return await commands.hgetall(key)
        case "list":
            return await commands.lrange(key, 0, -1)
        case "set":
            return await commands.smembers(key)
        case "zset":
            return await commands.zrange(key, 0, -1, withscores=True)
        case "stream":
            return await redis.xrange(key)
        case kind:
            raise AssertionError(f"{key} is a {kind!r}")
