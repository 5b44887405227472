"""The contract of the public listener, status by status, over real sockets."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from service.intake.webhook import WebhookLimits
from tests.integration.intake.conftest import JSON, Public, run_public
from tests.integration.waiting import PATIENCE_S
from tests.unit.intake.graph_items import CALENDAR, build_body, build_item, build_lifecycle

TOKEN = "Validation: Testing client application reachability for subscription Request-Id: 1f2e <b>&+é/%"
ROUTES = ("/graph/notifications", "/graph/lifecycle")


# --- handshake ---


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("before", ["", "deployment=default&", "a=1&b=2&"])
async def test_the_handshake_gives_the_decoded_token_back_as_plain_text(
    public: Public, route: str, before: str
) -> None:
    url = public.url(f"{route}?{before}validationToken={quote(TOKEN, safe='')}")
    async with public.session.post(
        URL(url, encoded=True), headers={"Content-Type": "text/plain; charset=utf-8"}
    ) as answer:
        assert answer.status == 200
        assert await answer.text() == TOKEN
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "Server" not in answer.headers


async def test_a_plus_in_the_token_is_a_space_as_in_every_query(public: Public) -> None:
    url = URL(public.url("/graph/notifications?validationToken=a+b%2Bc"), encoded=True)
    async with public.session.post(url) as answer:
        assert await answer.text() == "a b+c"


@pytest.mark.parametrize(
    "query",
    [
        "validationToken=",
        "validationToken=" + "x" * 2049,
        "validationToken=" + "x" * 100_000,
        "validationToken=%ff%fe",
        "validationToken=a%0d%0ab",
        "validationToken=a%00b",
        "validationToken=one&validationToken=two",
        "&".join(["a=1"] * 30) + "&validationToken=abc",
    ],
    ids=lambda query: query[:40],
)
async def test_an_unusable_token_is_refused_and_not_echoed(public: Public, query: str) -> None:
    url = URL(public.url(f"/graph/notifications?{query}"), encoded=True)
    async with public.session.post(url) as answer:
        assert 400 <= answer.status < 500
        assert await answer.read() == b""


async def test_markup_in_a_token_stays_text(public: Public) -> None:
    url = URL(public.url("/graph/lifecycle?validationToken=%3Cscript%3Ealert(1)%3C/script%3E"), encoded=True)
    async with public.session.post(url) as answer:
        assert answer.content_type == "text/plain"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_handshake_works_while_redis_is_away_and_under_load(redis_url: str, prefix: str) -> None:
    async with run_public(redis_url, prefix) as public:
        load = [asyncio.create_task(public.post(build_body(build_item()))) for _ in range(300)]
        async with asyncio.timeout(PATIENCE_S):
            async with public.session.post(public.url("/graph/lifecycle?validationToken=abc")) as answer:
                assert await answer.text() == "abc"
        assert set(await asyncio.gather(*load)) == {202}
        await public.link.call("DEL", public.intake)


# --- notifications ---


async def test_every_good_item_is_stored_before_the_202_and_bad_ones_are_counted(public: Public) -> None:
    body = build_body(
        build_item(item_id="one"),
        {"clientState": "guess"},
        build_item(CALENDAR, item_id="two"),
        None,
        build_lifecycle("missed"),
    )
    assert await public.post(body) == 202
    entries = await public.read_entries()
    assert [(entry.kind, entry.item, entry.lifecycle) for entry in entries] == [
        ("message", "one", ""),
        ("event", "two", ""),
        ("lifecycle", "", "missed"),
    ]
    assert public.count("notification_items_total", outcome="stored", reason="") == 3
    assert public.count("notification_items_total", outcome="refused", reason="wrong client state") == 1
    assert public.count("notification_items_total", outcome="refused", reason="malformed item") == 1


@pytest.mark.parametrize("route", ROUTES)
async def test_changes_and_lifecycle_items_are_taken_on_either_route(public: Public, route: str) -> None:
    body = build_body(build_item(), build_lifecycle("reauthorizationRequired"))
    assert await public.post(body, path=route) == 202
    assert [entry.kind for entry in await public.read_entries()] == ["message", "lifecycle"]


@pytest.mark.parametrize("body", [b'{"value": []}', build_body({"clientState": "guess"}), build_body(7)])
async def test_whoever_forges_learns_nothing(public: Public, body: bytes) -> None:
    assert await public.post(body) == 202
    assert await public.read_entries() == []


async def test_the_answer_to_a_stored_notification_is_bare(public: Public) -> None:
    async with public.session.post(public.url(), data=build_body(build_item()), headers=JSON) as answer:
        assert (answer.status, await answer.read()) == (202, b"")
        assert "Server" not in answer.headers
        assert answer.headers["Date"].endswith("GMT")
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"{}", b"[]", b'{"value": null}', b'{"value": 5}', b"[" * 100_000], ids=repr
)
async def test_a_body_that_is_no_collection_is_400(public: Public, body: bytes) -> None:
    assert await public.post(body) == 400


@pytest.mark.parametrize("body", [b" " * 5_000_000, build_body(*[{}] * 1001)], ids=["5 MB", "1001 items"])
async def test_too_large_a_body_is_413(public: Public, body: bytes) -> None:
    assert await public.post(body) == 413


async def test_a_body_of_unknown_length_is_bounded_too(public: Public) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 65_536

    try:
        async with public.session.post(public.url(), data=chunks(), headers=JSON) as answer:
            assert answer.status == 413
    except aiohttp.ClientConnectionError:
        pass  # the connection may be closed while the client still writes


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, 202),
        ({"Content-Type": "Application/JSON;odata.metadata=minimal"}, 202),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/jsonx"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "deflate"}, 415),
        ({"Content-Encoding": "identity"}, 202),
    ],
    ids=str,
)
async def test_only_plain_json_is_read(public: Public, headers: dict[str, str], status: int) -> None:
    assert await public.post(build_body(build_item()), headers=headers) == status


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("route", ROUTES)
async def test_other_methods_are_405(public: Public, method: str, route: str) -> None:
    async with public.session.request(method, public.url(f"{route}?validationToken=abc")) as answer:
        assert (answer.status, answer.headers["Allow"], await answer.read()) == (405, "POST", b"")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/graph",
        "/graph/notifications/",
        "/graph//notifications",
        "/graph/../graph/notifications",
        "/graph/%6eotifications",
        "/Graph/Notifications",
        "/graph/lifecycle/x",
        "/healthz",
        "/metrics",
    ],
)
async def test_nothing_else_exists(public: Public, path: str) -> None:
    url = URL(public.url(path), encoded=True)
    async with public.session.post(url, data=build_body(build_item()), headers=JSON) as answer:
        assert (answer.status, await answer.read()) == (404, b"")
    assert await public.read_entries() == []


async def test_a_client_that_waits_to_be_told_to_send_is_told(public: Public) -> None:
    async with public.session.post(
        public.url(), data=build_body(build_item()), headers=JSON, expect100=True
    ) as answer:
        assert answer.status == 202


async def test_the_trace_context_of_the_request_travels_with_its_entries(public: Public) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert await public.post(build_body(build_item()), headers={"traceparent": trace}) == 202
    (entry,) = await public.read_entries()
    assert entry.traceparent == trace


# --- many at once ---


async def test_as_many_entries_as_items_however_many_requests_come_at_once(public: Public) -> None:
    bodies = [
        build_body(*(build_item(item_id=f"{request}-{item}") for item in range(1 + request % 4)))
        for request in range(400)
    ]
    assert set(await asyncio.gather(*map(public.post, bodies))) == {202}
    stored = [entry.item for entry in await public.read_entries()]
    sent = [f"{request}-{item}" for request in range(400) for item in range(1 + request % 4)]
    assert sorted(stored) == sorted(sent)


async def test_items_of_one_request_stay_together_and_in_order(public: Public) -> None:
    bodies = [
        build_body(*(build_item(item_id=f"{request}-{item}") for item in range(20))) for request in range(50)
    ]
    assert set(await asyncio.gather(*map(public.post, bodies))) == {202}
    stored = [entry.item for entry in await public.read_entries()]
    for start in range(0, len(stored), 20):
        request = stored[start].partition("-")[0]
        assert stored[start : start + 20] == [f"{request}-{item}" for item in range(20)]


async def test_clients_that_hang_up_in_flight_do_not_disturb_the_others(public: Public) -> None:
    async def hang_up(number: int) -> None:
        _reader, writer = await asyncio.open_connection("127.0.0.1", public.port)
        body = build_body(build_item(item_id=f"gone-{number}"))
        head = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        writer.write(b"POST /graph/notifications HTTP/1.1\r\n" + head.encode() + b"\r\n\r\n" + body)
        await writer.drain()
        writer.transport.abort()

    async def stay(number: int) -> int:
        return await public.post(build_body(build_item(item_id=f"here-{number}")))

    *_, statuses = await asyncio.gather(
        asyncio.gather(*map(hang_up, range(100))), asyncio.gather(*map(stay, range(200)))
    )
    assert set(statuses) == {202}
    here = sorted(entry.item for entry in await public.read_entries() if entry.item.startswith("here"))
    assert here == sorted(f"here-{number}" for number in range(200))


async def test_all_bodies_together_have_a_limit(redis_url: str, prefix: str) -> None:
    limits = WebhookLimits(bodies_bytes_max=300_000)
    async with run_public(redis_url, prefix, webhook_limits=limits) as public:
        more = asyncio.Event()

        async def slowly() -> Any:
            yield b'{"value": [], "x": "' + b"y" * 200_000
            await more.wait()
            yield b'"}'

        async def send() -> tuple[int, str]:
            async with public.session.post(public.url(), data=slowly(), headers=JSON) as answer:
                return answer.status, answer.headers.get("Retry-After", "")

        first, second = asyncio.create_task(send()), asyncio.create_task(send())
        done, waiting = await asyncio.wait(
            {first, second}, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S
        )
        assert [task.result() for task in done] == [(503, "10")]
        more.set()
        assert [await task for task in waiting] == [(202, "")]
        assert await public.post(json.dumps({"value": []}).encode()) == 202
