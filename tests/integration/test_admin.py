"""The operator's listener: who may ask, and what is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from service import probe
from service.admin import AdminListener, Probe
from service.errors import ConfigError, StreamError
from service.metrics import Metrics
from tests.integration.waiting import wait_until

TOKEN = "a-token-for-tests"


async def is_fine() -> str:
    return ""


@asynccontextmanager
async def run_admin(probes: Mapping[str, Probe] | None = None, **more: Any) -> AsyncIterator[str]:
    settings: dict[str, Any] = {"host": "127.0.0.1", "port": 0, "token": "", "metrics": Metrics()} | more
    listener = AdminListener(probes=probes or {}, **settings)
    await listener.start()
    try:
        yield f"http://127.0.0.1:{listener.port}"
    finally:
        await listener.stop()


async def get(url: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


async def test_the_process_is_alive_and_its_metrics_are_shown() -> None:
    async with run_admin() as base:
        assert (await get(f"{base}/healthz"))[0] == 200
        status, text, headers = await get(f"{base}/metrics")
        assert status == 200
        assert "# HELP response_sync_web_requests_total" in text
        assert headers["Content-Type"].startswith("text/plain; version=")


async def test_readiness_names_each_probe_and_why_it_is_not_ready() -> None:
    async def is_away() -> str:
        raise StreamError("Redis is away: refused")

    async def is_slow() -> str:
        await asyncio.sleep(60)
        return ""

    async def says_why() -> str:
        return "2 mailboxes have no subscription yet"

    probes = {"fine": is_fine, "away": is_away, "slow": is_slow, "waiting": says_why}
    async with run_admin(probes, probe_timeout_s=0.1) as base:
        status, text, _ = await get(f"{base}/readyz")
    assert status == 503
    assert json.loads(text) == {
        "ready": False,
        "probes": {
            "fine": {"ready": True, "reason": ""},
            "away": {"ready": False, "reason": "Redis is away: refused"},
            "slow": {"ready": False, "reason": "no answer within 0.1 s"},
            "waiting": {"ready": False, "reason": "2 mailboxes have no subscription yet"},
        },
    }


async def test_readiness_is_200_when_every_probe_is() -> None:
    async with run_admin({"one": is_fine, "two": is_fine}) as base:
        assert (await get(f"{base}/readyz"))[0] == 200


@pytest.mark.parametrize("path", ["/", "/metrics", "/nothing", "/readyz/", "/healthz/..", "//readyz"])
async def test_with_a_token_nothing_is_told_without_it(path: str) -> None:
    async with run_admin(token=TOKEN) as base:
        status, text, headers = await get(base + path)
        assert (status, text) == (401, "")
        assert headers["WWW-Authenticate"].startswith("Bearer")
        for wrong in ("Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer"):
            assert (await get(base + path, Authorization=wrong))[0] == 401
        right = (await get(base + path, Authorization=f"bearer {TOKEN}"))[0]
        assert right == (200 if path == "/metrics" else 404)


@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {TOKEN}"])
async def test_an_orchestrator_learns_one_word_without_the_token(given: str) -> None:
    reasons = ["Redis is away"]

    async def say() -> str:
        return reasons[0]

    headers = {"Authorization": given} if given else {}
    async with run_admin({"one": say}, token=TOKEN) as base:
        assert (await get(f"{base}/healthz", **headers))[:2] == (200, "ok\n")
        assert (await get(f"{base}/readyz", **headers))[:2] == (503, "unready\n")
        assert "Redis is away" in (await get(f"{base}/readyz", Authorization=f"Bearer {TOKEN}"))[1]
        reasons[0] = ""
        assert (await get(f"{base}/readyz", Host="10.0.0.7:9464", **headers))[:2] == (200, "ready\n")


async def test_many_who_ask_for_readiness_cost_what_one_costs() -> None:
    asked = 0
    everybody_is_here = asyncio.Event()

    async def count() -> str:
        nonlocal asked
        asked += 1
        await everybody_is_here.wait()
        return ""

    async with run_admin({"one": count}, token=TOKEN) as base:
        asking = [asyncio.create_task(get(f"{base}/readyz")) for _ in range(20)]
        await wait_until(lambda: asked > 0)
        asking[0].cancel()  # one who hangs up must not end it for the others
        await get(f"{base}/healthz")
        everybody_is_here.set()
        answers = await asyncio.gather(*asking[1:])
    assert {status for status, _, _ in answers} == {200}
    assert asked <= 2  # a connection that came late may have begun a second one


async def test_a_scrape_measures_first_and_shows_nothing_of_what_could_not_be_measured() -> None:
    metrics = Metrics()

    async def measure() -> None:
        metrics.due_entries.show_one(7)

    async def fail() -> None:
        raise StreamError("Redis is away")

    async def hang() -> None:
        await asyncio.sleep(60)

    async with run_admin(metrics=metrics, refreshes=[measure, fail, hang], probe_timeout_s=0.1) as base:
        status, text, _ = await get(f"{base}/metrics")
    assert status == 200
    assert "response_sync_due_entries 7.0" in text
    assert "# TYPE response_sync_dead_letters gauge" in text
    assert "\nresponse_sync_dead_letters " not in text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "admin.example", ""])
def test_a_token_is_obligatory_off_loopback(host: str) -> None:
    with pytest.raises(ConfigError, match="ADMIN_TOKEN"):
        AdminListener(host=host, port=0, token="", probes={}, metrics=Metrics())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9464", 200),
        ("127.0.0.1", 200),
        ("127.8.8.8:1", 200),
        ("[::1]:9464", 200),
        ("evil.example", 421),
        ("localhost.evil.example:9464", 421),
        ("127.0.0.1.evil.example", 421),
        ("@", 421),
    ],
)
async def test_without_a_token_only_requests_for_loopback_are_answered(host: str, status: int) -> None:
    async with run_admin() as base:
        assert (await get(f"{base}/healthz", Host=host))[0] == status


async def test_no_answer_may_be_read_by_another_origin_or_run_anything() -> None:
    async with run_admin() as base:
        for path in ("/healthz", "/readyz", "/metrics", "/nothing"):
            _, _, headers = await get(base + path, Origin="https://evil.example")
            assert not any(name.lower().startswith("access-control") for name in headers)
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]
            assert "Server" not in headers


async def test_a_taken_port_is_a_settings_fault() -> None:
    async with run_admin() as base:
        with pytest.raises(ConfigError, match="ADMIN_PORT"):
            async with run_admin(port=int(base.rpartition(":")[2])):
                pass


async def test_the_health_check_of_the_image_needs_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async def is_away() -> str:
        return "Redis is away"

    async with run_admin({"one": is_away}, token=TOKEN) as base:
        monkeypatch.setenv("RESPONSE_SYNC_ADMIN_PORT", base.rpartition(":")[2])
        assert await asyncio.to_thread(probe.main, ["healthz"]) == 0
        assert await asyncio.to_thread(probe.main, ["readyz"]) == 1
    assert await asyncio.to_thread(probe.main, ["healthz"]) == 1
