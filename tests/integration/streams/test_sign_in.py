"""Signing in to a real server with tokens of the sandbox's Entra ID, over its HTTPS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
import pytest_asyncio

from service.bootstrap.redis_sign_in import RESOURCE, open_sign_in
from service.embedded import EmbeddedRedis, embedded_redis
from service.errors import StreamError, TokenError
from service.sandbox.command import Sandbox
from service.sandbox.options import SandboxOptions
from service.settings import Secret, Settings
from service.streams.connection import RedisLimits, RedisTarget, connect, open_connection
from service.streams.link import RedisLink
from service.streams.sign_in import FetchToken, TokenSignIn
from tests.integration.conftest import chosen_server

OBJECT_ID = "4ad93ab7-d3ab-4a0d-83ad-f9c1a3b2f3a1"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[EmbeddedRedis]:
    """A server of its own, for its users change."""
    async with embedded_redis(program=chosen_server()) as running:
        yield running


@asynccontextmanager
async def linked(server: EmbeddedRedis, sign_in: TokenSignIn | None = None) -> AsyncIterator[RedisLink]:
    link = connect(RedisTarget(url=server.url, sign_in=sign_in), RedisLimits(retries_max=1))
    try:
        yield link
    finally:
        await link.aclose()


async def admit(server: EmbeddedRedis, object_id: str, token: str) -> None:
    """Do what Azure's access policy and the check of the token do: this user, with this token alone."""
    async with linked(server) as admin:
        await admin.call(
            "ACL SETUSER", object_id, "reset", "on", f">{token}", "~*", "&*", "+@all", "-@dangerous"
        )
        await admin.call("CLIENT KILL", "USER", object_id)


def build_token(serial: str) -> str:
    return jwt.encode({"oid": OBJECT_ID, "jti": serial}, "k" * 32, algorithm="HS256")


def give(token: str) -> FetchToken:
    async def fetch() -> str:
        return token

    return fetch


async def test_the_application_signs_in_with_a_token_that_is_made_out_for_redis(
    server: EmbeddedRedis,
) -> None:
    async with Sandbox.start(SandboxOptions(seed=7)) as sandbox:
        settings = Settings(
            redis_url=Secret(server.url),
            tenant_id=sandbox.ready.tenant_id,
            client_id=sandbox.ready.client_id,
            client_secret=Secret(sandbox.ready.client_secret),
            authority_url=sandbox.ready.authority_url,
            ca_bundle=str(sandbox.ca_file),
        )
        with open_sign_in(settings) as sign_in:
            object_id, token = await sign_in.get_credentials_async()
            claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
            assert claims["aud"] == RESOURCE
            assert claims["oid"] == object_id
            await admit(server, object_id, token)
            async with linked(server, sign_in) as link:
                assert await link.call("ACL WHOAMI") == object_id
                connection = await open_connection(link, "any")
                await connection.send_command("ACL", "WHOAMI")
                assert await connection.read_response() == object_id
                await connection.disconnect()


async def test_a_connection_that_ends_with_its_token_is_replaced_under_the_next_one(
    server: EmbeddedRedis,
) -> None:
    valid = [build_token("1")]

    async def fetch() -> str:
        return valid[-1]

    await admit(server, OBJECT_ID, valid[-1])
    async with linked(server, TokenSignIn(fetch)) as link:
        await link.call("SET", "a", "1")
        valid.append(build_token("2"))
        await admit(server, OBJECT_ID, valid[-1])
        assert await link.call("GET", "a") == "1"


async def test_a_token_that_redis_does_not_take_is_told_without_showing_it(server: EmbeddedRedis) -> None:
    await admit(server, OBJECT_ID, build_token("1"))
    other = build_token("2")
    async with linked(server, TokenSignIn(give(other))) as link:
        with pytest.raises(StreamError) as told:
            await link.call("GET", "a")
    assert other not in str(told.value)


async def test_no_token_is_told_as_redis_refusing_with_the_reason(server: EmbeddedRedis) -> None:
    async def fail() -> str:
        raise TokenError("the client secret has expired", code="AADSTS7000222", remedy="", is_permanent=True)

    async with linked(server, TokenSignIn(fail)) as link:
        with pytest.raises(StreamError, match="the client secret has expired"):
            await link.call("GET", "a")


@pytest.mark.parametrize("token", ["", "opaque", jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256")])
async def test_a_token_that_names_nobody_is_refused(server: EmbeddedRedis, token: str) -> None:
    async with linked(server, TokenSignIn(give(token))) as link:
        with pytest.raises(StreamError, match="the token for Redis"):
            await link.call("GET", "a")
