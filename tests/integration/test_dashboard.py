"""The dashboard's paths as programs and hostile pages meet them: who is let in, what is told and changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from service.embedded import Listener, embedded_redis
from tests.browser.stage import Stage, fill, open_stage
from tests.integration.conftest import chosen_server
from tests.integration.waiting import wait_until

TOKEN = "a-token-for-programs"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@asynccontextmanager
async def open_client(**more: Any) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        trust_env=False, cookie_jar=aiohttp.CookieJar(unsafe=True), **more
    ) as one:
        yield one


async def get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    async with open_client() as client, client.get(url, headers=headers, allow_redirects=False) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if answer.content_type == "application/json" else text


async def post(url: str, body: Any, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    async with open_client() as client, client.post(url, json=body, headers=headers) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if answer.content_type == "application/json" else text


async def test_without_a_token_loopback_is_enough_but_no_other_name_for_it(
    redis_url: str, prefix: str
) -> None:
    async with open_stage(redis_url, prefix) as stage:
        assert (await get(f"{stage.url}/api/now"))[0] == 200
        assert (await get(stage.url, {"Host": "evil.example"}))[0] == 421
        assert (await get(f"{stage.url}/login"))[0] == 303


@pytest.mark.parametrize(
    ("headers", "is_let_in"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "HOST"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://127.0.0.1:1"}, False),
        ({"Origin": "null"}, False),
    ],
)
async def test_a_page_of_another_origin_changes_nothing(
    redis_url: str, prefix: str, headers: dict[str, str], is_let_in: bool
) -> None:
    async with open_stage(redis_url, prefix) as stage:
        await stage.bury("m1", "no_access", "403")
        (letter,) = (await get(f"{stage.url}/api/dead-letters"))[1]["letters"]
        headers = {name: text.replace("HOST", stage.url) for name, text in headers.items()}
        status, _ = await post(f"{stage.url}/api/dead-letters/drop", {"ids": [letter["id"]]}, headers)
        assert status == (200 if is_let_in else 403)
        assert await stage.streams.dead_letters.count() == (0 if is_let_in else 1)


async def test_a_page_of_another_origin_reads_no_data_but_may_link_here(redis_url: str, prefix: str) -> None:
    async with open_stage(redis_url, prefix) as stage:
        foreign = {"Sec-Fetch-Site": "cross-site"}
        assert (await get(stage.url, foreign))[0] == 200
        for path in ("/api/now", "/api/live", "/api/meetings", "/api/dead-letters"):
            assert (await get(stage.url + path, foreign))[0] == 403
            assert (await get(stage.url + path, {"Origin": "http://evil.example"}))[0] == 403


PATHS = (
    "/",
    "/meetings",
    "/dead-letters",
    "/api/now",
    "/api/live",
    "/api/meetings",
    "/api/dead-letters",
    "/metrics",
)


async def test_with_a_token_nothing_is_told_without_it(redis_url: str, prefix: str) -> None:
    async with open_stage(redis_url, prefix, token=TOKEN) as stage:
        for path in (*PATHS, "/assets/now.js"):
            assert await get(stage.url + path) == (401, "")
            if path != "/api/live":
                assert (await get(stage.url + path, BEARER))[0] == 200
        assert (await post(f"{stage.url}/api/dead-letters/drop", {"ids": ["1-1"]}))[0] == 401
        assert (await get(stage.url, {"Accept": "text/html"}))[0] == 303
        assert (await get(f"{stage.url}/login"))[0] == 200
        assert (await get(f"{stage.url}/assets/page.css"))[0] == 200


async def test_a_session_is_opened_by_the_token_and_its_cookie_cannot_be_made_up(
    redis_url: str, prefix: str
) -> None:
    async with open_stage(redis_url, prefix, token=TOKEN) as stage, open_client() as client:
        async with client.post(f"{stage.url}/login", data={"token": TOKEN}, allow_redirects=False) as answer:
            assert answer.status == 303
            cookie = answer.cookies["response_sync_session"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
        async with client.get(f"{stage.url}/api/now") as answer:
            assert answer.status == 200
        ends, _, seal = cookie.value.partition(".")
        for made_up in (
            f"{int(ends) + 1}.{seal}",
            f"{ends}.{seal[:-1]}0x",
            ends,
            f"{ends}.",
            f"1.{seal}",
            "é.x",
        ):
            cookies = {"Cookie": f"response_sync_session={made_up}"}
            assert (await get(f"{stage.url}/api/now", cookies))[0] == 401
        async with open_stage(redis_url, prefix, token=f"{TOKEN}2") as other:
            held = {"Cookie": f"response_sync_session={cookie.value}"}
            assert (await get(f"{stage.url}/api/now", held))[0] == 200
            assert (await get(f"{other.url}/api/now", held))[0] == 401


async def test_a_session_ends(redis_url: str, prefix: str) -> None:
    hours = {"dashboard_session_hours": 1 / 3600}
    async with open_stage(redis_url, prefix, token=TOKEN, **hours) as stage, open_client() as client:
        async with client.post(f"{stage.url}/login", data={"token": TOKEN}, allow_redirects=False) as answer:
            value = answer.cookies["response_sync_session"].value

        async def has_ended() -> bool:
            return (await get(f"{stage.url}/api/now", {"Cookie": f"response_sync_session={value}"}))[0] == 401

        await wait_until(has_ended)


async def test_tokens_cannot_be_tried_without_end(redis_url: str, prefix: str) -> None:
    async with (
        open_stage(redis_url, prefix, token=TOKEN, dashboard_logins_max=3) as stage,
        open_client() as one,
    ):
        found = []
        for given in ("a", "", "x" * 5_000, TOKEN):
            async with one.post(f"{stage.url}/login", data={"token": given}, allow_redirects=False) as answer:
                found.append(answer.status)
        assert found == [403, 403, 403, 429]
        assert (await get(f"{stage.url}/api/now", BEARER))[0] == 200  # programs go on


async def test_pages_forbid_everything_that_is_not_theirs(redis_url: str, prefix: str) -> None:
    async with (
        open_stage(redis_url, prefix) as stage,
        open_client() as client,
        client.get(stage.url) as answer,
    ):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
        text = await answer.text()
        assert "://" not in text
        assert "<script>" not in text
        assert " style=" not in text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"ids": []}, 400),
        ({"ids": ["1"]}, 400),
        ({"ids": ["1-1"] * 1_001}, 400),
        ({"ids": "1-1"}, 400),
        ({"ids": ["1-1"], "all": True}, 400),
        ([], 400),
        ({"ids": ["1" * 70_000]}, 413),
        ({"ids": ["1-1"]}, 200),
    ],
)
async def test_what_is_not_a_list_of_ids_is_refused(
    redis_url: str, prefix: str, body: Any, status: int
) -> None:
    async with open_stage(redis_url, prefix) as stage:
        for what in ("requeue", "drop"):
            assert (await post(f"{stage.url}/api/dead-letters/{what}", body))[0] == status


async def test_a_form_of_another_site_cannot_pass_for_json(redis_url: str, prefix: str) -> None:
    async with open_stage(redis_url, prefix) as stage, open_client() as client:
        headers = {"Content-Type": "text/plain"}
        url = f"{stage.url}/api/dead-letters/drop"
        async with client.post(url, data=b'{"ids": ["1-1"]}', headers=headers) as answer:
            assert answer.status == 415


async def read_events(stage: Stage, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with open_client() as client, client.get(f"{stage.url}/api/live") as answer:
        assert answer.content_type == "text/event-stream"
        async for line in answer.content:
            if line.startswith(b"data: "):
                found.append(json.loads(line[6:]))
            if len(found) == count:
                break
            if len(found) == 1 and line == b"\n":
                await stage.bury("m1", "no_access", "403")
    return found


async def test_live_tells_what_is_so_and_then_each_change(redis_url: str, prefix: str) -> None:
    async with open_stage(redis_url, prefix) as stage:
        await fill(stage)
        first, second = await read_events(stage, 2)
        assert first["intake"]["dead"] in (0, 1)
        while second["intake"]["dead"] == 0:
            (second,) = await read_events(stage, 1)
        assert len(first["minutes"]) == 60


async def test_no_more_pages_are_kept_up_to_date_than_the_setting_allows(redis_url: str, prefix: str) -> None:
    async with open_stage(redis_url, prefix, dashboard_clients_max=2) as stage, open_client() as client:
        url = f"{stage.url}/api/live"
        async with client.get(url), client.get(url), client.get(url) as third:
            assert (third.status, third.headers["Retry-After"]) == (503, "10")
        again = await asyncio.wait_for(_find_place(stage), 60)
        assert again


async def _find_place(stage: Stage) -> bool:
    """Ask until there is a place again: a page that left is noticed with the next message to it."""
    while True:
        await stage.bury("m", "refused", "so that something is told")
        async with open_client() as client, client.get(f"{stage.url}/api/live") as answer:
            if answer.status == 200:
                return True
        await asyncio.sleep(0.05)


async def test_open_pages_do_not_hold_up_the_end(redis_url: str, prefix: str) -> None:
    async with open_client() as client:
        async with open_stage(redis_url, prefix) as stage:
            answer = await client.get(f"{stage.url}/api/live")
            assert answer.status == 200
        await answer.content.read()  # ends, because the listener let us go
        answer.close()


async def test_meetings_are_found_by_every_word_that_is_shown_of_them(redis_url: str, prefix: str) -> None:
    async with open_stage(redis_url, prefix) as stage:
        await fill(stage)

        async def find(words: str) -> list[str]:
            status, found = await get(f"{stage.url}/api/meetings?q={words}")
            assert status == 200
            return [one["subject"] for one in found["meetings"]]

        assert await find("") == ["Budget review", "Let's go for lunch"]
        assert await find("LUNCH") == ["Let's go for lunch"]
        assert await find("meganb%40contoso.com") == ["Budget review", "Let's go for lunch"]
        assert await find("megan budget") == ["Budget review"]
        assert await find("megan breakfast") == []
        assert await find("040000008200E00074C5B7101A82E009") == ["Budget review"]
        assert await find("2026-03-02T14") == ["Budget review"]
        assert (await get(f"{stage.url}/api/meetings?q={'x' * 501}"))[0] == 400


async def test_a_search_that_looks_at_a_part_says_so(redis_url: str, prefix: str) -> None:
    async with open_stage(redis_url, prefix, dashboard_meetings_max=1) as stage:
        await fill(stage)
        _, found = await get(f"{stage.url}/api/meetings")
        assert (found["total"], found["complete"]) == (2, False)


async def test_a_meeting_is_told_with_its_stories_and_one_that_is_not_there_is_said_to_be(
    redis_url: str, prefix: str
) -> None:
    async with open_stage(redis_url, prefix) as stage:
        await fill(stage)
        path = f"{stage.url}/api/meetings/owner/040000008200e00074c5b7101a82e008"
        _, told = await get(path)
        assert [one["address"] for one in told["instances"][0]["attendees"]][1:] == [
            "christiec@contoso.com",
            "meganb@contoso.com",
        ]
        christie = next(one for one in told["stories"] if one["address"] == "christiec@contoso.com")
        assert christie["instances"][0]["published"][-1]["value"] == "tentativelyAccepted"
        assert (await get(f"{path}0"))[0] == 404
        assert (await get(f"{stage.url}/api/meetings/nobody/x"))[0] == 404


async def test_what_redact_hides_stands_nowhere_and_is_found_by_the_whole_of_it(
    redis_url: str, prefix: str
) -> None:
    redact = frozenset({"subject", "addresses"})
    async with open_stage(redis_url, prefix, redact=redact) as stage:
        await fill(stage)
        await stage.bury("m1", "no_access", "403: no access to lidiah@contoso.com")
        texts = []
        for path in ("now", "meetings", "meetings/owner/040000008200e00074c5b7101a82e008", "dead-letters"):
            status, told = await get(f"{stage.url}/api/{path}")
            assert status == 200
            texts.append(json.dumps(told))
        for hidden in ("lunch", "contoso", "Megan", "Christie", "Alex", "Lidia", "Holloway"):
            assert [hidden in text for text in texts] == [False] * 4, hidden
        _, found = await get(f"{stage.url}/api/meetings?q=ChristieC%40contoso.com")
        assert found["found"] == 1
        _, found = await get(f"{stage.url}/api/meetings?q=christie")
        assert found["found"] == 0


async def test_while_redis_is_away_pages_say_so(redis_url: str, prefix: str) -> None:
    away: dict[str, Any] = {"redis_retries_max": 0, "redis_connect_timeout_s": 0.5}
    async with open_stage("redis://127.0.0.1:1", prefix, **away) as stage:
        assert (await get(stage.url))[0] == 200
        status, told = await get(f"{stage.url}/api/now")
        assert (status, told["at"], told["troubles"][0]["runbook"]) == (200, None, "ResponseSyncRedisAway")
        for path in ("meetings", "dead-letters"):
            status, told = await get(f"{stage.url}/api/{path}")
            assert (status, "away" in told["error"]) == (503, True)


async def test_a_full_redis_is_seen_although_it_takes_no_writes(prefix: str) -> None:
    async with (
        embedded_redis(listener=Listener.LOOPBACK, program=chosen_server()) as server,
        open_stage(server.url, prefix) as stage,
    ):
        await fill(stage)
        await stage.streams.link.call("CONFIG SET", "maxmemory", "1")
        await stage.beat("web-2", ("web",), redis_full=4)
        told = (await get(f"{stage.url}/api/now"))[1]
        assert told["at"], told
        full = next(one for one in told["troubles"] if one["runbook"] == "ResponseSyncRedisFull")
        assert full["words"].startswith("Redis is full and takes no writes")
        assert "web-2" in [one["name"] for one in told["processes"]]
        await stage.streams.link.call("CONFIG SET", "maxmemory", "0")
