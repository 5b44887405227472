"""People who sign in where the tenant grants the application nothing: from the code to the update stream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
from redis.asyncio import Redis

from service.demo.story import Audience, Persona, Walkthrough
from service.rich.keys import make_key_file
from tests.endtoend.test_ordinary_mail import read_all_keys
from tests.integration.sandbox.asking import Asking, trust
from tests.integration.surroundings import DEADLINE_S, OWNER, Surroundings, wait_for
from tests.leaks import find_leaks

ADELE = "adelev@contoso.onmicrosoft.com"
_CODE = re.compile(r"enter the code (\w+)")
_JWT = re.compile(r"eyJ[\w-]{16,}\.eyJ[\w-]{16,}")


@pytest.fixture
def delegated(surroundings: Surroundings) -> Surroundings:
    """The surroundings without any credential of the application."""
    del surroundings.settings["RESPONSE_SYNC_CLIENT_SECRET"]
    surroundings.settings["RESPONSE_SYNC_SIGN_IN"] = "delegated"
    # Entra ID has whoever waits for a code look every 5 s, which is long in a test.
    surroundings.sandbox.parts.tenant.entra.grants.device_interval_s = 1
    return surroundings


@pytest.fixture
async def tenant(delegated: Surroundings) -> AsyncIterator[Asking]:
    """The tenant, which grants the application no permission at all."""
    sandbox = delegated.sandbox
    async with aiohttp.ClientSession(connector=trust(sandbox), trust_env=False) as session:
        asking = Asking(sandbox=sandbox, session=session, app_token="")
        assert (await asking.control("/application", {"roles": []}))["roles"] == []
        yield asking


async def sign_in(
    surroundings: Surroundings, tenant: Asking, address: str, *, who: str = "", approve: bool = True
) -> tuple[int, str, str]:
    """Run `login ADDRESS` while somebody enters its code; gives exit code, output and errors."""
    process = await surroundings.start("login", address, "--json")
    assert process.stderr is not None
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        told = ""
        while (found := _CODE.search(told)) is None:
            line = await process.stderr.readline()
            assert line, told
            told += line.decode()
        answer = {"user_code": found[1], "user": who or address, "approve": approve}
        await tenant.control("/device-codes", answer)
        output, rest = await process.communicate()
    surroundings._keep(output, told.encode(), rest)
    return process.returncode or 0, output.decode(), told + rest.decode()


def list_faults(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Give what is wrong with each resource, by what it is of."""
    return {row["resource"].partition("/")[0]: "; ".join([*row["faults"], *row["notices"]]) for row in rows}


async def play_walkthrough(tenant: Asking) -> None:
    """Play the six steps; what the service makes of them is read from the stream."""
    people = {
        name: Persona(name=one.name, address=one.address, token=one.token)
        for name, one in tenant.sandbox.ready.personas.items()
    }

    async def go_on(number: int) -> None: ...

    audience = Audience(hear_step=lambda number, text: None, hear_detail=lambda text: None, pause=go_on)
    await Walkthrough(
        tenant.session, graph_url=tenant.sandbox.ready.graph_url, people=people, audience=audience
    ).play()


async def read_types(redis: Redis, stream: str) -> set[tuple[str, str]]:
    """Give type and attendee of every update published."""
    entries: Any = await redis.xrange(stream)
    return {
        (fields["type"].removeprefix("responsesync."), fields.get("subject", "")) for _, fields in entries
    }


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[Redis]:
    redis = Redis.from_url(url, decode_responses=True)
    try:
        yield redis
    finally:
        await redis.aclose()


async def test_the_walkthrough_comes_out_where_only_people_gave_leave(
    delegated: Surroundings, tenant: Asking, redis_url: str, prefix: str
) -> None:
    adele, alex = await asyncio.gather(sign_in(delegated, tenant, ADELE), sign_in(delegated, tenant, OWNER))
    assert (adele[0], alex[0]) == (0, 0), (adele, alex)
    code, rows, errors = await delegated.run("login", "--list")
    assert code == 0, errors
    assert {row["state"] for row in rows} == {"good"}
    assert {row["daysLeft"] for row in rows} == {89}

    async with open_redis(redis_url) as redis, delegated.running("serve"):
        await wait_for(delegated.is_ready)
        code, found, errors = await delegated.run("check")
        assert code == 0, (found, errors)
        await play_walkthrough(tenant)
        wanted = {
            ("attendee.added", "christiec@contoso.onmicrosoft.com"),
            ("response.changed", "christiec@contoso.onmicrosoft.com"),
            ("response.confirmed", "christiec@contoso.onmicrosoft.com"),
        }

        async def is_told() -> bool:
            return wanted <= await read_types(redis, prefix)

        await wait_for(is_told)
        asked = await tenant.control("/requests")
        assert_own_only(asked, tenant)

        secrets = set(tenant.sandbox.parts.tenant.entra.grants.list_refresh_tokens())
        assert len(secrets) >= 2
        places = {name: text for name, text in (await read_all_keys(redis)).items() if prefix in name}
        places["what was written"] = (delegated.directory / "commands.log").read_text()
        assert any("sign-ins" in name for name in places)
        assert find_leaks(places, secrets) == []
        assert [name for name, text in places.items() if _JWT.search(text)] == []
    written = (delegated.directory / "commands.log").read_text()
    assert find_leaks({"log of the service": written}, secrets) == []
    assert _JWT.search(written) is None


