"""Faults of every kind at once, each of which `check` must find and have one sentence for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio
import trustme
from redis.asyncio import Redis

from service.embedded import Listener, embedded_redis
from service.streams.keys import KeyNames
from tests.integration.conftest import chosen_server
from tests.integration.sandbox.asking import Asking, trust
from tests.integration.surroundings import OWNER, Surroundings

ADELE = "adelev@contoso.onmicrosoft.com"
ROLES = ["Calendars.Read", "Mail.Read", "MailboxSettings.Read", "User.Read.All"]


@pytest_asyncio.fixture
async def asking(surroundings: Surroundings) -> AsyncIterator[Asking]:
    async with aiohttp.ClientSession(connector=trust(surroundings.sandbox), trust_env=False) as session:
        yield await Asking.prepare(surroundings.sandbox, session)


def by_subject(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["subject"]: one for one in found["findings"]}


def states(found: dict[str, Any]) -> dict[str, str]:
    """Give the state of everything that is not well."""
    return {one["subject"]: one["state"] for one in found["findings"] if one["state"] != "ok"}


def assert_helpful(found: dict[str, Any]) -> None:
    """Everything that is not well has one sentence that says what to do, and nothing else has."""
    for one in found["findings"]:
        if one["state"] == "ok":
            assert one["remedy"] == "", one
        else:
            assert one["remedy"].endswith("."), one
            assert ". " not in one["remedy"], one


async def test_wrong_consent_a_wrong_clock_a_wrong_chain_an_evicting_redis_and_other_partitions(
    surroundings: Surroundings, asking: Asking, prefix: str, tmp_path: Path
) -> None:
    await asking.control("/application", {"roles": [role for role in ROLES if role != "Mail.Read"]})
    await asking.control("/clock", {"advance_s": 600})
    leaf = trustme.CA().issue_cert("localhost")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    async with embedded_redis(listener=Listener.LOOPBACK, program=chosen_server()) as server:
        async with Redis.from_url(server.url) as redis:
            await redis.config_set("maxmemory-policy", "allkeys-lru")
            await redis.hset(
                KeyNames(stream=prefix, partitions=1).layout, mapping={"version": "1", "partitions": "4"}
            )
        code, found, errors = await surroundings.run(
            "check",
            REDIS_URL=server.url,
            RESPONSE_SYNC_PUBLIC_URL=f"https://localhost:{surroundings.ports['public']}",
            RESPONSE_SYNC_TLS_CERT_FILE=str(tmp_path / "cert.pem"),
            RESPONSE_SYNC_TLS_KEY_FILE=str(tmp_path / "key.pem"),
        )

    assert code == 1, errors
    assert_helpful(found)
    told = by_subject(found)
    assert told["Redis eviction"]["remedy"] == "Set maxmemory-policy to noeviction."
    assert "PARTITIONS is 1" in told["Redis keys"]["detail"]
    assert told[f"inbox {ADELE}"]["state"] == "fault"
    assert told["permission Mail.Read"]["remedy"].startswith("Grant the application permission Mail.Read")
    assert told["permission Calendars.Read"]["state"] == "ok"
    assert (told["clock of Graph"]["state"], told["clock of Redis"]["state"]) == ("fault", "ok")
    assert told["DNS of public URL"]["state"] == "ok"
    assert told["TLS of public URL"]["state"] == "fault"
    assert "public CA" in told["TLS of public URL"]["remedy"]


async def test_a_forbidden_mailbox_a_full_redis_an_unknown_host_and_a_broken_key(
    surroundings: Surroundings, asking: Asking, tmp_path: Path
) -> None:
    await asking.control("/application", {"denied_mailboxes": [ADELE]})
    (tmp_path / "broken.pem").write_text("no key at all")
    async with embedded_redis(listener=Listener.LOOPBACK, program=chosen_server()) as server:
        async with Redis.from_url(server.url) as redis:
            await redis.config_set("maxmemory", "1mb")
        code, found, errors = await surroundings.run(
            "check",
            REDIS_URL=server.url,
            RESPONSE_SYNC_PUBLIC_URL="https://nobody.invalid",
            RESPONSE_SYNC_ENCRYPTION_KEY_FILE=str(tmp_path / "broken.pem"),
        )

    assert code == 1, errors
    assert_helpful(found)
    told = by_subject(found)
    assert "full" in told["Redis"]["detail"]
    assert told["Redis memory"]["state"] == "warning"
    assert told[f"owner {OWNER}, calendar"]["state"] == "ok"
    assert "scope" in told[f"inbox {ADELE}"]["remedy"]
    assert told["permission Mail.Read"]["state"] == "fault"
    assert "is consented to" in told["permission Mail.Read"]["remedy"]
    assert told["encryption keys"]["state"] == "fault"
    assert told["keys of validation tokens"]["state"] == "ok"
    assert told["DNS of public URL"]["detail"] == "the host name is not known"


async def test_permissions_that_one_can_do_without_are_warnings(
    surroundings: Surroundings, asking: Asking
) -> None:
    await asking.control("/application", {"roles": ["Calendars.Read", "Mail.Read"]})

    code, found, errors = await surroundings.run("check", OTEL_TRACES_EXPORTER="no_such_exporter")

    assert code == 0, (found, errors)
    assert_helpful(found)
    not_well = states(found)
    assert not_well["permission User.Read.All"] == "warning"
    assert not_well["permission MailboxSettings.Read"] == "warning"
    assert not_well["traces"] == "warning"
