"""Commands that need the whole surroundings: check, serve, subscriptions, owners, against the sandbox."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from typing import Any

import aiohttp
from redis.asyncio import Redis

from service.sandbox.command import Sandbox
from tests.integration.surroundings import DEADLINE_S, OWNER, Surroundings, wait_for
from tests.ports import choose_port


def find(findings: dict[str, Any], subject: str) -> dict[str, Any]:
    return next(one for one in findings["findings"] if one["subject"].startswith(subject))


async def test_check_finds_nothing_wrong_where_all_is_well(surroundings: Surroundings) -> None:
    code, found, errors = await surroundings.run("check")

    assert code == 0, (found, errors)
    assert found["ok"]
    assert find(found, "token")["state"] == "ok"
    assert find(found, f"person {OWNER}")["detail"].startswith("Alex Wilber")
    assert find(found, f"owner {OWNER}, delegates")["detail"] == "1 discovered"
    assert find(found, "inbox ")["state"] == "ok"
    assert find(found, "public URL")["detail"] == "the handshake came back"


async def test_check_names_the_remedy_of_a_wrong_secret(surroundings: Surroundings) -> None:
    code, found, _ = await surroundings.run("check", RESPONSE_SYNC_CLIENT_SECRET="s~wrong-secret")

    assert code == 1
    token = find(found, "token")
    assert token["state"] == "fault"
    assert "AADSTS7000215" in token["detail"]
    assert "secret" in token["remedy"]
    assert "s~wrong-secret" not in json.dumps(found)


async def test_check_tells_an_owner_without_mailbox_and_a_public_url_that_leads_elsewhere(
    surroundings: Surroundings,
) -> None:
    (surroundings.directory / "owners.toml").write_text('[[owners]]\naddress = "nobody@contoso.com"\n')
    elsewhere = f"http://127.0.0.1:{choose_port()}"

    code, found, _ = await surroundings.run("check", RESPONSE_SYNC_PUBLIC_URL=elsewhere)

    assert code == 1
    assert "No mailbox" in find(found, "person nobody@contoso.com")["detail"]
    assert find(found, "public URL")["state"] == "fault"


async def test_check_tells_of_redis_that_is_away_and_of_all_else(surroundings: Surroundings) -> None:
    code, found, _ = await surroundings.run(
        "check",
        "--before-start",
        REDIS_URL=f"redis://127.0.0.1:{choose_port()}",
        RESPONSE_SYNC_REDIS_RETRIES_MAX="0",
    )

    assert code == 1
    assert find(found, "Redis")["state"] == "fault"
    assert find(found, "token")["state"] == "ok"


async def test_serve_is_ready_once_subscriptions_and_baseline_stand_and_purges_who_is_removed(
    surroundings: Surroundings, redis_url: str, prefix: str
) -> None:
    async with surroundings.running("serve"):
        await wait_for(surroundings.is_ready)

        code, rows, errors = await surroundings.run("subscriptions", "list")
        assert code == 0, errors
        assert [row["resource"].partition("/")[0] for row in rows] == ["calendar", "inbox"]
        assert all(row["graph"] and row["leftS"] > 0 and not row["faults"] for row in rows)
        (alex,) = (await surroundings.run("owners", "list"))[1]
        assert (alex["state"], alex["name"]) == ("watched", "Alex Wilber")

        code, removed, errors = await surroundings.run("owners", "remove", OWNER)
        assert (code, removed) == (0, {"removed": [OWNER], "purged": True}), errors
        assert (await surroundings.run("subscriptions", "list"))[1] == []
        assert await list_keys_naming(redis_url, prefix, (alex["id"], OWNER)) == []


async def test_a_running_keeper_does_what_an_operator_asks_for(surroundings: Surroundings) -> None:
    async def ids() -> set[str]:
        _, rows, errors = await surroundings.run("subscriptions", "list")
        assert rows is not None, errors
        return {row["graph"]["id"] for row in rows if row["graph"]}

    async with surroundings.running("serve"):
        await wait_for(surroundings.is_ready)
        first = await ids()

        code, told, errors = await surroundings.run("resync", OWNER)
        assert (code, told["resources"], told["done"], told["failed"]) == (0, 2, 2, {}), errors
        assert "2 of 2 mailboxes read in full" in errors
        code, told, errors = await surroundings.run("subscriptions", "renew")
        assert (code, told["done"]) == (0, 2), errors
        assert await ids() == first
        code, told, errors = await surroundings.run("subscriptions", "recreate", OWNER)
        assert (code, told["done"]) == (0, 2), errors
        assert len(await ids() - first) == 2

        code, told, errors = await surroundings.run("subscriptions", "delete")
        assert (code, told["done"]) == (0, 2), errors
        assert await count_subscriptions(surroundings.sandbox) == 0
        assert await surroundings.is_ready()
        _, rows, _ = await surroundings.run("subscriptions", "list")
        assert all(row["graph"] is None and "recreate" in row["faults"][0] for row in rows)
        code, told, errors = await surroundings.run("subscriptions", "recreate", "--wait-s", "90")
        assert (code, told["done"]) == (0, 2), errors
        assert await count_subscriptions(surroundings.sandbox) == 2

        code, told, errors = await surroundings.run("subscriptions", "delete", "no-such-id")
        assert (code, told["failedCount"]) == (1, 1), errors
        assert "no subscription of this deployment" in told["failed"]["no-such-id"]


async def list_keys_naming(redis_url: str, prefix: str, names: tuple[str, ...]) -> list[str]:
    """Give every key of the test whose name or content holds one of the names."""
    found = []
    async with Redis.from_url(redis_url) as redis:
        async for key in redis.scan_iter(f"*{prefix}*"):
            text = f"{key!r} {await redis.dump(key)!r}".lower()
            found += [text for name in names if name.lower() in text]
    return found


async def test_web_goes_on_while_redis_is_away_and_says_so(surroundings: Surroundings) -> None:
    public = f"http://127.0.0.1:{surroundings.ports['public']}"

    async def is_listening() -> bool:
        return (await surroundings.fetch_ready())[0] == 503

    async with (
        surroundings.running("web", REDIS_URL=f"redis://127.0.0.1:{choose_port()}"),
        aiohttp.ClientSession(trust_env=False) as session,
    ):
        await wait_for(is_listening)
        _, ready = await surroundings.fetch_ready()
        assert "Redis is away" in ready["probes"]["web"]["reason"]
        async with session.post(f"{public}/graph/notifications?validationToken=a%20b%2Bc") as answer:
            assert (answer.status, await answer.text()) == (200, "a b+c")
        async with session.post(f"{public}/graph/notifications", json={"value": []}) as answer:
            assert answer.status == 202


async def test_a_port_that_is_taken_is_a_settings_fault(surroundings: Surroundings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", surroundings.ports["public"]))
        taken.listen()
        process = await surroundings.start("web")
        async with asyncio.timeout(DEADLINE_S):
            _, errors = await process.communicate()

    assert process.returncode == 2
    assert f"cannot listen on 127.0.0.1:{surroundings.ports['public']}" in errors.decode()
    assert "Traceback" not in errors.decode()


async def count_subscriptions(sandbox: Sandbox) -> int:
    """Ask the control API how many subscriptions there are."""
    trust = ssl.create_default_context(cafile=sandbox.ready.ca_bundle)
    url = f"{sandbox.ready.control_url}/subscriptions"
    async with aiohttp.ClientSession(trust_env=False) as session, session.get(url, ssl=trust) as answer:
        return len(await answer.json())


async def test_the_data_of_an_embedded_server_outlive_it(surroundings: Surroundings) -> None:
    data = surroundings.directory / "d"
    without = {"REDIS_URL": "", "RESPONSE_SYNC_SECRET_KEY": ""}

    for _ in range(2):
        async with surroundings.running("serve", "--embedded", "--data", "d", **without):
            await wait_for(surroundings.is_ready)

    assert (data / "secret-key").stat().st_mode & 0o777 == 0o600
    assert await count_subscriptions(surroundings.sandbox) == 2