async def test_what_comes_along_with_notifications_is_taken_where_only_people_gave_leave(
    delegated: Surroundings, tenant: Asking, redis_url: str, prefix: str
) -> None:
    make_key_file(delegated.directory / "keys", now=datetime.now(UTC), bits=2048, days=30)
    delegated.settings["RESPONSE_SYNC_ENCRYPTION_KEY_FILE"] = "keys"
    signed = await asyncio.gather(sign_in(delegated, tenant, ADELE), sign_in(delegated, tenant, OWNER))
    assert [code for code, _, _ in signed] == [0, 0], signed
    async with open_redis(redis_url) as redis, delegated.running("serve"):
        await wait_for(delegated.is_ready)
        held = await tenant.control("/subscriptions")
        assert [one["includeResourceData"] for one in held] == [True, True]
        await play_walkthrough(tenant)

        async def is_told() -> bool:
            told = ("response.confirmed", "christiec@contoso.onmicrosoft.com")
            return told in await read_types(redis, prefix)

        await wait_for(is_told)
        asked = await tenant.control("/requests")
        assert_own_only(asked, tenant, least=0)
        parts = [part["path"] for one in asked for part in one["batch"] or [one]]
        of_messages = [
            path for path in parts if re.search(r"/users/[^/]+/(mailFolders/[^/]+/)?messages", path)
        ]
        assert all("delta" in path for path in of_messages), of_messages


def assert_own_only(asked: list[dict[str, Any]], tenant: Asking, *, least: int = 6) -> None:
    """Hold every request of a person's against whose mailbox it is about; the application asked nothing."""
    own_names = {one.address: {one.address.lower(), one.id} for one in tenant.sandbox.ready.personas.values()}
    own = 0
    for one in asked:
        assert one["caller"] != "app"
        for part in one["batch"] or [one]:
            whose = re.search(r"/users/([^/?]+)", part["path"])
            if whose is not None:
                assert unquote(whose[1]).lower() in own_names[one["caller"]], one
                own += 1
    assert own >= least


async def log_out(surroundings: Surroundings, tenant: Asking) -> None:
    """Log Adele out: her sign-in is forgotten, and the subscription that was made in her name ended."""
    assert len(await tenant.control("/subscriptions")) == 2
    code, told, errors = await surroundings.run("logout", ADELE)
    assert code == 0, errors
    assert (told["subscriptionsEnded"], told["subscriptionsLeft"]) == (1, 0)
    (left,) = await tenant.control("/subscriptions")
    assert left["resource"].endswith("/events")
    assert [row["address"].lower() for row in (await surroundings.run("login", "--list"))[1]] == [OWNER]


async def test_a_revoked_sign_in_costs_one_mailbox_until_its_person_signs_in_again(
    delegated: Surroundings, tenant: Asking
) -> None:
    await asyncio.gather(sign_in(delegated, tenant, ADELE), sign_in(delegated, tenant, OWNER))
    async with delegated.running("serve"):
        await wait_for(delegated.is_ready)
        await lose_and_regain(delegated, tenant)
    await log_out(delegated, tenant)


async def lose_and_regain(surroundings: Surroundings, tenant: Asking) -> None:
    """Revoke Adele's sign-in: her inbox is faulty, Alex' calendar is not; then she logs in again."""
    await tenant.control("/revocations", {"user": ADELE, "sign_ins": True})
    await surroundings.run("subscriptions", "renew")
    (code, rows, errors), (fault_code, found, _) = await asyncio.gather(
        surroundings.run("subscriptions", "list"), surroundings.run("check")
    )
    assert (code, fault_code) == (0, 1), errors
    faults = list_faults(rows)
    assert "response-sync login ADDRESS" in faults["inbox"]
    assert f"response-sync login {ADELE}" in faults["inbox"].lower()
    assert not faults["calendar"]
    (told,) = [one for one in found["findings"] if one["subject"].lower() == f"sign-in of {ADELE}"]
    assert (told["state"], "AADSTS50173" in told["detail"]) == ("fault", True)
    assert "permission User.Read" in [one["subject"] for one in found["findings"]]
    assert (await surroundings.is_ready()) is True  # a faulty mailbox does not hold it back

    code, _, errors = await sign_in(surroundings, tenant, ADELE)
    assert code == 0, errors

    await wait_for(lambda: are_watched(surroundings))
    assert len(await tenant.control("/subscriptions")) == 2


async def are_watched(surroundings: Surroundings) -> bool:
    """Tell whether every mailbox is watched; asks the dashboard, since a command is a process each time."""
    url = f"http://127.0.0.1:{surroundings.ports['admin']}/api/now"
    async with aiohttp.ClientSession(trust_env=False) as session, session.get(url) as answer:
        mailboxes = (await answer.json())["mailboxes"]
    return all(one["state"] == "watched" and one["endsAt"] for one in mailboxes)


async def test_nothing_is_kept_of_who_was_not_named_or_declined(
    delegated: Surroundings, tenant: Asking
) -> None:
    declined, other = await asyncio.gather(
        sign_in(delegated, tenant, ADELE, approve=False), sign_in(delegated, tenant, ADELE, who=OWNER)
    )
    assert declined[0] != 0
    assert other[0] != 0
    assert "nothing was kept" in other[2]
    assert (await delegated.run("login", "--list"))[1] == []


async def test_a_mailbox_whose_person_has_not_signed_in_says_how(
    delegated: Surroundings, tenant: Asking
) -> None:
    code, found, _ = await delegated.run("check")
    assert code == 1
    assert any("response-sync login ADDRESS" in one["remedy"] for one in found["findings"])
